"""What reflections do to the contrast of the detail behind them, on real pairs and on mixtures.

    python scripts/detail_gain.py PAIRS.jsonl PHOTOS OUT.json --cache FOLDER

In each 16×16 place of a photo whose transmission has detail, the gain is the slope of the mixture's
detail on the transmission's, in linear light, relative to the gain where the photo has least
reflection. In a plain sum of light it is 1 everywhere; a camera's tone curve raises it in dark
tones and lowers it in bright ones (`pellucid.synthesis.tone`). Needs the extra `train`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.filters import gaussian
from torch import Generator

from pellucid.evaluation.images import to_light
from pellucid.evaluation.pairs import read_pairs_file
from pellucid.evaluation.protocol import Protocol, load_sample
from pellucid.evaluation.results import write_json
from pellucid.network.light import to_light as tensor_to_light
from pellucid.synthesis.mixture import draw_recipes, synthesise
from pellucid.synthesis.recipes import SHARP, SOFT, SynthesisConfig
from pellucid.training.photos import PhotoStore

SIDE = 16
"""Of a place, in pixels."""
DETAIL_SIGMA = 3.0
LEAST_DETAIL = 0.01
LEAST_PLACES = 10
"""Of a photo that counts."""
TONES = (0.0, 0.03, 0.08, 0.2, 0.5)
"""Light of the transmission, white = 1."""
RATIOS = (1.0, 1.25, 1.6, 2.5, 4.0, 100.0)
"""Light of the mixture over that of the transmission."""

Plane = NDArray[np.floating]
Places = NDArray[np.floating]
"""(N, 3): light of the transmission, ratio of lights, gain."""


def places(mixture: Plane, transmission: Plane) -> Places:
    """Measure every place of a photo that has enough detail; gains as they are."""
    blurred = [gaussian(plane, DETAIL_SIGMA, mode="reflect") for plane in (mixture, transmission)]
    detail = [plane - low for plane, low in zip((mixture, transmission), blurred, strict=True)]
    light, behind, above, below = (_tiles(plane) for plane in (*blurred, *detail))
    power = (below**2).mean(axis=1)
    rough = power > LEAST_DETAIL**2
    behind_light = np.maximum(behind[rough].mean(axis=1), 1e-4)
    slope = (above * below)[rough].mean(axis=1) / power[rough]
    return np.stack([behind_light, light[rough].mean(axis=1) / behind_light, slope], axis=1)


def _tiles(plane: Plane) -> Plane:
    rows, columns = (side // SIDE for side in plane.shape)
    whole = plane[: rows * SIDE, : columns * SIDE]
    return whole.reshape(rows, SIDE, columns, SIDE).swapaxes(1, 2).reshape(rows * columns, -1)


def relative(photo: Places) -> Places:
    """Divide the gains by that of the three tenths of the places with least reflection."""
    least = photo[:, 1] <= np.quantile(photo[:, 1], 0.3)
    return photo / [1.0, 1.0, np.median(photo[least, 2])]


def table(photos: Iterable[tuple[Plane, Plane]]) -> list[dict[str, object]]:
    """Return the median gain for each tone and ratio, with the number of places."""
    measured = [places(*photo) for photo in photos]
    every = np.concatenate([relative(each) for each in measured if len(each) >= LEAST_PLACES])
    rows: list[dict[str, object]] = []
    for tone, brighter in pairwise(TONES):
        for ratio, higher in pairwise(RATIOS):
            inside = (every[:, 0] >= tone) & (every[:, 0] < brighter)
            gains = every[inside & (every[:, 1] >= ratio) & (every[:, 1] < higher), 2]
            if len(gains) >= LEAST_PLACES:
                gain = round(float(np.median(gains)), 3)
                rows.append({"tone": tone, "ratio": ratio, "gain": gain, "places": len(gains)})
    return rows


def real_photos(pairs: Path) -> Iterator[tuple[Plane, Plane]]:
    for pair in read_pairs_file(pairs):
        sample = load_sample(pair, Protocol())
        yield to_light(sample.mixture).mean(axis=2), to_light(sample.transmission).mean(axis=2)


def mixtures(store: PhotoStore, toned: float, count: int = 64) -> Iterator[tuple[Plane, Plane]]:
    """Mix validation photos by the recipes of soft and of sharp reflections."""
    crops = np.stack([store.crop(index, (1.0, 0.5, 0.5), 224) for index in range(count)])
    photos = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
    recipes = tuple(replace(recipe, toned=toned) for recipe in (SOFT, SHARP))
    config = SynthesisConfig(recipes=recipes, soft=0.0, noise=0.0, jpeg=0.0)
    generator = Generator().manual_seed(0)
    drawn = draw_recipes(config, count, generator)
    made = synthesise(photos, photos.roll(count // 2, 0), drawn, config, generator)
    for mixture, transmission in zip(made.mixture, made.transmission, strict=True):
        yield tensor_to_light(mixture).mean(dim=0).numpy(), transmission.mean(dim=0).numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("pairs", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--cache", type=Path, required=True, help="where photos are kept decoded")
    given = parser.parse_args()
    store = PhotoStore(given.photos, "val", given.cache)
    kinds = {
        given.pairs.parent.name: table(real_photos(given.pairs)),
        "mixtures, plain sum": table(mixtures(store, 0.0)),
        "mixtures, tone curves": table(mixtures(store, SHARP.toned)),
    }
    write_json(given.out, kinds)
    for name, rows in kinds.items():
        print(name)
        for row in rows:
            print("  T {tone:4}  M/T {ratio:4}  gain {gain:.2f}  ({places} places)".format(**row))


if __name__ == "__main__":
    main()
