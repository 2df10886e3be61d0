"""Photos from pictures that are in memory already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pellucid.errors import PhotoError
from pellucid.photo.photo import Photo
from pellucid.photo.raster import Raster, codes_from_floats, photo_from_raster, raster_from_image

_FORMATS = {None: "PNG", "MPO": "JPEG"}


def photo_from_image(image: Image.Image) -> Photo:
    """Turn a Pillow image of any mode into a Photo, upright, with its profile and metadata.

    Raises PhotoError for one that cannot be decoded, and for a file of 16-bit colour that Pillow
    is about to reduce to 8 bits: give such a file to :func:`read_photo` instead.
    """
    source = Path(str(getattr(image, "filename", "") or "")).name or "<image>"
    for tile in getattr(image, "tile", ()):
        if image.mode in {"RGB", "RGBA", "LA", "CMYK"} and ";16" in str(tile[3]):
            raise PhotoError(f"{source}: Pillow would reduce its 16 bits to 8; use read_photo")
    try:
        image.load()
        raster = raster_from_image(image, source)
    except PhotoError:
        raise
    except Exception as error:
        raise PhotoError(f"{source}: the image cannot be decoded ({error})") from error
    return photo_from_raster(raster, source, _FORMATS.get(image.format) or str(image.format))


def photo_from_array(array: NDArray[Any]) -> Photo:
    """Turn an array of sRGB-encoded values into a Photo.

    ``array`` is (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) with alpha last; uint8, uint16, or
    floating point in [0, 1] (kept with 16 bits). Raises PhotoError for anything else.
    """
    array = np.asarray(array)
    codes = array[..., None] if array.ndim == 2 else array
    if codes.ndim != 3 or codes.shape[2] not in (1, 3, 4) or codes.size == 0:
        raise PhotoError(
            f"<array>: shape {array.shape} is no picture; give (H, W) or (H, W, 1, 3 or 4)"
        )
    if np.issubdtype(codes.dtype, np.floating):
        codes = codes_from_floats(codes, "<array>")
    if codes.dtype not in (np.uint8, np.uint16):
        raise PhotoError(
            f"<array>: values of type {array.dtype} are not supported; "
            "give uint8, uint16 or floating point from 0 to 1"
        )
    return photo_from_raster(Raster(codes=np.array(codes)), "<array>", "PNG")
