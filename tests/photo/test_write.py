import errno
import io
import os
import stat
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pellucid.errors import PhotoError
from pellucid.photo import (
    Photo,
    WriteOptions,
    format_for,
    photo_from_array,
    read_photo,
    suffix_for,
    write_photo,
)
from pellucid.photo.icc import parse_icc
from pellucid.photo.metadata import JpegCoding, Metadata, load_exif

from ..faults import fault
from . import samples

P3 = samples.rgb_icc(samples.P3_PRIMARIES)


def bytes_of(photo, format=None, **options):
    out = io.BytesIO()
    write_photo(photo, out, format=format, options=WriteOptions(**options))
    return out.getvalue()


def rich(channels=3, dtype=np.uint8):
    photo = photo_from_array(samples.codes(channels=channels, dtype=dtype))
    metadata = Metadata(samples.exif(1).tobytes(), samples.XMP, (300.0, 150.0))
    return replace(photo, profile=parse_icc(P3), metadata=metadata)


@settings(max_examples=40)
@given(
    st.sampled_from(["png", "tiff"]),
    st.sampled_from([np.uint8, np.uint16]),
    st.sampled_from([1, 3, 4]),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(0, 99),
)
def test_lossless_round_trip(format, dtype, channels, height, width, seed):
    photo = photo_from_array(samples.codes(height, width, channels, dtype, seed))
    again = read_photo(bytes_of(photo, format))
    np.testing.assert_array_equal(again.pixels, photo.pixels)
    assert again.pixels.dtype == dtype and again.grey == photo.grey
    if channels == 4:
        np.testing.assert_array_equal(again.alpha, photo.alpha)
    else:
        assert again.alpha is None


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("format", ["png", "tiff", "webp"])
@pytest.mark.parametrize("grey", [False, True])
def test_alpha_bit_for_bit(format, dtype, grey):
    photo = photo_from_array(samples.codes(channels=4, dtype=dtype))
    if grey:
        photo = replace(photo, pixels=photo.pixels[..., :1].repeat(3, -1), grey=True)
    alpha = read_photo(bytes_of(photo, format)).alpha
    expected = photo.alpha if format != "webp" or dtype == np.uint8 else np.rint(photo.alpha / 257)
    np.testing.assert_array_equal(alpha, expected)


