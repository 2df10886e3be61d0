"""What a network achieves while it trains: on pairs from disk and on fixed mixtures.

A quick look, in torch, at the product's working resolution, and one way only: the product sees the
mirror image too (`SeparationModel.run`). The figures that are published come
from `pellucid evaluate` and the exported model.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pellucid.evaluation.metrics import psnr
from pellucid.evaluation.pairs import NO_WORDS, Descriptions, read_pairs_file
from pellucid.evaluation.protocol import Protocol, Sample, load_sample
from pellucid.network.light import to_encoded
from pellucid.network.recovery import Layers
from pellucid.network.separation import SeparationNetwork
from pellucid.training.batches import Batches
from pellucid.training.texts import describe

LOOKED_AT = Protocol(short_side=256)
"""How pairs are prepared: at the short side of the photos trained on."""


def read_samples(path: Path) -> list[Sample]:
    """Read the mixtures and transmissions of a pairs.jsonl, with their words.

    Raises:
        DataError: the list or a file of it is missing, or not what it should be.
        PhotoError: a file is no photo.
    """
    return [
        load_sample(replace(pair, reflection=None, peer_transmission=None), LOOKED_AT)
        for pair in read_pairs_file(path)
    ]


@torch.no_grad()
def separate(network: SeparationNetwork, mixture: NDArray[np.uint8], words: Descriptions) -> Layers:
    """Separate one image of any size; returns encoded layers of shape (1, 3, H, W) in [0, 1]."""
    height, width = mixture.shape[:2]
    image = torch.from_numpy(mixture.copy()).permute(2, 0, 1)[None].float() / 255.0
    padding = (0, -width % 32, 0, -height % 32)
    said = (describe([text or ""]) for text in (words.transmission, words.reflection))
    output = network(F.pad(image, padding, mode="reflect"), *said)
    return Layers(
        *(to_encoded(layer.clamp(0.0, 1.0))[..., :height, :width] for layer in output.layers)
    )


def score_samples(network: SeparationNetwork, samples: list[Sample], words: bool) -> float:
    """Return the mean PSNR in dB of the transmission, saved with 8 bits."""
    scores = []
    for sample in samples:
        said = sample.words if words else NO_WORDS
        output = separate(network, sample.mixture, said).transmission
        scores.append(psnr(to_image(output[0]), sample.transmission))
    return float(np.mean(scores))


@torch.no_grad()
def score_mixtures(network: SeparationNetwork, batches: Batches, count: int) -> dict[str, float]:
    """Return both layers' mean PSNR over fixed mixtures, by recipe, and the gate's accuracy."""
    names = [recipe.name for recipe in batches.config.synthesis.recipes]
    scores: dict[str, list[float]] = {}
    hits: list[float] = []
    for number in range(-(-count // batches.config.group)):
        group = batches.group(0, number)
        output = network(
            group.mixtures.mixture, group.transmission.description, group.reflection.description
        )
        truths = (group.mixtures.transmission, group.mixtures.reflection)
        for layer, out, truth in zip("TR", output.layers, truths, strict=True):
            for recipe, value in zip(group.mixtures.recipe, _psnr_each(out, truth), strict=True):
                scores.setdefault(f"{layer} {names[int(recipe)]}", []).append(float(value))
        for heard, told in (
            (output.transmission, group.transmission),
            (output.reflection, group.reflection),
        ):
            hits += (heard.gate[told.right] > 0.5).float().tolist()
            hits += (heard.gate[told.wrong] <= 0.5).float().tolist()
    means = {name: float(np.mean(values)) for name, values in sorted(scores.items())}
    return means | {"gate accuracy": float(np.mean(hits))}


def _psnr_each(
    output: Float[Tensor, "B 3 H W"], truth: Float[Tensor, "B 3 H W"]
) -> Float[Tensor, " B"]:
    error = to_encoded(output.clamp(0.0, 1.0)) - to_encoded(truth)
    return -10.0 * torch.log10(error.square().mean(dim=(1, 2, 3)).clamp(min=1e-6))


def to_image(encoded: Float[Tensor, "3 H W"]) -> NDArray[np.uint8]:
    """Return an (H, W, 3) image, rounded to 8 bits."""
    return (encoded * 255.0).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()


def sheet(network: SeparationNetwork, samples: list[Sample], height: int = 150) -> Image.Image:
    """Return a picture: mixture, transmission, reflection and truth of each sample, a row each."""
    rows = []
    for sample in samples:
        layers = separate(network, sample.mixture, sample.words)
        images = [sample.mixture, *(to_image(layer[0]) for layer in layers), sample.transmission]
        width = round(height * sample.mixture.shape[1] / sample.mixture.shape[0])
        small = [np.asarray(Image.fromarray(image).resize((width, height))) for image in images]
        rows.append(np.concatenate(small, axis=1))
    widest = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, 0), (0, widest - row.shape[1]), (0, 0))) for row in rows]
    return Image.fromarray(np.concatenate(padded))
