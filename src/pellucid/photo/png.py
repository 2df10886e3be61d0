"""PNG with 16 bits a channel, which Pillow reads as 8 (PNG specification, third edition).

Filters are undone along diagonals: a pixel needs its left, upper and upper-left neighbour, so all
pixels of one diagonal can be done at once, whatever the filters of their rows.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Codes = NDArray[np.uint16]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # by colour type
_COLOUR_TYPE = {count: kind for kind, count in _CHANNELS.items()}
_ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
_BAND = 256
_COMPRESSION = 2


def chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield (type, content) of every chunk up to IEND; ValueError if one is cut or damaged."""
    view, at = memoryview(data), len(SIGNATURE)
    while True:
        head = view[at : at + 8]
        if len(head) < 8:
            raise ValueError("the PNG is cut short")
        length, kind = struct.unpack(">I4s", head)
        content, crc = view[at + 8 : at + 8 + length], view[at + 8 + length : at + 12 + length]
        if len(crc) < 4:
            raise ValueError("the PNG is cut short")
        if zlib.crc32(view[at + 4 : at + 8 + length]) != int.from_bytes(crc, "big"):
            raise ValueError(f"the checksum of its {kind.decode('latin-1')} chunk is wrong")
        yield kind, content
        if kind == b"IEND":
            return
        at += 12 + length


def is_16_bit(data: bytes) -> bool:
    """Whether a PNG has 16 bits a channel."""
    return data[24:25] == b"\x10"


