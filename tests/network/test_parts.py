"""The stages one by one, each held against its definition."""

from __future__ import annotations

import pytest
import torch

from pellucid.attention.gate import gate_preset
from pellucid.network.addition import agree, recover
from pellucid.network.aggregation import GlobalAggregation
from pellucid.network.blocks import ChannelNorm, GatedBlock, LocallyEnhancedFeedForward
from pellucid.network.description import Description, DescriptionEncoder, Words
from pellucid.network.encoder import EfficientNetLite0, ResNet50, SamePaddedConv
from pellucid.network.hypercolumn import Hypercolumn
from pellucid.network.interaction import (
    DECISION,
    HINT,
    LONE,
    WordAttention,
    within_reach,
    word_reach,
)
from pellucid.network.language_gate import LanguageGate
from pellucid.network.light import to_encoded, to_light
from pellucid.network.recovery import LayerHead, Layers, Recovery
from pellucid.network.verdicts import (
    CAUTION,
    Say,
    Verdict,
    Verdicts,
    agreement,
    encoded_values_added,
    say_of_words,
)


@pytest.mark.parametrize("build", [EfficientNetLite0, ResNet50])
@torch.no_grad()
def test_encoders_give_five_levels(build):
    encoder = build().eval()
    pyramid = encoder(torch.rand(1, 3, 64, 96))
    assert [level.shape[1] for level in pyramid] == list(encoder.channels)
    assert [tuple(level.shape[2:]) for level in pyramid] == [
        (64 // stride, 96 // stride) for stride in (2, 4, 8, 16, 32)
    ]


def test_odd_padding_goes_to_the_right_and_the_bottom():
    conv = SamePaddedConv(1, 1, 3, 2)
    torch.nn.init.ones_(conv.weight)
    torch.nn.init.zeros_(conv.bias)
    output = conv(torch.ones(1, 1, 4, 4))
    assert output.flatten().tolist() == [9.0, 6.0, 6.0, 4.0]


def test_channel_norm_is_layer_norm_over_channels():
    norm = ChannelNorm(5)
    features = torch.randn(2, 5, 3, 4)
    mean = features.mean(dim=1, keepdim=True)
    deviation = (features.var(dim=1, keepdim=True, unbiased=False) + norm.eps).sqrt()
    torch.testing.assert_close(norm(features), (features - mean) / deviation)


@pytest.mark.parametrize("block", [GatedBlock, LocallyEnhancedFeedForward])
def test_blocks_keep_the_shape_and_the_input(block):
    module = block(8)
    for parameter in module.parameters():
        torch.nn.init.zeros_(parameter)
    features = torch.randn(1, 8, 5, 6)
    assert torch.equal(module(features), features)


def test_hypercolumn_sees_every_level():
    channels = (2, 3, 4, 5, 6)
    hypercolumn = Hypercolumn(channels, 8)
    pyramid = [
        torch.randn(1, width, 64 // 2 ** (index + 1), 96 // 2 ** (index + 1), requires_grad=True)
        for index, width in enumerate(channels)
    ]
    output = hypercolumn(pyramid)
    output.square().sum().backward()
    assert output.shape == (1, 8, 8, 12)
    assert all(level.grad is not None and level.grad.abs().sum() > 0 for level in pyramid)


@torch.no_grad()
def test_global_aggregation_reaches_the_far_corner():
    torch.manual_seed(0)
    aggregation = GlobalAggregation(16, heads=2, tokens=3)
    features = torch.randn(1, 16, 6, 7)
    changed = features.clone()
    changed[..., 0, 0] += 3.0 * torch.randn(16)
    output, tokens = aggregation(features)
    moved, _ = aggregation(changed)
    assert tokens.shape == (1, 3, 16)
    assert (output - moved)[..., -1, -1].abs().max() > 1e-6


@torch.no_grad()
def test_description_encoder_keeps_masked_places_at_zero():
    mask = torch.tensor([[True, True, False], [False, False, False]])
    words = DescriptionEncoder(4, 8)(Description(torch.randn(2, 3, 4), mask))
    assert torch.all(words.words[~mask] == 0)
    assert torch.all(words.sentence[1] == 0)
    torch.testing.assert_close(words.sentence[0], words.words[0, :2].mean(dim=0))


def random_words(batch: int = 2, count: int = 4, channels: int = 16) -> Words:
    mask = torch.ones(batch, count, dtype=torch.bool)
    words = torch.randn(batch, count, channels)
    return Words(words, mask, words.mean(dim=1))


@torch.no_grad()
def test_language_gate_evidence_is_the_same_alone_and_in_the_matrix():
    gate = LanguageGate(16)
    words, tokens = random_words(3), torch.randn(3, 5, 16)
    direction, found = gate.find(words.sentence, tokens)
    matrix = gate.evidence_matrix(words.sentence, tokens)
    torch.testing.assert_close(matrix.diagonal(), (direction * found).sum(dim=-1))
    assert matrix.abs().max() <= 1.0 + 1e-6


@torch.no_grad()
def test_language_gate_is_zero_without_words():
    words = random_words()
    words.mask[0] = False
    _, gate = LanguageGate(16)(words, torch.randn(2, 5, 16))
    assert gate[0] == 0 < gate[1] < 1


@torch.no_grad()
def test_word_attention_does_nothing_where_every_words_gate_is_shut():
    torch.manual_seed(0)
    attention = WordAttention(16, 2, gate_preset("vga-key"))
    words, layer = random_words(), torch.randn(2, 16, 3, 5)
    assert attention(layer, words).update.abs().max() > 0
    # One direction of the values shuts the gate: give every value a large part along it.
    attention.gate.weight.fill_(-50.0)
    attention.key_value.weight[16:] = 0.0
    attention.key_value.bias[16:] = 5.0
    guidance = attention(layer, words)
    assert guidance.update.abs().max() == 0
    assert guidance.word_map.abs().max() == 0


@torch.no_grad()
def test_word_map_is_attention_times_gate():
    attention = WordAttention(16, 2, gate_preset("vga-key"))
    words, layer = random_words(), torch.randn(2, 16, 3, 5)
    # With zero weights every gate is a half, and the map of all words sums to it.
    total = attention(layer, words).word_map.sum(dim=1)
    torch.testing.assert_close(total, torch.full_like(total, 0.5))


def test_words_move_a_place_no_further_than_they_reach():
    layer, update = torch.randn(2, 8, 3, 4), 10.0 * torch.randn(2, 8, 3, 4)
    update[0, :, 0] *= 0.001
    kept = within_reach(update, layer, torch.tensor([0.2, 0.6]))
    length = kept.norm(dim=1) / layer.norm(dim=1)
    torch.testing.assert_close(length[0, 1:], torch.full_like(length[0, 1:], 0.2))
    torch.testing.assert_close(length[1], torch.full_like(length[1], 0.6))
    torch.testing.assert_close(kept[0, :, 0], update[0, :, 0])
    torch.testing.assert_close(
        torch.cosine_similarity(kept, update), torch.ones(2, 3, 4), msg="the direction stays"
    )


def test_words_reach_further_the_more_speaks_for_them():
    both, decides = torch.tensor([0.0, 1.0, 1.0]), torch.tensor([0.0, 0.0, 1.0])
    say = Say(both, decides)
    torch.testing.assert_close(word_reach(say), torch.tensor([LONE, HINT, DECISION]))
    assert LONE < HINT < DECISION


def test_no_words_move_nothing_even_where_there_is_nothing():
    layer = torch.zeros(1, 8, 2, 2)
    update = torch.zeros_like(layer, requires_grad=True)
    kept = within_reach(update, layer, torch.ones(1))
    kept.sum().backward()
    assert torch.equal(kept, layer)
    assert update.grad is not None and update.grad.isfinite().all()


def test_words_decide_what_is_ambiguous_if_both_are_followed():
    ambiguous = torch.tensor([20.0, 20.0, 20.0, -20.0], requires_grad=True)
    gates = torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.3, 0.8], [1.0, 1.0]])
    say = say_of_words(Verdicts(ambiguous, adds=-ambiguous), *gates.unbind(1))
    torch.testing.assert_close(say.both, torch.tensor([1.0, 0.0, 0.6, 1.0]))
    torch.testing.assert_close(say.decides, torch.tensor([1.0, 0.0, 0.6, 0.0]))
    assert not say.decides.requires_grad


