from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from pellucid.attention import Attention, AttentionConfig
from pellucid.attention.diagnostics import InspectionError, Inspector, inspect
from pellucid.attention.passes import call_model
from tests.attention.diagnostics.models import EAGER_ONLY, FAMILIES, timm_vit, transformers_model


def hooks_of(model: nn.Module) -> int:
    return sum(
        len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()
    )


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - EAGER_ONLY))
def test_model_stays_as_it_was(family: str) -> None:
    attention_functions = pytest.importorskip("transformers.modeling_utils").ALL_ATTENTION_FUNCTIONS
    model, batch = transformers_model(family, "sdpa")
    with torch.no_grad():
        before = model(**batch).last_hidden_state
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.no_grad(), Inspector(model) as inspector:
        inside = model(**batch).last_hidden_state
    inspector.report()
    with torch.no_grad():
        after = model(**batch).last_hidden_state
    assert torch.equal(before, inside)
    assert torch.equal(before, after)
    assert weights.keys() == model.state_dict().keys()
    assert all(torch.equal(weights[name], t) for name, t in model.state_dict().items())
    assert hooks_of(model) == 0
    assert "get_interface" not in vars(attention_functions)


def test_modes_come_back() -> None:
    model = timm_vit(fused=True).train()
    model[1].eval()
    modes = [module.training for module in model.modules()]
    inspect(model, torch.randn(1, 4, 16))
    assert [module.training for module in model.modules()] == modes


class Fails(nn.Module):
    def forward(self, tokens: Tensor) -> Tensor:
        raise RuntimeError("in the middle")


def test_nothing_is_left_after_an_exception() -> None:
    attention_functions = pytest.importorskip("transformers.modeling_utils").ALL_ATTENTION_FUNCTIONS
    model = nn.Sequential(Attention(AttentionConfig(dim=4, heads=1)), Fails()).train()
    with pytest.raises(RuntimeError, match="in the middle"):
        inspect(model, torch.randn(1, 3, 4))
    assert hooks_of(model) == 0
    assert model.training
    assert "get_interface" not in vars(attention_functions)
    assert torch.overrides._len_torch_function_stack() == 0


def test_a_failed_pass_does_not_spoil_the_next() -> None:
    model = nn.Sequential(Attention(AttentionConfig(dim=4, heads=1)), nn.Identity())
    tokens = torch.randn(2, 3, 4)
    with torch.no_grad(), Inspector(model) as inspector:
        with pytest.raises(RuntimeError):
            model(torch.randn(2, 3, 5))
        model(tokens)
    clean = inspect(model, tokens)
    assert inspector.report().summary == clean.summary


def test_batches_stream() -> None:
    """One batch of six sequences and six of one are the same samples."""
    model, _ = transformers_model("bert", "sdpa")
    ids = torch.randint(3, 50, (6, 8))
    whole = inspect(model, {"input_ids": ids})
    with torch.no_grad(), Inspector(model) as inspector:
        for row in ids:
            call_model(model, {"input_ids": row[None]})
    parts = inspector.report()
    assert (parts.samples, parts.batches, whole.batches) == (6, 6, 1)
    for name, estimate in whole.summary.items():
        assert parts.summary[name].samples == estimate.samples
        assert parts.summary[name].mean == pytest.approx(estimate.mean, rel=1e-4, nan_ok=True)
        assert parts.summary[name].half_width == pytest.approx(
            estimate.half_width, rel=1e-2, abs=1e-6, nan_ok=True
        )


def test_confidence_interval_is_the_normal_one() -> None:
    model = nn.Sequential(Attention(AttentionConfig(dim=4, heads=1)))
    tokens = torch.randn(5, 6, 4)
    singles = [inspect(model, row[None]).summary["first_attention"].mean for row in tokens]
    estimate = inspect(model, tokens).summary["first_attention"]
    deviation = torch.tensor(singles).std().item()
    assert estimate.half_width == pytest.approx(1.96 * deviation / math.sqrt(5), rel=1e-3)
    assert estimate.mean == pytest.approx(sum(singles) / 5, rel=1e-5)


def test_sink_tokens_are_named_by_id() -> None:
    model, batch = transformers_model("llama", "sdpa")
    batch["input_ids"][:, 0] = 7
    with torch.no_grad(), Inspector(model, epsilon=0.05) as inspector:
        model(**batch)
    for layer in inspector.report().layers:
        sinks = round(2 * sum(layer.metrics["sink_any"].mean))
        assert sum(layer.sink_tokens.values()) == sinks
        assert layer.sink_tokens.keys() <= {
            str(token) for token in batch["input_ids"].flatten().tolist()
        }


def test_kurtosis_and_massive_activations_by_hand() -> None:
    class Doubles(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = Attention(AttentionConfig(dim=4, heads=1))

        def forward(self, tokens: Tensor) -> Tensor:
            return tokens + 0 * self.attention(tokens)

    tokens = torch.full((1, 500, 4), 0.1)
    tokens[0, 3, 2] = 400.0
    report = inspect(nn.Sequential(Doubles()), tokens)
    block = report.activations[0]
    flat = tokens.double().flatten()
    centred = flat - flat.mean()
    kurtosis = (centred**4).mean() / ((centred**2).mean() ** 2 + 1e-6)
    assert block.metrics["kurtosis"].mean == pytest.approx(kurtosis.item(), rel=1e-4)
    assert block.metrics["inf_norm"].mean == 400.0
    assert block.metrics["massive"].mean == 1.0
    assert block.channels[0] == (2, 400.0)


def test_report_needs_a_pass() -> None:
    with Inspector(nn.Linear(2, 2)) as inspector:
        pass
    with pytest.raises(InspectionError, match="no forward pass"):
        inspector.report()


def test_epsilon_is_checked() -> None:
    with pytest.raises(InspectionError, match="between 0 and 1"):
        Inspector(nn.Linear(2, 2), epsilon=1.5)
