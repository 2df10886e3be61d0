"""Formats of the extra: present, and missing."""

import importlib
import io
import sys

import imagecodecs
import numpy as np
import pillow_heif
import pytest
import tifffile
from PIL import Image

from pellucid.errors import PhotoError
from pellucid.photo import ReadLimits, formats, photo_from_array, read_photo, write_photo
from pellucid.photo.metadata import load_exif

from ..faults import fault
from . import samples


def tiff_of(codes, **how):
    out = io.BytesIO()
    tifffile.imwrite(out, codes, photometric=how.pop("photometric", "rgb"), **how)
    return out.getvalue()


def heic_of(codes, **how):
    mode = {3: "RGB", 4: "RGBA"}[codes.shape[2]] + (";16" if codes.dtype == np.uint16 else "")
    out = io.BytesIO()
    size = codes.shape[1], codes.shape[0]
    pillow_heif.encode(
        mode, size, codes.tobytes(), out, quality=-1, chroma=444, matrix_coefficients=0, **how
    )
    return out.getvalue()


@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_deep_tiff(compression, byteorder, planar):
    codes = samples.codes(dtype=np.uint16)
    stored = np.moveaxis(codes, -1, 0) if planar == "separate" else codes
    data = tiff_of(stored, compression=compression, byteorder=byteorder, planarconfig=planar)
    np.testing.assert_array_equal(read_photo(data).pixels, codes)


def test_deep_tiff_with_tiles_alpha_and_orientation():
    codes = samples.codes(40, 50, 4, np.uint16)
    data = tiff_of(
        codes, tile=(16, 16), extrasamples=["unassalpha"], extratags=[(274, 3, 1, 6, True)]
    )
    photo = read_photo(data)
    np.testing.assert_array_equal(photo.pixels, np.rot90(codes[..., :3], -1))
    np.testing.assert_array_equal(photo.alpha, np.rot90(codes[..., 3], -1))


def test_premultiplied_alpha_is_divided_out():
    codes = np.zeros((2, 2, 4), np.uint16)
    codes[..., 0], codes[..., 3] = 10_000, 20_000
    photo = read_photo(tiff_of(codes, extrasamples=["assocalpha"]))
    assert photo.pixels[0, 0, 0] == 32768 and photo.alpha[0, 0] == 20_000


def test_deep_grey_tiff_needs_no_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "tifffile", None)
    codes = samples.codes(channels=1, dtype=np.uint16)
    image = Image.fromarray(codes[..., 0])
    photo = read_photo(samples.image_bytes(image, "TIFF"))
    np.testing.assert_array_equal(photo.pixels[..., 0], codes[..., 0])


def test_grey_tiff_of_white_as_zero():
    codes = samples.codes(channels=1, dtype=np.uint16)[..., 0]
    photo = read_photo(tiff_of(codes, photometric="miniswhite"))
    np.testing.assert_array_equal(photo.pixels[..., 0], 65535 - codes)


@pytest.mark.parametrize("dtype", [np.uint32, np.int16, np.float64])
def test_tiff_of_other_numbers(dtype):
    data = tiff_of(np.full((4, 4, 3), 1, dtype))
    with pytest.raises(PhotoError, match="not supported; save it"):
        read_photo(data)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [3, 4])
def test_heic_comes_back_at_its_depth(dtype, channels):
    codes = samples.codes(48, 64, channels, dtype)
    if dtype == np.uint16:
        codes = formats.stretch(codes >> 6, 10)
    photo = read_photo(heic_of(codes))
    np.testing.assert_array_equal(photo.pixels, codes[..., :3])
    assert photo.source_format == "HEIF"
    if channels == 4:
        np.testing.assert_array_equal(photo.alpha, codes[..., 3])


def test_heic_is_turned_once():
    image = Image.fromarray(samples.smooth())
    out = io.BytesIO()
    pillow_heif.from_pillow(image).save(out, exif=samples.exif(6).tobytes(), quality=100)
    photo = read_photo(out.getvalue())
    expected = np.rot90(samples.smooth(), -1).astype(int)
    assert np.abs(photo.pixels - expected).mean() < 4
    again = io.BytesIO()
    write_photo(photo, again, format="heic")
    assert np.abs(read_photo(again.getvalue()).pixels - expected).mean() < 4


