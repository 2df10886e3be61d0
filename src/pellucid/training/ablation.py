"""What each part of the language path is for: equal budgets, several seeds, one protocol.

Every variant learns in the stage of `words_first` from the same glances (one encoder, so one look
at the mixtures serves all), and is measured on mixtures of validation photos at few places. That
stage is a tenth of the cost of training the whole network, which is what makes seeds affordable;
what it cannot tell is what the decoder would have made of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pellucid.attention.module import split_heads
from pellucid.attention.reference import reference_attention
from pellucid.network.description import Words
from pellucid.network.interaction import WordAttention
from pellucid.network.separation import NetworkConfig, SeparationNetwork
from pellucid.training.captions import CaptionConfig
from pellucid.training.losses.language import points_right
from pellucid.training.words_first import (
    Glance,
    Glances,
    Painted,
    Unspoken,
    WordsFirst,
    WordsFirstConfig,
    silent,
)

Figures = dict[str, float]

SINK_SHARE = 0.3
"""A word that gets more than this of a head's attention, mean over places, is a sink (Sink^ε of
Gu et al., ICLR 2025, with words for positions and all places for queries)."""


@dataclass(frozen=True)
class Variant:
    """One way to build or to teach the language path."""

    name: str
    network: NetworkConfig
    stage: WordsFirstConfig
    spoken: bool = True
    """False: nothing is ever said, neither to learn from nor to measure on."""


def variants(network: NetworkConfig, stage: WordsFirstConfig) -> list[Variant]:
    """Return the headline comparison: the shipped design and one change at a time.

    VGA is there at both placements that cross-attention allows: key-side as shipped (§3.2), and at
    the queries by this library's definition, "vga-mixed" (docs/attention.md), since a place has no
    value of its own. "No text" is the network without its language path.
    """
    sure = replace(stage.batch, captions=replace(stage.batch.captions, dropped=0.0, wrong=0.0))
    return [
        Variant("as shipped", network, stage),
        Variant("no text", network, stage, spoken=False),
        *(
            Variant(f"{name} attention", replace(network, attention=name), stage)
            for name in ("softmax", "iga", "vga-key", "vga-mixed", "iga-query")
            if name != network.attention
        ),
        Variant("no language gate", replace(network, language_gate=False), stage),
        Variant("no contrastive loss", network, replace(stage, contrastive=0.0)),
        Variant("with layer correspondence", network, replace(stage, correspondence=0.02)),
        Variant("no assignment loss", network, replace(stage, assignment=0.0)),
        Variant("no randomised training", network, replace(stage, batch=sure)),
    ]


def teach(variant: Variant, network: SeparationNetwork, glances: Glances) -> WordsFirst:
    """Return the stage of a variant, taught on glances as long as the variant says."""
    stage = WordsFirst(network, variant.stage)
    for number in range(variant.stage.rounds):
        stage.learn(glances if variant.spoken else Unspoken(glances), number)
    return stage


RIGHT = CaptionConfig(dropped=0.0, wrong=0.0, noun=0.0, template=0.0)
WRONG = CaptionConfig(dropped=0.0, wrong=1.0, noun=0.0, template=0.0)


def without_words(figures: Figures) -> Figures:
    """Return what is left of the figures if nothing is said."""
    effects = ("right words, dB", "wrong words, dB", "gate, right words", "gate, wrong words")
    return {
        "told apart": figures["told apart, no words"],
        "told apart, no words": figures["told apart, no words"],
        "without words, dB": figures["without words, dB"],
        **dict.fromkeys(effects, 0.0),
    }


@torch.no_grad()
def measure(stage: WordsFirst, glances: Glances) -> Figures:
    """Return every figure of one taught language path, on mixtures that it has not seen."""
    rows: dict[str, list[float]] = {}
    for number in range(len(glances)):
        for name, values in _measure_group(stage, glances, number).items():
            rows.setdefault(name, []).extend(values.tolist())
    return {name: float(np.mean(values)) for name, values in rows.items()}


def _measure_group(
    stage: WordsFirst, glances: Glances, number: int
) -> dict[str, Float[Tensor, " V"]]:
    glance, right = glances.told(number, RIGHT, np.random.default_rng(number))
    _, wrong = glances.told(number, WRONG, np.random.default_rng(number))
    told, mistold, untold = (stage.paint(glance, g) for g in (right, wrong, silent(right)))
    without = _psnr(untold, glance)
    symmetric = glance.mixtures.recipe == 0
    both = symmetric & right.transmission.right & right.reflection.right
    return {
        "told apart": points_right(told.layers, glance.truth)[both],
        "told apart, no words": points_right(untold.layers, glance.truth)[symmetric],
        "without words, dB": without[~symmetric],
        "right words, dB": (_psnr(told, glance) - without)[~symmetric],
        "wrong words, dB": (_psnr(mistold, glance) - without)[~symmetric],
        "gate, right words": told.transmission.gate[~symmetric],
        "gate, wrong words": mistold.transmission.gate[~symmetric],
        **_sinks(stage.network, glance, told.transmission.words),
    }


def _psnr(painted: Painted, glance: Glance) -> Float[Tensor, " B"]:
    error = (painted.layers - glance.truth)[:, :3].square().mean(dim=(1, 2, 3))
    return -10.0 * torch.log10(error.clamp(min=1e-6))


def _sinks(
    network: SeparationNetwork, glance: Glance, words: Words
) -> dict[str, Float[Tensor, " V"]]:
    """Return which heads have a sink among the words, and how drained the strongest word is."""
    features, _ = network.aggregation(network.hypercolumn.merge(glance.stacked.float()))
    layer = network.transmission_features(features)
    attention: WordAttention = network.interaction.own
    query = attention.query(attention.norm(layer).flatten(2).transpose(1, 2))
    key, value = attention.key_value(words.words).chunk(2, dim=-1)
    query, key, value = (split_heads(part, attention.heads) for part in (query, key, value))
    _, weights = reference_attention(query, key, value, attn_mask=words.mask[:, None, None, :])
    mass, strongest = weights.mean(dim=2).max(dim=-1)
    many = words.mask.sum(dim=1) >= 6  # of fewer words, one may well deserve the attention
    norms = value.norm(dim=-1)
    own = norms.gather(-1, strongest[..., None])[..., 0]
    return {
        "sink rate": (mass > SINK_SHARE).float()[many].flatten(),
        "drain ratio": (own / _median_norm(norms, words.mask))[many].flatten(),
    }


def _median_norm(norms: Float[Tensor, "B h N"], mask: Bool[Tensor, "B N"]) -> Float[Tensor, "B h"]:
    given = norms.masked_fill(~mask[:, None], torch.nan)
    return given.nanmedian(dim=-1).values


def summarise(runs: Sequence[Figures]) -> dict[str, dict[str, float]]:
    """Return mean, lowest and highest of every figure over the seeds."""
    return {
        name: {
            "mean": float(np.mean([run[name] for run in runs])),
            "low": min(run[name] for run in runs),
            "high": max(run[name] for run in runs),
        }
        for name in runs[0]
    }
