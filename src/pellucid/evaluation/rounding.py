"""How far the layers of 8-bit models are from those of their original, and from the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.evaluation.methods import separator_method
from pellucid.evaluation.modes import Mode, words_for
from pellucid.evaluation.pairs import Pair
from pellucid.evaluation.protocol import (
    Figure,
    Layers,
    Protocol,
    finite_psnr,
    load_sample,
    summarise,
)
from pellucid.evaluation.results import rounded
from pellucid.separator import Separator

ORIGINAL = "float"


@dataclass(frozen=True)
class Rounded:
    """One 8-bit model on one set, in dB.

    Attributes:
        psnr: of the original's transmission against the truth.
        lost: what the 8-bit model has less, paired by image.
        distance: PSNR of the 8-bit model's transmission against the original's; higher is nearer.
    """

    psnr: Figure
    lost: Figure
    distance: Figure

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {name: rounded(Figure(**figure)) for name, figure in asdict(self).items()}


def compare(
    original: Path,
    int8: Mapping[str, Path],
    pairs: Sequence[Pair],
    mode: Mode,
    protocol: Protocol,
) -> dict[str, Rounded]:
    """Run models on every pair with the words of one mode.

    Args:
        original: ONNX file in full precision.
        int8: its 8-bit models by name.
        pairs: photos with their true transmission.
        mode: which words are given.
        protocol: how photos are prepared, and figures summarised.
    """
    paths = {ORIGINAL: original, **int8}
    methods = {name: separator_method(Separator.load(path)) for name, path in paths.items()}
    words = words_for(mode, [pair.words for pair in pairs], protocol.seed)
    against_truth: dict[str, list[float]] = {name: [] for name in paths}
    against_original: dict[str, list[float]] = {name: [] for name in paths}
    for pair, given in zip(pairs, words, strict=True):
        sample = load_sample(pair, protocol)
        layers = {
            name: Layers(*method(sample.mixture, given.transmission, given.reflection))
            .saved()
            .transmission
            for name, method in methods.items()
        }
        for name, layer in layers.items():
            against_truth[name].append(finite_psnr(layer, sample.transmission))
            against_original[name].append(finite_psnr(layer, layers[ORIGINAL]))
    exact = np.array(against_truth[ORIGINAL])
    return {
        name: Rounded(
            summarise(exact.tolist(), protocol),
            summarise((exact - against_truth[name]).tolist(), protocol),
            summarise(against_original[name], protocol),
        )
        for name in int8
    }
