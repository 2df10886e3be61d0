"""Sources, formats, limits, and a table of everything that is not a photo."""

import io
import os
import struct
import tracemalloc
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from pellucid.errors import PhotoError
from pellucid.photo import ReadLimits, photo_from_array, read_photo, write_photo

from ..faults import fault
from . import samples


def png_chunk(name, content):
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


def png_with(*chunks, size=(4, 4), depth=8):
    head = struct.pack(">IIBBBBB", *size, depth, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(size[1] * (1 + 3 * size[0] * depth // 8)) if size[0] < 99 else b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [png_chunk(b"IHDR", head), *chunks, png_chunk(b"IDAT", pixels), png_chunk(b"IEND", b"")]
    )


def sample_bytes(kind):
    image = Image.fromarray(samples.smooth())
    return samples.image_bytes(image, kind)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "AVIF", "GIF", "BMP"])
def test_formats_and_sources(kind, tmp_path):
    data = sample_bytes(kind)
    path = tmp_path / "picture.anything"
    path.write_bytes(data)
    with path.open("rb") as stream:
        photos = [read_photo(s) for s in (path, str(path), data, io.BytesIO(data), stream)]
    for photo in photos:
        assert photo.source_format == kind
        np.testing.assert_array_equal(photo.pixels, photos[0].pixels)
    assert photos[0].source.endswith("picture.anything") and photos[2].source == "<bytes>"


def bad_png_crc():
    data = bytearray(sample_bytes("PNG"))
    data[-20] ^= 1
    return bytes(data)


BOMB = png_with(size=(60_000, 60_000))
BAD = {
    "empty": (b"", "empty"),
    "text": (b"Dear diary, this is no photo.", "not a photo"),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "not a photo"),
    "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a photo"),
    "pdf": (b"%PDF-1.7\n", "not a photo"),
    "wmf": (b"\xd7\xcd\xc6\x9a\0\0" + bytes(40), "not a photo"),
    "jpeg head only": (b"\xff\xd8\xff\xe0", "damaged or cut short"),
    "png head only": (b"\x89PNG\r\n\x1a\n", "damaged or cut short"),
    "tiff head only": (b"II*\0", "damaged or cut short"),
    "tiff of nothing": (b"II*\0\x08\0\0\0\0\0\0\0\0\0", "damaged or cut short"),
    "webp head only": (b"RIFF\x10\0\0\0WEBPVP8 ", "damaged or cut short"),
    "avif head only": (b"\0\0\0\x18ftypavif\0\0\0\0avifmif1", "damaged or cut short"),
    "gif head only": (b"GIF89a", "damaged or cut short"),
    "bmp head only": (b"BM", "damaged or cut short"),
    "truncated jpeg": (samples.jpeg()[:-400], "damaged or cut short"),
    "png checksum": (bad_png_crc(), "checksum"),
    "pixel bomb": (BOMB, "over the limit.*max_pixels"),
    "text bomb": (
        png_with(png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(50_000_000)))),
        "damaged or cut short",
    ),
    "profile bomb": (
        png_with(png_chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(50_000_000)))),
        "damaged or cut short",
    ),
    "deep pixel bomb": (png_with(size=(9_000, 20_000), depth=16), "damaged or cut short"),
    "no pixels": (png_with(size=(0, 4)), "damaged|empty"),
}


@pytest.mark.parametrize("data, words", BAD.values(), ids=BAD)
@fault(
    "images",
    "files that are no photo, or lie, as the reader sees them",
    "refused in one line, nothing on the terminal",
)
def test_bad_content(data, words, tmp_path, capfd):
    path = tmp_path / "holiday.jpg"
    path.write_bytes(data)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(PhotoError, match=words) as failure:
            read_photo(path)
    message = str(failure.value)
    assert "holiday.jpg" in message and "\n" not in message
    assert not caught
    assert capfd.readouterr() == ("", "")


@fault("images", "bombs of pixels and of text, as Python counts memory", "refused within 30 MB")
def test_bombs_are_refused_before_memory_is_taken():
    tracemalloc.start()
    for data in (BOMB, BAD["text bomb"][0], BAD["deep pixel bomb"][0]):
        with pytest.raises(PhotoError):
            read_photo(data)
    assert tracemalloc.get_traced_memory()[1] < 30_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "AVIF", "GIF", "BMP"])
