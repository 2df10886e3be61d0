import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pellucid.photo import png

from . import samples


def plain_filter(codes, kinds):
    """Filter rows one byte at a time: the reference for the codec."""
    height, width, channels = codes.shape
    rows = codes.astype(">u2").tobytes()
    length, step = width * channels * 2, channels * 2
    out, above = b"", bytes(length)
    for y in range(height):
        row, kind = rows[y * length : (y + 1) * length], kinds[y % len(kinds)]
        line = bytearray([kind])
        for i in range(length):
            left = row[i - step] if i >= step else 0
            corner = above[i - step] if i >= step else 0
            up = above[i]
            near = min(
                (abs(up - corner), 0, left),
                (abs(left - corner), 1, up),
                (abs(left + up - 2 * corner), 2, corner),
            )
            guess = [0, left, up, (left + up) // 2, near[2]][kind]
            line.append((row[i] - guess) % 256)
        out, above = out + bytes(line), row
    return out


def png_of(raw, width, height, kind, *, interlace=0, extra=b""):
    head = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, interlace)

    def chunk(name, content):
        return (
            struct.pack(">I", len(content))
            + name
            + content
            + struct.pack(">I", zlib.crc32(name + content))
        )

    return (
        png.SIGNATURE
        + chunk(b"IHDR", head)
        + extra
        + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )


@settings(max_examples=40)
@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.sampled_from([1, 2, 3, 4]),
    st.lists(st.integers(0, 4), min_size=1, max_size=6),
    st.integers(0, 1000),
)
def test_decode_agrees_with_the_plain_filters(height, width, channels, kinds, seed):
    codes = samples.codes(height, width, channels, np.uint16, seed)
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    data = png_of(plain_filter(codes, kinds), width, height, kind)
    np.testing.assert_array_equal(png.decode(data), codes)


@settings(max_examples=20)
@given(st.integers(1, 150), st.integers(1, 30), st.sampled_from([1, 2, 3, 4]), st.integers(0, 99))
def test_round_trip(height, width, channels, seed):
    codes = samples.codes(height, width, channels, np.uint16, seed)
    np.testing.assert_array_equal(png.decode(png.encode(codes, [])), codes)


def test_more_rows_than_a_band():
    codes = samples.codes(1100, 3, 3, np.uint16)
    np.testing.assert_array_equal(png.decode(png.encode(codes, [])), codes)


def test_pillow_reads_what_is_written():
    grey = samples.codes(20, 30, 1, np.uint16)
    np.testing.assert_array_equal(Image.open(io.BytesIO(png.encode(grey, []))), grey[..., 0])
    colour = samples.codes(20, 30, 4, np.uint16)
    image = np.asarray(Image.open(io.BytesIO(png.encode(colour, []))))
    np.testing.assert_array_equal(image, colour >> 8)


def test_what_pillow_writes_is_read():
    grey = samples.codes(20, 30, 1, np.uint16)
    data = samples.image_bytes(Image.fromarray(grey[..., 0]), "PNG")
    assert png.is_16_bit(data)
    np.testing.assert_array_equal(png.decode(data), grey)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 5), (9, 20)])
def test_interlaced(size):
    codes = samples.codes(*size, 3, np.uint16)
    raw = b""
    for x, y, dx, dy in png._ADAM7:
        part = codes[y::dy, x::dx]
        raw += plain_filter(part, [4, 3]) if part.size else b""
    np.testing.assert_array_equal(png.decode(png_of(raw, size[1], size[0], 2, interlace=1)), codes)


def test_transparent_colour_becomes_alpha():
    codes = samples.codes(4, 4, 3, np.uint16)
    key = codes[1, 2].astype(">u2").tobytes()
    trns = struct.pack(">I", 6) + b"tRNS" + key + struct.pack(">I", zlib.crc32(b"tRNS" + key))
    alpha = png.decode(png_of(plain_filter(codes, [0]), 4, 4, 2, extra=trns))[..., 3]
    assert alpha[1, 2] == 0 and (alpha == 0).sum() == 1


GOOD = png.encode(samples.codes(6, 5, 3, np.uint16), [])


@pytest.mark.parametrize("end", range(8, len(GOOD), 7))
def test_cut_short(end):
    with pytest.raises(ValueError, match="cut short"):
        png.decode(GOOD[:end])


@settings(max_examples=100)
@given(st.integers(8, len(GOOD) - 1), st.integers(1, 255))
def test_a_changed_byte_is_found(at, change):
    with pytest.raises(ValueError, match=r"checksum|cut short"):
        png.decode(GOOD[:at] + bytes([GOOD[at] ^ change]) + GOOD[at + 1 :])


@pytest.mark.parametrize("rows", [3, 5])
def test_pixel_data_of_the_wrong_length(rows):
    raw = plain_filter(samples.codes(4, 4, 3, np.uint16), [0])
    with pytest.raises(ValueError, match="length"):
        png.decode(png_of(raw, 4, rows, 2))
