"""The stated protocol: how images are prepared, scored and averaged.

1. Files are decoded as 8-bit RGB, upright, without colour management, as in the field's own code.
2. A pair whose short side is longer than 300 pixels is shrunk to 300 with Pillow's bicubic filter
   (which widens its support when it shrinks); nothing is ever enlarged.
3. A method sees the 8-bit mixture. Its outputs are clipped, rounded to the nearest of 256 levels,
   and scored at the mixture's size.
4. A figure is the mean over images (not over pixels), with a 95 % bootstrap interval over images
   (percentile method, 10,000 resamples, fixed seed). Equal images count as 100 dB.

Protocol alone moves published Real20 figures by up to 1.5 dB, hence every result file repeats it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from pellucid.errors import DataError
from pellucid.evaluation import metrics
from pellucid.evaluation.images import Image, Image8, read_image, to_8bit, to_unit
from pellucid.evaluation.pairs import NO_WORDS, Descriptions, Pair

PSNR_CEILING = 100.0
"""dB that count for equal images, so that means stay finite."""


@dataclass(frozen=True)
class Protocol:
    """What a figure depends on besides the method and the images."""

    short_side: int = 300
    resamples: int = 10_000
    seed: int = 0

    def describe(self) -> str:
        """State the protocol in one sentence, for result files and tables."""
        return (
            f"short side at most {self.short_side} (Pillow bicubic, never enlarged), 8-bit input "
            f"and outputs rounded to nearest, mean over images, 95 % bootstrap intervals "
            f"({self.resamples} resamples, seed {self.seed}), equal images count "
            f"{PSNR_CEILING:g} dB"
        )


@dataclass(frozen=True)
class Sample:
    """A pair in memory, as methods and metrics see it."""

    name: str
    mixture: Image8
    transmission: Image8
    reflection: Image8 | None = None
    words: Descriptions = NO_WORDS
    peer: Layers | None = None


STATED = Protocol()
"""The protocol of every figure this project reports."""


Measures = Mapping[str, Callable[[Image, Image], float]]
"""Further measures of an output against the truth, by name, beside those of the protocol."""

NO_MEASURES: Measures = {}


@dataclass(frozen=True)
class Layers:
    """A method's answer: uint8 or [0, 1] encoded images of the mixture's size."""

    transmission: Image
    reflection: Image | None

    def saved(self) -> Layers:
        """Round both layers as an 8-bit file does."""
        reflection = None if self.reflection is None else to_8bit(to_unit(self.reflection))
        return Layers(to_8bit(to_unit(self.transmission)), reflection)


def load_sample(pair: Pair, protocol: Protocol) -> Sample:
    """Read a pair's files and bring them to the protocol's size.

    Raises `PhotoError` if a file is no photo, `DataError` if a layer is not of its mixture's size.
    """
    mixture = read_image(pair.mixture)
    shown = _shrink(mixture, protocol)

    def load(path: Path, *others: Image8) -> Image8:
        image = read_image(path)
        if image.shape not in (mixture.shape, *(other.shape for other in others)):
            raise DataError(f"{path}: {_size(image)} pixels, but its mixture has {_size(mixture)}")
        return _shrink(image, protocol)

    peer = None
    if pair.peer_transmission is not None:
        # Published outputs come at the photo's own size or at the one that is scored.
        reflection = pair.peer_reflection and load(pair.peer_reflection, shown)
        peer = Layers(load(pair.peer_transmission, shown), reflection)
    return Sample(
        name=pair.name,
        mixture=shown,
        transmission=load(pair.transmission),
        reflection=None if pair.reflection is None else load(pair.reflection),
        words=pair.words,
        peer=peer,
    )


def score(sample: Sample, layers: Layers, further: Measures = NO_MEASURES) -> dict[str, float]:
    """Score one answer: measures by name, those of a layer without ground truth left out.

    `transmission.…` and `reflection.…` carry psnr, ssim, colour_aligned_psnr, gradient_error and
    the `further` measures; `transmission.psnr_gain` is the PSNR above the untouched mixture's;
    `recomposition_error` is that of T + R against M.
    """
    saved = layers.saved()
    scores = _score_layer("transmission", saved.transmission, sample.transmission, further)
    untouched = finite_psnr(sample.mixture, sample.transmission)
    scores["transmission.psnr_gain"] = scores["transmission.psnr"] - untouched
    if saved.reflection is not None:
        if sample.reflection is not None:
            scores |= _score_layer("reflection", saved.reflection, sample.reflection, further)
        scores["recomposition_error"] = metrics.recomposition_error(
            saved.transmission, saved.reflection, sample.mixture
        )
    return scores


@dataclass(frozen=True)
class Figure:
    """A mean over images with its 95 % interval."""

    mean: float
    low: float
    high: float


def summarise(values: Sequence[float], protocol: Protocol) -> Figure:
    """Mean of one measure over images, with its percentile bootstrap interval."""
    samples = np.asarray(values, np.float64)
    rng = np.random.default_rng(protocol.seed)
    draws = rng.integers(0, len(samples), (protocol.resamples, len(samples)))
    low, high = np.percentile(samples[draws].mean(axis=1), [2.5, 97.5])
    return Figure(float(samples.mean()), float(low), float(high))


def _score_layer(layer: str, output: Image, truth: Image8, further: Measures) -> dict[str, float]:
    aligned = metrics.colour_aligned_psnr(output, truth)
    return {
        f"{layer}.psnr": finite_psnr(output, truth),
        f"{layer}.ssim": metrics.ssim(output, truth),
        f"{layer}.colour_aligned_psnr": min(aligned, PSNR_CEILING),
        f"{layer}.gradient_error": metrics.gradient_error(output, truth),
        **{f"{layer}.{name}": measure(output, truth) for name, measure in further.items()},
    }


def finite_psnr(output: Image, truth: Image) -> float:
    """Return the PSNR in dB, `PSNR_CEILING` where the images are equal."""
    return min(metrics.psnr(output, truth), PSNR_CEILING)


def _size(image: Image8) -> str:
    return f"{image.shape[1]}×{image.shape[0]}"


def _shrink(image: Image8, protocol: Protocol) -> Image8:
    height, width = image.shape[:2]
    scale = protocol.short_side / min(height, width)
    if scale >= 1:
        return image
    size = round(width * scale), round(height * scale)
    resized = PillowImage.fromarray(image).resize(size, PillowImage.Resampling.BICUBIC)
    return np.asarray(resized, np.uint8)
