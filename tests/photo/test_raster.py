"""Every mode, orientation and kind of profile that a file can bring."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from pellucid.errors import PhotoError
from pellucid.photo import photo_from_image, read_photo
from pellucid.photo.raster import Raster, photo_from_raster

from ..faults import fault
from . import samples


def png_of(image, **how):
    return read_photo(samples.image_bytes(image, "PNG", **how))


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "AVIF"])
def test_orientation_is_applied_once(kind, orientation):
    image = Image.fromarray(samples.smooth())
    exif = samples.exif(orientation)
    photo = read_photo(samples.image_bytes(image, kind, exif=exif, quality=100))
    plain = Image.open(io.BytesIO(samples.image_bytes(image, kind, quality=100))).convert("RGB")
    plain.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(plain))
    assert photo.pixels.shape == expected.shape
    np.testing.assert_array_equal(photo.pixels, expected)
    written = Image.Exif()
    written.load(photo.metadata.exif)
    assert written.get(0x0112, 1) == 1


def test_orientation_only_in_xmp():
    data = samples.jpeg(xmp=samples.XMP)
    photo = read_photo(data)
    assert photo.size == (48, 64)
    assert b'tiff:Orientation="1"' in photo.metadata.xmp


def test_alpha_turns_with_the_picture():
    codes = samples.codes(channels=4)
    photo = read_photo(samples.image_bytes(Image.fromarray(codes), "PNG", exif=samples.exif(6)))
    np.testing.assert_array_equal(photo.alpha, np.rot90(codes[..., 3], -1))
    np.testing.assert_array_equal(photo.pixels, np.rot90(codes[..., :3], -1))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_modes_in_png(mode):
    rgba = Image.fromarray(samples.codes(channels=4))
    if mode == "I;16":
        image = Image.fromarray(samples.codes(channels=1, dtype=np.uint16)[..., 0])
    else:
        image = (rgba.convert("RGB") if mode == "P" else rgba).convert(mode)
    photo = png_of(image)
    assert photo.grey == (mode in {"1", "L", "LA", "I;16"})
    assert (photo.alpha is not None) == mode.endswith("A")
    if mode == "I;16":
        expected = np.asarray(image)
    else:
        expected = np.asarray(image.convert("RGBA"))[..., :3]
        if mode.endswith("A"):
            np.testing.assert_array_equal(photo.alpha, np.asarray(image)[..., -1])
    np.testing.assert_array_equal(
        photo.pixels[..., 0], expected if mode == "I;16" else expected[..., 0]
    )


def test_palette_with_transparency():
    image = Image.fromarray(samples.smooth()).quantize(16)
    table = bytes(range(0, 256, 16))
    photo = png_of(image, transparency=table)
    np.testing.assert_array_equal(photo.alpha, np.frombuffer(table, np.uint8)[np.asarray(image)])
    np.testing.assert_array_equal(photo.pixels, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("mode, key", [("L", 7), ("RGB", (1, 2, 3)), ("P", 3), ("1", 0)])
def test_a_transparent_colour(mode, key):
    image = Image.new(mode, (4, 3), key)
    if mode == "P":
        image.putpalette(bytes(range(30)))
    image.putpixel((1, 1), 1 if mode in {"1", "P"} else 200 if mode == "L" else (9, 9, 9))
    alpha = png_of(image, transparency=key).alpha
    assert alpha[0, 0] == 0 and alpha[1, 1] == 255


@pytest.mark.parametrize(
    "mode", ["CMYK", "YCbCr", "LAB", "HSV", "F", "I", "PA", "La", "RGBa", "RGBX"]
)
def test_modes_in_memory(mode):
    rgb = Image.fromarray(samples.smooth())
    if mode == "LAB":
        srgb = ImageCms.createProfile("sRGB")
        image = ImageCms.profileToProfile(
            rgb, srgb, ImageCms.createProfile("LAB"), outputMode="LAB"
        )
    elif mode in {"F", "I"}:
        top = 1.0 if mode == "F" else 65535
        grey = np.asarray(rgb.convert("L")) / 255 * top
        image = Image.fromarray(grey.astype(np.float32 if mode == "F" else np.int32))
    elif mode in {"PA", "La", "RGBa"}:
        image = rgb.convert({"PA": "P", "La": "LA", "RGBa": "RGBA"}[mode]).convert(mode)
    else:
        image = rgb.convert(mode)
    assert image.mode == mode
    photo = photo_from_image(image)
    expected = np.asarray(rgb.convert("L").convert("RGB") if photo.grey else rgb, float)
    scale = 257 if photo.pixels.dtype == np.uint16 else 1
    off = np.abs(photo.pixels / scale - expected)
    assert off.mean() < (20 if mode == "PA" else 3)
    assert photo.grey == (mode in {"F", "I", "La"})


@pytest.mark.parametrize(
    "values",
    [np.full((2, 2), np.nan), np.full((2, 2), np.inf), np.full((2, 2), 1.5), np.full((2, 2), -1)],
)
def test_floats_that_are_no_picture(values):
    with pytest.raises(PhotoError, match=r"not numbers|outside 0 to 1"):
        read_photo(samples.image_bytes(Image.fromarray(values.astype(np.float32)), "TIFF"))


def test_integers_beyond_sixteen_bits():
    with pytest.raises(PhotoError, match="beyond 16 bits"):
        read_photo(samples.image_bytes(Image.fromarray(np.full((2, 2), 70_000, np.int32)), "TIFF"))


def test_an_rgb_profile_is_kept():
    icc = samples.rgb_icc(samples.P3_PRIMARIES)
    photo = read_photo(samples.jpeg(icc_profile=icc))
    assert photo.profile.icc == icc and photo.notes == ()


@pytest.mark.parametrize(
    "mode, icc",
    [
        ("RGB", b"rubbish" * 40),
        ("RGB", samples.grey_icc()),
        ("L", samples.rgb_icc()),
        ("RGB", samples.rgb_icc(curve=samples.table_curve([1, 0]))),
        ("RGB", samples.icc({b"A2B0": bytes(64)}, b"CMYK", b"Lab ")),
        ("RGB", samples.icc({b"A2B0": b"mft2" + bytes(64)})),
    ],
)
@fault("images", "a profile for another kind of picture", "left out with a note")
def test_a_broken_or_foreign_profile_is_noted(mode, icc):
    image = Image.fromarray(samples.smooth()).convert(mode)
    photo = read_photo(samples.image_bytes(image, "JPEG", icc_profile=icc))
    assert photo.profile.icc is None
    assert any("profile was ignored" in note for note in photo.notes)


def lookup_table(space=b"RGB "):
    """A profile whose table turns every colour to a grey of its mean."""
    inputs = 4 if space == b"CMYK" else 3
    corners = np.indices((2,) * inputs).reshape(inputs, -1).mean(axis=0)
    if space == b"CMYK":
        corners = 1 - corners
    lab = np.stack([corners * 255, np.full(len(corners), 128), np.full(len(corners), 128)], -1)
    matrix = b"".join(samples.s15(v) for v in np.eye(3).ravel())
    ramp = bytes(range(256))
    head = b"mft1\0\0\0\0" + bytes([inputs, 3, 2, 0])
    table = head + matrix + ramp * inputs + np.rint(lab).astype(np.uint8).tobytes() + ramp * 3
    white = samples.xyz((0.9642, 1.0, 0.8249))
    return samples.icc({b"A2B0": table, b"wtpt": white}, space, b"Lab ")


@pytest.mark.parametrize("mode, space", [("RGB", b"RGB "), ("RGBA", b"RGB "), ("CMYK", b"CMYK")])
def test_a_lookup_profile_is_converted(mode, space):
    image = Image.fromarray(samples.smooth()).convert(mode)
    if mode == "RGBA":
        image.putalpha(77)
    photo = read_photo(samples.image_bytes(image, "TIFF", icc_profile=lookup_table(space)))
    assert photo.profile.icc is None
    assert any("converted to sRGB" in note for note in photo.notes)
    spread = photo.pixels.max(axis=-1).astype(int) - photo.pixels.min(axis=-1)
    assert spread.max() <= 2 and photo.pixels.std() > 10  # grey, as only the table makes it
    if mode == "RGBA":
        assert (photo.alpha == 77).all()


def test_cmyk():
    photo = read_photo(
        samples.image_bytes(Image.new("CMYK", (8, 8), (255, 0, 0, 0)), "JPEG", quality=100)
    )
    assert photo.pixels[0, 0, 0] < 10 and photo.pixels[0, 0, 1] > 245
    assert photo.profile.icc is None
    assert any("CMYK" in note for note in photo.notes)


def test_cmyk_with_a_broken_profile():
    image = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    photo = read_photo(samples.image_bytes(image, "JPEG", icc_profile=b"rubbish" * 40))
    assert photo.pixels[0, 0, 0] < 10
    assert any("ignored" in note for note in photo.notes)


def test_sixteen_bits_are_never_reduced_for_a_lookup_profile():
    raster = Raster(samples.codes(dtype=np.uint16), icc=samples.icc({b"A2B0": bytes(64)}))
    with pytest.raises(PhotoError, match="reduce 16 bits"):
        photo_from_raster(raster, "scan.tif", "TIFF")


@pytest.mark.parametrize(
    "exif", [b"II*\0\x08\0\0\0\xff\xff" + bytes(40), b"no EXIF at all", b"II*\0"]
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@fault("images", "EXIF broken in several ways", "left out with a note")
def test_a_photo_outlives_its_exif(kind, exif):
    image = Image.fromarray(samples.smooth())
    photo = read_photo(samples.image_bytes(image, kind, exif=b"Exif\0\0" + exif))
    assert photo.size == (64, 48)
