"""What is scored: separators, and the yardsticks to hold them against.

A separator sees a mixture and words, nothing else. A yardstick may see the whole sample: the
oracle fit and the published outputs of a peer need it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pellucid.errors import DataError
from pellucid.evaluation.images import Image, Image8, from_light, to_light
from pellucid.evaluation.metrics import fit_colour
from pellucid.evaluation.protocol import Layers, Sample
from pellucid.evaluation.yang2019 import suppress_reflection

if TYPE_CHECKING:
    from pellucid.separator import Separator


class Method(Protocol):
    """A separator: (H, W, 3) uint8 mixture and words to (T, R), uint8 or [0, 1] encoded."""

    def __call__(
        self, mixture: Image8, transmission_text: str | None, reflection_text: str | None
    ) -> tuple[Image, Image]:
        """Separate one mixture."""
        ...


Yardstick = Callable[[Sample], Layers]


def separator_method(separator: Separator) -> Method:
    """Put the shipped model behind the `Method` protocol."""

    def separate(
        mixture: Image8, transmission_text: str | None, reflection_text: str | None
    ) -> tuple[Image, Image]:
        layers = separator.separate(
            mixture, transmission=transmission_text, reflection=reflection_text
        )
        return from_light(layers.transmission), from_light(layers.reflection)

    return separate


def untouched(sample: Sample) -> Layers:
    """Do nothing: all light is transmission."""
    return Layers(sample.mixture, np.zeros_like(sample.mixture))


def colour_oracle(sample: Sample) -> Layers:
    """Fit the mixture's channels to the true layers: the best that colour alone can do."""
    transmission = np.clip(fit_colour(sample.mixture, sample.transmission), 0.0, 1.0)
    if sample.reflection is None:
        return Layers(transmission, left_over(sample.mixture, transmission))
    return Layers(transmission, np.clip(fit_colour(sample.mixture, sample.reflection), 0.0, 1.0))


def yang2019(sample: Sample) -> Layers:
    """Suppress the reflection without training; what is taken away is the reflection."""
    transmission = suppress_reflection(sample.mixture)
    return Layers(transmission, left_over(sample.mixture, transmission))


def peer(sample: Sample) -> Layers:
    """Return another method's published outputs for this photo, named in the list of pairs."""
    if sample.peer is None:
        raise DataError(f"{sample.name}: the list of pairs names no peer's output for this photo")
    return sample.peer


def left_over(mixture: Image, transmission: Image) -> Image:
    """Return the encoded image of M − T in light, black where T is brighter than M."""
    return from_light(to_light(mixture) - to_light(transmission))


YARDSTICKS: dict[str, Yardstick] = {
    "untouched": untouched,
    "colour-oracle": colour_oracle,
    "yang2019": yang2019,
    "peer": peer,
}