def test_a_head_starts_by_taking_almost_nothing():
    light = LayerHead(4)(torch.randn(1, 4, 6, 6))
    assert torch.all((light > 0) & (light < 2e-2))


def test_heads_agree_where_light_adds_up_and_layers_can_be_told_apart():
    logits = torch.tensor([[-30.0, 30.0], [30.0, 30.0], [-30.0, -30.0], [0.0, CAUTION]])
    ambiguous, adds = logits.requires_grad_().unbind(1)
    how_far = agreement(Verdicts(ambiguous, adds))
    torch.testing.assert_close(how_far, torch.tensor([1.0, 0.0, 0.0, 0.25]))
    assert not how_far.requires_grad


def test_heads_never_agree_on_sums_of_encoded_values():
    adds = torch.tensor([0.9, 1.1])
    verdicts = Verdicts(torch.full((2,), -30.0), adds)
    assert encoded_values_added(verdicts).tolist() == [True, False]
    assert agreement(verdicts)[0] == 0.0
    assert agreement(verdicts)[1] == pytest.approx(torch.sigmoid(adds[1] - 4.0).item())


def test_an_untaught_verdict_says_what_it_was_told_to():
    said = Verdict(8, 3, start=-5.0)(torch.randn(4, 3, 8))
    assert torch.equal(said, torch.full((4,), -5.0))


