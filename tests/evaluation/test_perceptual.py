import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from pellucid.evaluation import perceptual
from pellucid.evaluation.images import to_unit
from pellucid.evaluation.perceptual import PerceptualDistance

from .conftest import random_photo


@pytest.fixture(scope="module")
def distance() -> PerceptualDistance:
    return PerceptualDistance()


@pytest.fixture(scope="module")
def photo():
    shapes = to_unit(random_photo(1, 96, 128))
    grain = np.random.default_rng(0).normal(0, 0.05, shapes.shape)
    return np.clip(shapes + grain, 0, 1)


def test_equal_images_have_none_and_order_does_not_matter(distance, photo) -> None:
    other = to_unit(random_photo(2, 96, 128))
    assert distance(photo, photo) < 1e-5
    assert distance(photo, other) == pytest.approx(distance(other, photo), abs=1e-6)
    assert 0.05 < distance(photo, other) <= 2


def test_more_harm_is_further_away(distance, photo) -> None:
    image = Image.fromarray(np.uint8(photo * 255))
    blurred = [np.asarray(image.filter(ImageFilter.GaussianBlur(r))) for r in (0.5, 1, 3)]
    distances = [distance(one, photo) for one in blurred]
    assert distances == sorted(distances)
    assert distances[0] > 0.001


def test_a_change_of_brightness_is_less_than_another_scene(distance, photo) -> None:
    other = to_unit(random_photo(2, 96, 128))
    assert distance(photo * 0.9, photo) < 0.3 * distance(other, photo)


@pytest.mark.parametrize("size", [(1, 1), (11, 40), (33, 31), (64, 64)])
def test_any_size(distance, size) -> None:
    rng = np.random.default_rng(3)
    first, second = rng.random((2, *size, 3))
    assert 0 <= distance(first, second) <= 2
    with pytest.raises(ValueError, match="differ in size"):
        distance(first, np.zeros((size[0], size[1] + 1, 3)))


def test_it_is_the_mean_over_levels_and_places(distance, photo) -> None:
    other = to_unit(random_photo(2, 96, 128))
    levels = []
    for x, y in zip(distance._look(photo), distance._look(other), strict=True):
        a, b = (f[0].numpy().reshape(f.shape[1], -1).astype(np.float64) for f in (x, y))
        norms = np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0)
        levels.append(np.mean(1 - (a * b).sum(axis=0) / norms))
    assert len(levels) == 5
    assert distance(photo, other) == pytest.approx(np.mean(levels), abs=1e-4)


def test_nothing_else_of_the_evaluation_needs_the_extra() -> None:
    program = (
        "import sys, pellucid.cli.evaluate, pellucid.evaluation.study, pellucid.evaluation.report;"
        "sys.exit(bool({'torch', 'onnx'} & set(sys.modules)))"
    )
    source = str(Path(perceptual.__file__).parents[2])
    subprocess.run(
        [sys.executable, "-c", program], check=True, env=os.environ | {"PYTHONPATH": source}
    )
