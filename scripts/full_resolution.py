"""What the way to full size costs in quality, on pairs with ground truth.

    python scripts/full_resolution.py PAIRS RESULT

PAIRS is a set that `pellucid evaluate` reads, of photos larger than the working resolution; RESULT
is the file to write, results/benchmark/full-resolution.json. For every photo: PSNR of the
transmission, encoded, against the truth averaged to the working size, of what the network gives
there and of the full-size layer averaged down to it; and the lowest PSNR between full-size layers
worked on in bands of 256, 512 and 1024 rows.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np

from pellucid import bands
from pellucid.evaluation.images import from_light, read_image, to_light
from pellucid.evaluation.layouts import read_pairs
from pellucid.evaluation.metrics import psnr
from pellucid.evaluation.pairs import Pair
from pellucid.files import appearing_whole
from pellucid.resolution import area_downscale
from pellucid.separation import Separation
from pellucid.separator import Separator

HEIGHTS = (256, 512, 1024)
MOST = 200.0
"""dB that stand for equal pictures."""


def shrunk(light: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    height, width = light.shape[:2]
    return area_downscale(lambda start, stop: light[start:stop], (width, height), size)


def in_bands(separation: Separation, rows: int) -> np.ndarray:
    bands.BAND_PIXELS = rows * separation.source.size[0]
    return from_light(replace(separation).transmission)  # of a copy, which has not kept it


def compare(separator: Separator, pair: Pair) -> dict[str, object]:
    mixture = read_image(pair.mixture)
    separation = separator.separate(
        mixture, transmission=pair.words.transmission, reflection=pair.words.reflection
    )
    size = separation.working.size
    truth = from_light(shrunk(to_light(read_image(pair.transmission)), size))
    tiles = [in_bands(separation, rows) for rows in HEIGHTS]
    return {
        "image": pair.name,
        "size": list(separation.source.size),
        "working_psnr": round(psnr(from_light(separation.working.transmission), truth), 3),
        "full_psnr": round(psnr(from_light(shrunk(separation.transmission, size)), truth), 3),
        "tiles_psnr": round(min(min(psnr(*two), MOST) for two in combinations(tiles, 2)), 1),
    }


def main() -> None:
    separator = Separator.load()
    photos = [compare(separator, pair) for pair in read_pairs(Path(sys.argv[1]))]
    document = {"weights_id": separator.model.info.weights_id, "photos": photos}
    for photo in photos:
        print(photo)
    with appearing_whole(Path(sys.argv[2])) as partial:
        partial.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
