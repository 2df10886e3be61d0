"""What the page shows: a photo, its layers and its words' maps, small enough to send as JSON."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image
from pydantic import BaseModel, Field

from pellucid.photo import Photo, photo_from_image
from pellucid.separation import Separation, WordMap

LONGEST_SIDE = 1280
"""Pixels of a preview's longer side."""

IGNORED, FOLLOWED = 0.2, 0.6
"""Language gates up to the first count as shut, from the second as open."""


class ShownWord(BaseModel):
    """Where one word acted."""

    word: str = Field(examples=["lamp"])
    weight: float = Field(description="Mean over the photo of what the network gave this word.")
    map: str = Field(description="PNG as a data URI, white, as opaque as the word acted there.")


class ShownDescription(BaseModel):
    """What became of one description."""

    gate: float = Field(description="0 = not followed at all, 1 = wholly.", examples=[0.87])
    verdict: str = Field(examples=["This description was followed."])
    words: list[ShownWord]


class Preview(BaseModel):
    """A separation at preview size; pictures are data URIs."""

    size: tuple[int, int] = Field(description="Of the photo itself.", examples=[(4032, 3024)])
    photo: str
    transmission: str
    reflection: str
    about_transmission: ShownDescription | None
    about_reflection: ShownDescription | None
    notes: list[str]


def reduced(photo: Photo) -> Photo:
    """Return the photo at preview size, in sRGB, without its metadata."""
    image = photo.image()
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    return photo_from_image(image)


def preview_of(separation: Separation, size: tuple[int, int], notes: tuple[str, ...]) -> Preview:
    """Describe the separation of a reduced photo of this original size."""
    gates, maps = separation.gates, separation.word_maps
    return Preview(
        size=size,
        photo=_picture(separation.source.image()),
        transmission=_picture(separation.image("transmission")),
        reflection=_picture(separation.image("reflection")),
        about_transmission=_description(gates.transmission, maps.transmission),
        about_reflection=_description(gates.reflection, maps.reflection),
        notes=list(dict.fromkeys(notes)),
    )


def verdict(gate: float) -> str:
    """Say in plain words how far a description was followed."""
    if gate <= IGNORED:
        return "This description was ignored: nothing in the photo seemed to fit it."
    if gate < FOLLOWED:
        return "This description was followed in part."
    return "This description was followed."


def _description(gate: float | None, maps: tuple[WordMap, ...]) -> ShownDescription | None:
    if gate is None:
        return None
    strongest = max((float(word.weight.max()) for word in maps), default=0.0)
    return ShownDescription(
        gate=round(gate, 4),
        verdict=verdict(gate),
        words=[_word(word, strongest) for word in maps],
    )


def _word(word: WordMap, strongest: float) -> ShownWord:
    """Scale a word's map by the description's strongest place, so that words can be compared."""
    share = np.clip(word.weight / max(strongest, 1e-12), 0.0, 1.0)
    opacity = Image.fromarray(np.round(255 * share).astype(np.uint8))
    white = Image.new("L", opacity.size, 255)
    return ShownWord(
        word=word.word,
        weight=round(float(word.weight.mean()), 6),
        map=_data_uri(Image.merge("LA", (white, opacity)), "PNG"),
    )


def _picture(image: Image.Image) -> str:
    return _data_uri(image, "PNG") if image.mode == "RGBA" else _data_uri(image, "JPEG")


def _data_uri(image: Image.Image, format: str) -> str:
    encoded = io.BytesIO()
    image.save(encoded, format, **({"quality": 92} if format == "JPEG" else {}))
    text = base64.b64encode(encoded.getvalue()).decode("ascii")
    return f"data:image/{format.lower()};base64,{text}"