@pytest.mark.parametrize("format", ["jpeg", "png", "tiff", "webp", "avif", "heic"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_metadata_and_profile_are_kept(format, dtype):
    again = read_photo(bytes_of(rich(dtype=dtype), format))
    exif = load_exif(again.metadata.exif)
    assert exif[0x010F] == "Maker" and exif.get(0x0112, 1) == 1
    assert exif.get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09"
    assert exif.get_ifd(0x8825)[1] == "N"
    assert b"GPSLatitude" in again.metadata.xmp
    assert again.profile.icc == P3
    if format in {"jpeg", "png", "tiff"}:
        assert np.allclose(again.metadata.dpi, (300, 150), atol=0.1)


@pytest.mark.parametrize("format", ["jpeg", "png", "tiff", "webp", "avif", "heic"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@fault("output", "--no-gps, every format", "no coordinates in EXIF or XMP")
def test_gps_can_be_removed(format, dtype):
    data = bytes_of(rich(dtype=dtype), format, keep_gps=False)
    again = read_photo(data)
    exif = load_exif(again.metadata.exif)
    assert not exif.get_ifd(0x8825) and exif[0x010F] == "Maker"
    assert b"FNumber" in again.metadata.xmp
    for trace in (b"GPS", b"52,31", b"13,24", b"private note"):
        assert trace not in data


@pytest.mark.parametrize("format", ["jpeg", "png", "tiff", "webp", "avif", "heic"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_all_metadata_can_be_left_out(format, dtype):
    data = bytes_of(rich(dtype=dtype), format, keep_metadata=False)
    again = read_photo(data)
    assert again.metadata.xmp is None and again.profile.icc == P3
    assert b"Maker" not in data and b"2024" not in data and b"FNumber" not in data
    if format in {"jpeg", "png", "tiff"}:
        assert again.metadata.dpi in (None, (1.0, 1.0))


def test_a_turned_photo_is_not_turned_again():
    source = read_photo(samples.jpeg(exif=samples.exif(6), xmp=samples.XMP, quality=100))
    for format in ("jpeg", "png", "tiff", "webp", "avif", "heic"):
        again = read_photo(bytes_of(source, format))
        assert again.size == source.size == (48, 64)
        assert np.abs(again.pixels.astype(int) - source.pixels).mean() < 4


@pytest.mark.parametrize(
    "photo, format, words",
    [
        (rich(dtype=np.uint16), "jpeg", "fewer than 16 bits"),
        (rich(dtype=np.uint16), "webp", "fewer than 16 bits"),
        (replace(rich(), metadata=Metadata(exif=bytes(70_000))), "jpeg", "EXIF block is too large"),
        (replace(rich(), metadata=Metadata(xmp=b" " * 70_000)), "jpeg", "XMP block is too large"),
        (rich(4), "avif", "transparency only approximately"),
    ],
)
def test_what_a_format_cannot_hold_is_told(photo, format, words):
    notes = write_photo(photo, io.BytesIO(), format=format)
    assert any(words in note for note in notes)


def test_sixteen_bits_are_rounded_not_cut():
    pixels = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1).repeat(3, -1)
    with_alpha = replace(photo_from_array(pixels), alpha=pixels[..., 0])
    alpha = read_photo(bytes_of(with_alpha, "webp")).alpha
    assert np.abs(alpha - pixels[..., 0] / 257).max() <= 0.5


def test_opaque_alpha_does_not_stop_a_jpeg():
    codes = samples.codes(channels=4)
    with pytest.raises(PhotoError, match="no transparency"):
        bytes_of(photo_from_array(codes), "jpeg")
    codes[..., 3] = 255
    assert read_photo(bytes_of(photo_from_array(codes), "jpeg")).alpha is None


@pytest.mark.parametrize("sampling, kept", [(0, 0), (1, 0), (2, 2)])
def test_a_fine_jpeg_keeps_its_coding(sampling, kept):
    source = read_photo(samples.jpeg(quality=93, subsampling=sampling))
    again = read_photo(bytes_of(source))
    assert again.metadata.jpeg == JpegCoding(source.metadata.jpeg.tables, kept)


def test_a_coarse_jpeg_is_written_finely():
    again = read_photo(bytes_of(read_photo(samples.jpeg(quality=40, subsampling=2))))
    fine = read_photo(samples.jpeg(quality=95, subsampling=0))
    assert again.metadata.jpeg == fine.metadata.jpeg


@pytest.mark.parametrize("quality", [None, 80, 100])
def test_noise_fits_into_a_jpeg(quality):
    noise = photo_from_array(samples.codes(700, 900))
    assert read_photo(bytes_of(noise, "jpeg", quality=quality)).size == (900, 700)


def test_quality():
    source = photo_from_array(samples.smooth())
    for format in ("jpeg", "webp", "avif", "heic"):
        assert len(bytes_of(source, format, quality=20)) < len(bytes_of(source, format))
    for quality in (0, 101):
        with pytest.raises(PhotoError, match="outside 1 to 100"):
            WriteOptions(quality=quality)


@pytest.mark.parametrize("format", ["jpeg", "png", "tiff"])
def test_grey_is_written_grey(format):
    icc = samples.grey_icc()
    image = Image.fromarray(samples.codes(channels=1)[..., 0])
    photo = read_photo(samples.image_bytes(image, "PNG", icc_profile=icc))
    assert photo.grey and photo.profile.grey
    data = bytes_of(photo, format)
    assert Image.open(io.BytesIO(data)).mode == "L"
    assert read_photo(data).profile.icc == icc
    coloured = photo.with_light(photo.light() * np.float32([1, 0.5, 0.2]))
    image = Image.open(io.BytesIO(bytes_of(coloured, format)))
    assert image.mode == "RGB" and "icc_profile" not in image.info
    again = read_photo(bytes_of(coloured, "png"))
    np.testing.assert_allclose(again.light(), coloured.light(), atol=0.006)


@pytest.mark.parametrize(
    "source_format, dtype, expected, suffix",
    [
        ("JPEG", np.uint8, "JPEG", ".jpg"),
        ("PNG", np.uint16, "PNG", ".png"),
        ("TIFF", np.uint16, "TIFF", ".tif"),
        ("RAW", np.uint16, "TIFF", ".tif"),
        ("HEIF", np.uint8, "HEIF", ".heic"),
        ("HEIF", np.uint16, "HEIF", ".heic"),
        ("AVIF", np.uint8, "AVIF", ".avif"),
        ("AVIF", np.uint16, "PNG", ".png"),
        ("WEBP", np.uint8, "WEBP", ".webp"),
        ("GIF", np.uint8, "PNG", ".png"),
        ("BMP", np.uint8, "PNG", ".png"),
    ],
)
def test_the_format_it_goes_back_to(source_format, dtype, expected, suffix):
    photo = Photo(samples.codes(dtype=dtype), source_format=source_format)
    assert format_for(photo) == expected
    assert suffix_for(photo) == suffix
    assert read_photo(bytes_of(photo)).source_format == expected


# Files ---------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="has no umask")
def test_a_path_and_its_rights(tmp_path):
    old = os.umask(0o027)
    try:
        write_photo(rich(), tmp_path / "a.png")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == 0o640
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png").pixels, rich().pixels)


def test_longest_name(tmp_path):
    path = tmp_path / ("x" * 251 + ".png")
    write_photo(rich(), path)
    assert path.exists()


def test_format_named_apart_from_the_suffix(tmp_path):
    write_photo(rich(), tmp_path / "a.out", format="TIF")
    assert read_photo(tmp_path / "a.out").source_format == "TIFF"


@pytest.mark.parametrize("step", ["fsync", "replace", "interrupt"])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def fail(*_):
        if step == "interrupt":
            raise KeyboardInterrupt
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(
        *(("pathlib.Path.replace", fail) if step == "replace" else ("os.fsync", fail))
    )
    with pytest.raises(
        (PhotoError, KeyboardInterrupt), match="No space left" if step != "interrupt" else None
    ):
        write_photo(rich(), path)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real.png").write_bytes(b"old")
    (tmp_path / "link.png").symlink_to("real.png")
    write_photo(rich(), tmp_path / "link.png")
    assert (tmp_path / "link.png").is_symlink()
    assert read_photo(tmp_path / "real.png").size == (17, 13)


@pytest.mark.skipif(os.name == "nt", reason="needs FIFOs")
def test_targets_that_cannot_be(tmp_path):
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    cases = {
        "nowhere/a.png": "folder does not exist",
        "folder.png": "is a folder",
        "pipe.png": "not a regular file",
        "loop.png": "link to itself",
        "a.xyz": "cannot write the format '.xyz'; choose one of avif",
        "a.gif": "cannot write the format",
        "a": "the name has no suffix",
        "x" * 300 + ".png": "not a usable name|cannot be written",
        "a\0b.png": "not a usable name",
    }
    before = sorted(p.name for p in tmp_path.iterdir())
    for name, words in cases.items():
        with pytest.raises(PhotoError, match=words) as failure:
            write_photo(rich(), tmp_path / name)
        assert "\n" not in str(failure.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_unknown_format_for_a_stream():
    with pytest.raises(PhotoError, match="'bogus'"):
        write_photo(rich(), io.BytesIO(), format="bogus")


@pytest.mark.parametrize("target", [io.StringIO(), io.BufferedReader(io.BytesIO())])
def test_streams_that_take_no_bytes(target):
    with pytest.raises(PhotoError, match="cannot be written"):
        write_photo(rich(), target, format="png")


@pytest.mark.parametrize("format, side", [("jpeg", 65_501), ("webp", 16_384)])
def test_too_large_for_the_format(format, side):
    with pytest.raises(PhotoError, match="pixels a side; write PNG or TIFF"):
        bytes_of(photo_from_array(np.zeros((1, side), np.uint8)), format)