@pytest.mark.parametrize("sixteenth", range(1, 16))
@fault("images", "truncated at every sixteenth, 7 formats", "refused in one line")
def test_truncated_anywhere(kind, sixteenth):
    data = sample_bytes(kind)
    with pytest.raises(PhotoError):
        read_photo(data[: len(data) * sixteenth // 16])


@fault("images", "progressive JPEG cut short", "refused in one line")
def test_progressive_jpeg_cut_short():
    data = samples.jpeg(progressive=True)
    for end in range(100, len(data) - 2, len(data) // 20):
        with pytest.raises(PhotoError):
            read_photo(data[:end])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "AVIF", "GIF", "BMP"])
@fault("images", "a flipped byte, 7 formats", "read, or refused in one line")
def test_a_flipped_byte_is_read_or_refused(kind, capfd):
    exif = {} if kind in {"GIF", "BMP"} else {"exif": samples.exif(3).tobytes()}
    data = samples.image_bytes(Image.fromarray(samples.smooth()), kind, **exif)
    for at in range(0, len(data), max(1, len(data) // 60)):
        changed = data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                read_photo(changed, limits=ReadLimits(max_pixels=1_000_000))
            except PhotoError as error:
                assert "\n" not in str(error)
        assert not caught
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(os.name == "nt", reason="needs FIFOs")
@fault(
    "images",
    "FIFO, loop of links, NUL and 300 characters in the name",
    "refused in one line, at once",
)
def test_paths_that_are_no_photo(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    cases = {
        "missing.jpg": "no such file",
        "": "is a folder",
        "pipe.jpg": "not a regular file",
        "loop.jpg": "cannot be opened",
        "a\0b.jpg": "cannot be opened",
        "x" * 300 + ".jpg": "cannot be opened",
    }
    for name, words in cases.items():
        with pytest.raises(PhotoError, match=words):
            read_photo(f"{tmp_path}/{name}")


@pytest.mark.skipif(getattr(os, "geteuid", int)() == 0, reason="root reads everything")
def test_no_permission(tmp_path):
    path = tmp_path / "secret.jpg"
    path.write_bytes(samples.jpeg())
    path.chmod(0)
    with pytest.raises(PhotoError, match="no permission"):
        read_photo(path)


def test_odd_names_stay_on_one_line(tmp_path):
    path = tmp_path / "two\nlines \x1b[31m\udcff.jpg"
    with pytest.raises(PhotoError) as failure:
        read_photo(path)
    assert str(failure.value).isprintable()


class Broken(io.RawIOBase):
    def readable(self):
        return True

    def readinto(self, buffer):
        raise OSError("gone")


@pytest.mark.parametrize("stream", [io.StringIO("text"), Broken()])
def test_streams_that_give_no_bytes(stream):
    with pytest.raises(PhotoError, match=r"binary|cannot be read"):
        read_photo(stream)


def test_limits():
    data = samples.jpeg()
    with pytest.raises(PhotoError, match="max_pixels"):
        read_photo(data, limits=ReadLimits(max_pixels=64 * 48 - 1))
    assert read_photo(data, limits=ReadLimits(max_pixels=64 * 48)).size == (64, 48)
    for source in (data, io.BytesIO(data)):
        with pytest.raises(PhotoError, match="max_bytes"):
            read_photo(source, limits=ReadLimits(max_bytes=100))


def test_pillows_own_limit_is_neither_used_nor_changed(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert read_photo(samples.jpeg()).size == (64, 48)
    assert Image.MAX_IMAGE_PIXELS == 10


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "MPO", "PNG"])
def test_the_first_of_several(kind):
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("white", "black")]
    data = samples.image_bytes(frames[0], kind, save_all=True, append_images=frames[1:])
    photo = read_photo(data)
    assert photo.pixels.min() > 250
    assert photo.source_format == ("JPEG" if kind == "MPO" else kind)
    assert any("2 pictures" in note for note in photo.notes)


@pytest.mark.parametrize("shape", [(1, 1), (1, 97), (101, 1), (13, 17)])
@pytest.mark.parametrize("kind", ["png", "tiff"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_odd_sizes(shape, kind, dtype):
    codes = samples.codes(*shape, 3, dtype)
    out = io.BytesIO()
    write_photo(photo_from_array(codes), out, format=kind)
    np.testing.assert_array_equal(read_photo(out.getvalue()).pixels, codes)


@pytest.mark.parametrize("gamma, noted", [(45455, False), (100_000, True)])
def test_a_declared_gamma_is_noted(gamma, noted):
    photo = read_photo(png_with(png_chunk(b"gAMA", struct.pack(">I", gamma))))
    assert any("read as sRGB" in note for note in photo.notes) == noted


@pytest.mark.parametrize("primaries, noted", [(1, False), (12, True)])
def test_declared_primaries_are_noted(primaries, noted):
    data = sample_bytes("AVIF")
    at = data.index(b"colrnclx") + 8
    photo = read_photo(data[:at] + struct.pack(">H", primaries) + data[at + 2 :])
    assert any("read as sRGB" in note for note in photo.notes) == noted


def test_metadata_of_a_deep_png():
    photo = photo_from_array(samples.codes(dtype=np.uint16))
    out = io.BytesIO()
    write_photo(photo, out, format="png")
    data = out.getvalue()
    late = data[:-12] + png_chunk(b"eXIf", samples.exif(6).tobytes()[6:]) + data[-12:]
    turned = read_photo(late)
    np.testing.assert_array_equal(turned.pixels, np.rot90(photo.pixels, -1))
