"""Separate a photo taken through glass into its two layers: load once, call often.

separator = Separator.load()
separation = separator.separate("window.jpg", transmission="a room with a lamp")
write_photo(separation.photo("transmission"), Path("room.jpg"))
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pellucid.bands import usable_threads
from pellucid.errors import DescriptionError
from pellucid.model import MAP_STRIDE, Device, ModelOutput, SeparationModel
from pellucid.photo import Photo, photo_from_array, photo_from_image, read_photo
from pellucid.photo.colour import linear_to_srgb
from pellucid.resolution import WorkingResolution, area_downscale
from pellucid.separation import Gates, Separation, WordMap, WordMaps
from pellucid.text import Description, TextEncoder, word_table
from pellucid.upscaling import WorkingLayers

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

__all__ = ["Gates", "Separation", "Separator", "WordMap", "WordMaps"]


@dataclass(frozen=True, eq=False)
class Separator:
    """A loaded model with its text encoder; `separate` may be called from several threads."""

    model: SeparationModel
    encoder: TextEncoder
    resolution: WorkingResolution = field(default_factory=WorkingResolution)
    threads: int = field(default_factory=usable_threads)
    """Threads that share the work at the photo's own size; the model has its own."""

    @classmethod
    def load(
        cls, weights: Path | None = None, threads: int | None = None, device: Device = "cpu"
    ) -> Separator:
        """Load the shipped model, or an ONNX file that this project exported.

        Args:
            weights: the ONNX file; None is the shipped one.
            threads: processor threads of one call; by default all this process may use, 8 at most.
            device: where the network runs; "cuda" needs the package onnxruntime-gpu.

        Raises:
            WeightsError: the weights are missing, damaged, or of another model.
            ConfigError: onnxruntime cannot use the device.
        """
        threads = threads or usable_threads()
        model = SeparationModel.load(weights, threads, device)
        return cls(model, word_table(), threads=threads)

    def separate(
        self,
        image: str | Path | bytes | Image.Image | NDArray[np.generic] | Photo,
        *,
        transmission: str | None = None,
        reflection: str | None = None,
    ) -> Separation:
        """Split a photo into what is behind the glass and what is mirrored in it.

        Args:
            image: a file name, an encoded file's bytes, a Pillow image, an array (H, W),
                (H, W, 1 | 3 | 4) of uint8, uint16 or float in [0, 1], sRGB-encoded, or a `Photo`.
            transmission: words for what is behind the glass; None or blank = not described.
            reflection: words for what is mirrored; None or blank = not described.

        Raises:
            PhotoError: the photo cannot be read.
            DescriptionError: a description cannot be used.
            WeightsError: the word table is missing, or the weights gave no finite values.
        """
        described = {
            "transmission": self._describe("transmission", transmission),
            "reflection": self._describe("reflection", reflection),
        }
        photo = open_photo(image)
        mixture = self._working_mixture(photo)
        output = self.model.run(
            self.resolution.pad(linear_to_srgb(np.clip(mixture, 0, 1))),
            described["transmission"],
            described["reflection"],
        )
        return Separation(
            source=photo,
            working=_working_layers(mixture, output),
            gates=_gates(output, **described),
            word_maps=_word_maps(output, mixture.shape[:2], **described),
            notes=tuple(_notes(described)),
            threads=self.threads,
        )

    def _describe(self, layer: str, text: str | None) -> Description:
        try:
            return self.encoder.encode(text)
        except DescriptionError as error:
            raise DescriptionError(f"{layer}: {error}") from error

    def _working_mixture(self, photo: Photo) -> NDArray[np.float32]:
        target = self.resolution.fit(photo.size)
        if target == photo.size:
            return photo.light()
        return area_downscale(
            lambda start, stop: photo.rows(start, stop).light(), photo.size, target, self.threads
        )


def open_photo(image: str | Path | bytes | Image.Image | NDArray[np.generic] | Photo) -> Photo:
    """Return any accepted kind of image as a `Photo`.

    Raises:
        PhotoError: the image cannot be read.
    """
    if isinstance(image, Photo):
        return image
    if isinstance(image, (str, Path, bytes)):
        return read_photo(image)
    if isinstance(image, np.ndarray):
        return photo_from_array(image)
    return photo_from_image(image)


def _working_layers(mixture: NDArray[np.float32], output: ModelOutput) -> WorkingLayers:
    """Crop the padding off and keep the layers within what light can be.

    Light that the model cannot be shown, of colours outside sRGB, stays with the transmission.
    """
    height, width = mixture.shape[:2]
    lowest, highest = np.minimum(mixture, 0), np.maximum(mixture, 1)
    unseen = np.subtract(mixture, np.clip(mixture, 0, 1), dtype=np.float32)
    return WorkingLayers(
        mixture,
        np.clip(output.transmission[:height, :width] + unseen, lowest, highest),
        np.clip(output.reflection[:height, :width], lowest, highest),
    )


def _gates(output: ModelOutput, transmission: Description, reflection: Description) -> Gates:
    first, second = (float(gate) for gate in output.gates)
    return Gates(first if transmission else None, second if reflection else None)


def _word_maps(
    output: ModelOutput,
    size: tuple[int, ...],
    transmission: Description,
    reflection: Description,
) -> WordMaps:
    rows, columns = (-(-side // MAP_STRIDE) for side in size)

    def merge(description: Description, maps: NDArray[np.float32]) -> tuple[WordMap, ...]:
        maps = maps[:, :rows, :columns]
        return tuple(
            WordMap(word, maps[start:stop].sum(axis=0))
            for word, (start, stop) in zip(description.words, description.spans, strict=True)
        )

    return WordMaps(
        merge(transmission, output.transmission_map), merge(reflection, output.reflection_map)
    )


def _notes(described: dict[str, Description]) -> list[str]:
    return [
        f"the description of the {layer} is long: only its first words were used, "
        f"up to '{description.words[-1]}'"
        for layer, description in described.items()
        if description.cut
    ]
