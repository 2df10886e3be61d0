"""Write baseline TIFF of 8 or 16 bits a channel (TIFF 6.0), with the photo's EXIF as its own tags.

Pillow writes no 16-bit colour. But an EXIF block is a TIFF directory without a picture: Pillow
serialises it, sub-directories and all, and the strips follow it.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_STRIP_BYTES = 1 << 20
_DEFLATE = 8
_COMPRESSION = 6
_GREY, _RGB = 1, 2
_UNASSOCIATED_ALPHA = 2
_INCH = 2


def encode(
    codes: NDArray[np.unsignedinteger],
    exif: Image.Exif,
    *,
    icc: bytes | None = None,
    xmp: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> bytes:
    """Encode (H, W, channels), 1 to 4 channels, as a TIFF; ``exif`` gains the picture's tags."""
    height, width, channels = codes.shape
    rows = max(1, _STRIP_BYTES // (width * channels * codes.itemsize))
    strips = [_strip(codes[start : start + rows]) for start in range(0, height, rows)]
    sizes = [len(strip) for strip in strips]
    tags = {
        256: width,
        257: height,
        258: (codes.itemsize * 8,) * channels,
        259: _DEFLATE,
        262: _RGB if channels >= 3 else _GREY,
        273: tuple(int(at) for at in np.cumsum([0, *sizes[:-1]])),  # Pillow adds its own length
        277: channels,
        278: rows,
        279: tuple(sizes),
        284: 1,  # samples of a pixel side by side
        317: 2,  # differences between neighbours
    }
    if channels in (2, 4):
        tags[338] = _UNASSOCIATED_ALPHA
    if dpi:
        tags |= {282: dpi[0], 283: dpi[1], 296: _INCH}
    if xmp:
        tags[700] = xmp
    if icc:
        tags[34675] = icc
    for tag, value in tags.items():
        exif[tag] = value
    exif.endian = "<"
    directory = exif.tobytes().removeprefix(b"Exif\0\0")
    return directory + b"".join(strips)


def _strip(codes: NDArray[np.unsignedinteger]) -> bytes:
    differences = codes.copy()
    differences[:, 1:] -= codes[:, :-1]
    little = differences.astype(differences.dtype.newbyteorder("<"), copy=False)
    return zlib.compress(little.tobytes(), _COMPRESSION)
