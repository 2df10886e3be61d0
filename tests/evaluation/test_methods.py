import dataclasses

import numpy as np
import pytest

from pellucid.errors import DataError
from pellucid.evaluation.methods import (
    YARDSTICKS,
    colour_oracle,
    left_over,
    peer,
    separator_method,
    untouched,
)
from pellucid.evaluation.protocol import Layers, Sample, score


def test_untouched_gains_nothing(sample: Sample) -> None:
    scores = score(sample, untouched(sample))
    assert scores["transmission.psnr_gain"] == 0
    assert scores["recomposition_error"] == 0


def test_the_oracle_is_never_behind_the_input(sample: Sample) -> None:
    scores = score(sample, colour_oracle(sample))
    assert scores["transmission.psnr_gain"] > 0
    assert scores["transmission.psnr"] == pytest.approx(
        score(sample, untouched(sample))["transmission.colour_aligned_psnr"], abs=0.2
    )
    unknown = dataclasses.replace(sample, reflection=None)
    assert colour_oracle(unknown).reflection is not None


def test_peer_is_what_was_published(sample: Sample) -> None:
    published = Layers(sample.mixture, None)
    assert peer(dataclasses.replace(sample, peer=published)) is published
    with pytest.raises(DataError, match="photo-0"):
        peer(sample)


def test_left_over_light_recomposes(sample: Sample) -> None:
    layers = Layers(sample.transmission, left_over(sample.mixture, sample.transmission))
    assert score(sample, layers)["recomposition_error"] < 0.002


def test_every_yardstick_answers_at_the_mixtures_size(sample: Sample) -> None:
    given = dataclasses.replace(sample, peer=Layers(sample.mixture, sample.mixture))
    for name, measure in YARDSTICKS.items():
        layers = measure(given)
        assert layers.transmission.shape == sample.mixture.shape, name
        assert layers.reflection is not None, name


class FixedSeparator:
    """Stands in for the separator: gives light, as the real one does."""

    def separate(self, image, *, transmission, reflection):
        self.words = (transmission, reflection)
        light = np.full(image.shape, 0.5, np.float32)
        return Layers(light, light * 3)


def test_the_separators_light_is_encoded() -> None:
    separator = FixedSeparator()
    method = separator_method(separator)  # type: ignore[arg-type]
    transmission, reflection = method(np.zeros((4, 5, 3), np.uint8), "a", None)
    assert separator.words == ("a", None)
    np.testing.assert_allclose(transmission, 0.7354, atol=1e-4)
    np.testing.assert_allclose(reflection, 1)