@pytest.mark.parametrize("sixteenth", range(1, 16))
@fault("images", "HEIC truncated at every sixteenth", "refused in one line")
def test_truncated_heic(sixteenth):
    data = heic_of(samples.smooth())
    with pytest.raises(PhotoError):
        read_photo(data[: len(data) * sixteenth // 16])


def test_heic_over_the_limit():
    with pytest.raises(PhotoError, match="max_pixels"):
        read_photo(heic_of(samples.smooth()), limits=ReadLimits(max_pixels=100))


@pytest.mark.parametrize("bits", [10, 12])
def test_deep_avif(bits):
    top = 2**bits - 1
    codes = (samples.smooth().astype(np.uint32) * top // 255).astype(np.uint16)
    data = imagecodecs.avif_encode(codes, level=100, bitspersample=bits)
    assert formats.avif_bits(data) == bits
    photo = read_photo(data)
    assert photo.pixels.dtype == np.uint16
    assert np.abs(photo.pixels / 65535 - codes / top).max() < 0.01


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_stretch_reaches_white_and_can_be_undone(bits):
    codes = np.arange(2**bits, dtype=np.uint16)
    wide = formats.stretch(codes, bits)
    assert wide[0] == 0 and wide[-1] == 65535
    np.testing.assert_array_equal(wide >> (16 - bits), codes)


CASES = {
    "tifffile": lambda: read_photo(tiff_of(samples.codes(dtype=np.uint16))),
    "pillow_heif": lambda: read_photo(heic_of(samples.smooth())),
    "rawpy": lambda: read_photo(b"FUJIFILMCCD-RAW" + bytes(99)),
}


@pytest.mark.parametrize("module", CASES)
def test_a_missing_extra_is_named(module, monkeypatch):
    real = importlib.import_module

    def absent(name, *rest):
        if name == module:
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(PhotoError, match=rf"{module}; pip install 'pellucid\[formats\]'"):
        CASES[module]()


def test_writing_heic_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(PhotoError, match="writing HEIC needs"):
        write_photo(photo_from_array(samples.codes()), io.BytesIO(), format="heic")


@pytest.mark.parametrize("name", ["a.dng", "a.NEF", "a.cr3"])
@fault("images", "damaged camera RAW", "refused in one line")
def test_damaged_raw(tmp_path, name):
    (tmp_path / name).write_bytes(b"II*\0" + bytes(500))
    with pytest.raises(PhotoError, match="RAW data is damaged"):
        read_photo(tmp_path / name)


def dng():
    """A raw file of one colour, to be turned by orientation 6."""
    numbers = [0.6, -0.1, -0.05, -0.4, 1.2, 0.2, -0.1, 0.2, 0.6]
    matrix = tuple(part for value in numbers for part in (int(value * 10000), 10000))
    tags = [
        (50706, 1, 4, (1, 4, 0, 0), True),  # DNG version
        (50708, 2, 0, "Test", True),
        (271, 2, 0, "Maker", True),
        (33421, 3, 2, (2, 2), True),  # a pattern of 2 x 2: red, green, green, blue
        (33422, 1, 4, (0, 1, 1, 2), True),
        (50717, 3, 1, 4095, True),  # white level
        (50721, 10, 9, matrix, True),
        (50778, 3, 1, 21, True),  # the matrix is for D65
        (274, 3, 1, 6, True),
    ]
    return tiff_of(np.full((64, 96), 900, np.uint16), photometric=32803, extratags=tags)


def test_raw_is_developed_upright_at_sixteen_bits(tmp_path):
    for source in (dng(), tmp_path / "shot.dng"):
        if source != dng():
            source.write_bytes(dng())
        photo = read_photo(source)
        assert photo.source_format == "RAW" and photo.pixels.dtype == np.uint16
        assert photo.size == (64, 96)
        assert photo.pixels.std(axis=(0, 1)).max() < 10 and 0 < photo.pixels.mean() < 65535
        exif = load_exif(photo.metadata.exif)
        assert exif[271] == "Maker" and exif[274] == 1 and 33421 not in exif


def test_a_preview_is_not_taken_for_the_photo():
    codes = samples.codes(16, 16)
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as file:
        file.write(codes, photometric="rgb", subfiletype=1, subifds=1)
        file.write(samples.codes(64, 64), photometric="rgb")
    assert formats.is_raw(out.getvalue(), "")
    assert not formats.is_raw(tiff_of(codes), "")
