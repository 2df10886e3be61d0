"""AGIM, adaptive global interaction: the layers look at the words.

The paper (§3) names the module, "cross-attention between the description and the image layers
through the global features"; its equations are not public. Our design: for each layer F_l and each
description, queries are the places of F_l (which carry AGAM's global context), keys and values are
the description's words, and the attention is Value-State Gated Attention (arXiv:2510.09017, §3.2):
a word's gate, computed from its own value vector, lets a place attend to it and still receive
nothing. What was found, A, and how well it fits the place, A ⊙ Q, are projected without a bias and
scaled by the language gate. Hence a description that is missing, or whose gates are shut, adds
exactly zero.

What both descriptions add to a place is never longer than a share of the place's own features: on
real photos words would else take too much, though in the right place. The share is small for one
description alone, which may be wrong, and large where two alone can tell the layers apart
(`word_reach`, `network/verdicts.py`; docs/lab-notes.md, "Words on a leash", "Words that decide").

One set of weights serves both layers. A layer meets its own description and the other layer's
through separate projections ("own", "other"): words about the reflection also say what the
transmission is not.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pellucid.attention.gate import Gate, GateSpec, gate_preset, merge_heads
from pellucid.attention.module import split_heads
from pellucid.attention.reference import reference_attention
from pellucid.errors import ConfigError
from pellucid.network.blocks import ChannelNorm
from pellucid.network.description import Words
from pellucid.network.verdicts import Say

LONE, HINT, DECISION = 0.08, 0.2, 0.75
"""Greatest length of what words add to a place's features, relative to theirs: where one
description is believed, where both are, and where both decide."""
SMALLEST = 1e-12
"""Square of a length below which places count as empty, so that no gradient is infinite."""

ATTENTIONS: dict[str, GateSpec | None] = {
    "softmax": None,
    **{name: gate_preset(name) for name in ("iga", "iga-query", "vga-key", "vga-mixed")},
}
"""Gates that the language cross-attention can have (ablations; None: plain softmax)."""


def word_attention_gate(name: str) -> GateSpec | None:
    """Return the gate of the language cross-attention called `name`.

    Raises:
        ConfigError: no attention of this name.
    """
    if name not in ATTENTIONS:
        raise ConfigError(f"attention {name!r} is not one of {', '.join(ATTENTIONS)}")
    return ATTENTIONS[name]


class Guidance(NamedTuple):
    """What one description does to one layer, before the language gate."""

    update: Float[Tensor, "B C h w"]
    word_map: Float[Tensor, "B N h w"]
    """Effective weight α·g of each word at each place, mean over heads, in [0, 1]."""


class WordAttention(nn.Module):
    """Cross-attention from places to words under one gate specification (None: plain softmax)."""

    def __init__(self, channels: int, heads: int, gate: GateSpec | None) -> None:
        super().__init__()
        self.heads = heads
        self.norm = ChannelNorm(channels)
        self.query = nn.Linear(channels, channels)
        self.key_value = nn.Linear(channels, 2 * channels)
        self.gate = None
        if gate is not None:
            head_dim = channels // heads
            self.gate = Gate(gate, heads=heads, head_dim=head_dim, input_dim=channels)
        self.out = nn.Linear(2 * channels, channels, bias=False)

    def forward(self, layer: Float[Tensor, "B C h w"], words: Words) -> Guidance:
        """Return the words' update of the layer; exactly zero where no word is given."""
        places = self.norm(layer).flatten(2).transpose(1, 2)
        query = self.query(places)
        attended, weights = self._attend(places, query, words)
        update = self.out(torch.cat([attended, attended * query], dim=-1))
        size = layer.shape[2:]
        return Guidance(
            update.transpose(1, 2).unflatten(2, size),
            weights.transpose(1, 2).unflatten(2, size),
        )

    def _attend(
        self, places: Float[Tensor, "B P C"], query: Float[Tensor, "B P C"], words: Words
    ) -> tuple[Float[Tensor, "B P C"], Float[Tensor, "B P N"]]:
        """Return what each place found, and the effective weight of each word there.

        The map is what a person is shown, and words are few, so the attention that materialises it
        is used instead of a fused kernel.
        """
        key, value = self.key_value(words.words).chunk(2, dim=-1)
        query, key, value = (split_heads(part, self.heads) for part in (query, key, value))
        mask = words.mask[:, None, None, :]
        if self.gate is None:
            attended, weights = reference_attention(query, key, value, attn_mask=mask)
        elif self.gate.spec.placement == "key":
            signal = words.words if self.gate.spec.signal == "input" else merge_heads(value)
            gate = self.gate(signal)
            attended, weights = reference_attention(query, key, value, gate, attn_mask=mask)
            weights = weights * gate[:, :, None, :]
        else:
            mixed, weights = reference_attention(query, key, value, attn_mask=mask)
            signal = places if self.gate.spec.signal == "input" else merge_heads(mixed)
            gate = self.gate(signal)[..., None]
            attended, weights = mixed * gate, weights * gate
        return merge_heads(attended), weights.mean(dim=1)