def small_recovery(encoded: bool) -> Recovery:
    recovery = Recovery(6, (4, 5), (8, 8, 8), (1, 1, 1), encoded)
    for parameter in recovery.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    return recovery


def what_recoveries_see(batch: int) -> tuple[torch.Tensor, ...]:
    features = torch.randn(2, batch, 6, 4, 4).unbind()
    skips = torch.randn(batch, 4, 16, 16), torch.randn(batch, 5, 8, 8)
    return torch.rand(batch, 3, 32, 32), *skips, *features


@torch.no_grad()
def test_heads_speak_of_light_or_of_encoded_values():
    seen = what_recoveries_see(2)
    mixture = seen[0]
    from_light = small_recovery(encoded=False)
    from_encoded = small_recovery(encoded=True)
    from_encoded.load_state_dict(from_light.state_dict())
    light, encoded = from_light(*seen), from_encoded(*seen)
    removed = to_light(mixture) - light.transmission
    torch.testing.assert_close(encoded.transmission, to_light(mixture - removed))
    torch.testing.assert_close(to_encoded(encoded.reflection), light.reflection)


@pytest.mark.parametrize("encoded", [[0, 0, 0], [1, 1, 1], [0, 1, 0]])
def test_each_picture_has_the_recovery_of_its_kind(encoded):
    both = small_recovery(encoded=False), small_recovery(encoded=True)
    seen = what_recoveries_see(3)
    layers = torch.stack(recover(*both, torch.tensor(encoded, dtype=torch.bool), seen))
    for row, kind in enumerate(encoded):
        alone = torch.stack(both[kind](*(part[row : row + 1] for part in seen)))
        torch.testing.assert_close(layers[:, row : row + 1], alone)
    layers.sum().backward()
    for kind, recovery in enumerate(both):
        assert (recovery.join.weight.grad is not None) == (kind in encoded)


def test_layers_agree_as_far_as_asked():
    mixture, how_far = torch.rand(3, 3, 4, 4), torch.tensor([0.0, 1.0, 0.5])
    layers = Layers(torch.rand(3, 3, 4, 4), to_light(mixture) / 3)
    midway = agree(layers, mixture, how_far)
    left = to_light(mixture) * 2 / 3
    assert torch.equal(midway.transmission[0], layers.transmission[0])
    agreed = torch.lerp((layers.transmission + left) / 2, to_light(mixture), 0.15)
    torch.testing.assert_close(midway.transmission[1], agreed[1])
    torch.testing.assert_close(midway.transmission[2], (layers.transmission[2] + agreed[2]) / 2)
    assert midway.reflection is layers.reflection