def decode(data: bytes) -> Codes:
    """Decode a 16-bit PNG to (H, W, channels): grey, grey + alpha, RGB or RGBA.

    A colour marked as transparent (tRNS) becomes an alpha channel. Raises ValueError.
    """
    parts = list(chunks(data))
    header = next((bytes(content) for kind, content in parts if kind == b"IHDR"), b"")
    width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if depth != 16 or kind not in _CHANNELS or not width or not height:
        raise ValueError("its header is not that of a 16-bit PNG")
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    sizes = [(-(-(height - y) // dy), -(-(width - x) // dx)) for x, y, dx, dy in passes]
    sizes = [(rows, columns) if columns > 0 else (0, 0) for rows, columns in sizes]
    pixel = 2 * _CHANNELS[kind]
    total = sum(rows * (1 + columns * pixel) for rows, columns in sizes)
    raw = _inflate((content for name, content in parts if name == b"IDAT"), total)
    codes = np.empty((height, width, _CHANNELS[kind]), np.uint16)
    at = 0
    for (x, y, dx, dy), (rows, columns) in zip(passes, sizes, strict=True):
        end = at + rows * (1 + columns * pixel)
        if rows and columns:
            lines = raw[at:end].reshape(rows, 1 + columns * pixel)
            codes[y::dy, x::dx] = _unfilter(lines, pixel).view(">u2")
        at = end
    key = next((bytes(content) for name, content in parts if name == b"tRNS"), None)
    return codes if key is None or kind not in (0, 2) else _with_alpha(codes, key)


def _inflate(pieces: Iterator[memoryview], total: int) -> Bytes:
    unpacker = zlib.decompressobj()
    packed = b"".join(pieces)
    raw = unpacker.decompress(packed, total)
    if len(raw) < total or unpacker.decompress(unpacker.unconsumed_tail, 1):
        raise ValueError("its pixel data has the wrong length")
    return np.frombuffer(raw, np.uint8)


def _with_alpha(codes: Codes, key: bytes) -> Codes:
    clear = (codes == np.frombuffer(key, ">u2")).all(axis=-1, keepdims=True)
    return np.concatenate([codes, np.where(clear, np.uint16(0), np.uint16(65535))], axis=-1)


def _unfilter(lines: Bytes, pixel: int) -> Bytes:
    """Undo the filters of (rows, 1 + columns · pixel) and return (rows, columns, pixel)."""
    filters, rows = lines[:, 0], lines[:, 1:].reshape(len(lines), -1, pixel)
    if filters.max() > 4:
        raise ValueError("it uses an unknown filter")
    out = np.empty(rows.shape, np.uint8)
    above = np.zeros(rows.shape[1:], np.uint8)
    for start in range(0, len(rows), _BAND):
        band = slice(start, start + _BAND)
        out[band] = _unfilter_band(rows[band], filters[band], above)
        above = out[band][-1]
    return out


def _unfilter_band(rows: Bytes, filters: Bytes, above: Bytes) -> Bytes:
    count, columns, pixel = rows.shape
    # Row r moves right by r, so that a diagonal of the picture is one line of `skewed`, and
    # column 0 is the row above. Two empty lines in front serve as the left edge.
    skewed = np.zeros((columns + count + 2, count + 1, pixel), np.int16)
    skewed[1 : columns + 1, 0] = above
    for row in range(count):
        skewed[row + 2 : row + 2 + columns, row + 1] = rows[row]
    kinds = filters[:, None]
    for line in range(2, columns + count + 1):
        left, up, corner = skewed[line - 1, 1:], skewed[line - 1, :-1], skewed[line - 2, :-1]
        skewed[line, 1:] += _predict(kinds, left, up, corner)
        skewed[line, 1:] &= 255
    out = np.empty(rows.shape, np.uint8)
    for row in range(count):
        out[row] = skewed[row + 2 : row + 2 + columns, row + 1]
    return out


def _predict(kinds: Bytes, left: NDArray, up: NDArray, corner: NDArray) -> NDArray:
    guess = _paeth(left, up, corner)
    if (kinds != 4).any():
        guess = np.where(kinds == 3, (left + up) >> 1, guess)
        guess = np.where(kinds == 2, up, guess)
        guess = np.where(kinds == 1, left, guess)
        guess = np.where(kinds == 0, 0, guess)
    return guess


def _paeth(left: NDArray, up: NDArray, corner: NDArray) -> NDArray:
    across, down = up - corner, left - corner
    near_left, near_up, near_corner = np.abs(across), np.abs(down), np.abs(across + down)
    rest = np.where(near_up <= near_corner, up, corner)
    return np.where((near_left <= near_up) & (near_left <= near_corner), left, rest)


def encode(codes: Codes, extra: list[tuple[bytes, bytes]]) -> bytes:
    """Encode (H, W, channels) as a 16-bit PNG with ``extra`` chunks ahead of the pixels."""
    height, width, channels = codes.shape
    header = struct.pack(">IIBBBBB", width, height, 16, _COLOUR_TYPE[channels], 0, 0, 0)
    body = [(b"IHDR", header), *extra, (b"IDAT", _deflate(codes)), (b"IEND", b"")]
    return SIGNATURE + b"".join(_chunk(kind, content) for kind, content in body)


def _chunk(kind: bytes, content: bytes) -> bytes:
    crc = zlib.crc32(content, zlib.crc32(kind))
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)


def _deflate(codes: Codes) -> bytes:
    """Filter every row with Paeth's predictor and compress."""
    height, width, channels = codes.shape
    packer = zlib.compressobj(_COMPRESSION, strategy=zlib.Z_FILTERED)
    packed = []
    above = np.zeros((1, width, 2 * channels), np.uint8)
    for start in range(0, height, 64):
        band = np.ascontiguousarray(codes[start : start + 64], dtype=">u2").view(np.uint8)
        padded = np.zeros((len(band) + 1, width + 1, 2 * channels), np.int16)
        padded[:, 1:] = np.concatenate([above, band])
        here, left = padded[1:, 1:], padded[1:, :-1]
        up, corner = padded[:-1, 1:], padded[:-1, :-1]
        rows = (here - _paeth(left, up, corner)).astype(np.uint8).reshape(len(band), -1)
        packed.append(packer.compress(np.insert(rows, 0, 4, axis=1).tobytes()))
        above = band[-1:]
    return b"".join(packed) + packer.flush()


def metadata_chunks(
    *,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    icc_profile: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> list[tuple[bytes, bytes]]:
    """Return the chunks that carry a photo's metadata and profile."""
    found = []
    if icc_profile:
        found.append((b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc_profile)))
    if dpi:
        across, down = (round(value / 0.0254) for value in dpi)
        found.append((b"pHYs", struct.pack(">IIB", across, down, 1)))
    if exif:
        found.append((b"eXIf", exif.removeprefix(b"Exif\0\0")))
    if xmp:
        found.append((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp))
    return found