def word_reach(say: Say) -> Float[Tensor, " B"]:
    """Return how far words reach: `LONE` at least, `DECISION` at most."""
    return LONE + (HINT - LONE) * say.both + (DECISION - HINT) * say.decides


def within_reach(
    update: Float[Tensor, "B C h w"],
    layer: Float[Tensor, "B C h w"],
    reach: Float[Tensor, " B"],
) -> Float[Tensor, "B C h w"]:
    """Shorten updates that are longer than `reach` times the features at their place."""
    longest = reach[:, None, None, None] * _length(layer)
    return update * (longest / torch.maximum(_length(update), longest)).to(update.dtype)


def _length(features: Float[Tensor, "B C h w"]) -> Float[Tensor, "B 1 h w"]:
    return (features.float().square().sum(dim=1, keepdim=True) + SMALLEST).sqrt()


class GuidedLayers(NamedTuple):
    """Both layers' features after the words, and where each word acted."""

    transmission: Float[Tensor, "B C h w"]
    reflection: Float[Tensor, "B C h w"]
    transmission_map: Float[Tensor, "B N h w"]
    reflection_map: Float[Tensor, "B N h w"]


GatedWords = tuple[Words, Float[Tensor, " B"]]
"""A description's words and its language gate."""


class GlobalInteraction(nn.Module):
    """AGIM: the same gated interaction, driven once for each layer and description."""

    def __init__(self, channels: int, heads: int, gate: GateSpec | None) -> None:
        super().__init__()
        self.own = WordAttention(channels, heads, gate)
        self.other = WordAttention(channels, heads, gate)

    def forward(
        self,
        transmission: Float[Tensor, "B C h w"],
        reflection: Float[Tensor, "B C h w"],
        about_transmission: GatedWords,
        about_reflection: GatedWords,
        reach: Float[Tensor, " B"],
    ) -> GuidedLayers:
        """Guide both layers by both descriptions; a closed language gate adds exactly zero."""
        t_own, t_map = self._guide(self.own, transmission, about_transmission)
        r_own, r_map = self._guide(self.own, reflection, about_reflection)
        t_other, _ = self._guide(self.other, transmission, about_reflection)
        r_other, _ = self._guide(self.other, reflection, about_transmission)
        return GuidedLayers(
            transmission + within_reach(t_own + t_other, transmission, reach),
            reflection + within_reach(r_own + r_other, reflection, reach),
            t_map,
            r_map,
        )

    def _guide(
        self, attention: WordAttention, layer: Float[Tensor, "B C h w"], gated: GatedWords
    ) -> Guidance:
        words, gate = gated
        guidance = attention(layer, words)
        scale = gate[:, None, None, None]
        return Guidance(guidance.update * scale, guidance.word_map * scale)
