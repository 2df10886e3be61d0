import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from pellucid.photo import read_photo, tiff
from pellucid.photo.metadata import load_exif

from . import samples


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (13, 17), (900, 700)])
def test_tifffile_reads_it(size, channels, dtype):
    codes = samples.codes(*size, channels, dtype)
    data = tiff.encode(codes, load_exif(None))
    read = tifffile.imread(io.BytesIO(data))
    np.testing.assert_array_equal(read.reshape(codes.shape), codes)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pillow_reads_it(channels):
    codes = samples.codes(channels=channels)
    image = Image.open(io.BytesIO(tiff.encode(codes, load_exif(None))))
    np.testing.assert_array_equal(np.asarray(image).reshape(codes.shape), codes)


def test_metadata():
    icc = samples.rgb_icc(samples.P3_PRIMARIES)
    exif = load_exif(samples.exif(1).tobytes())
    codes = samples.codes(400, 500, 3, np.uint16)
    data = tiff.encode(codes, exif, icc=icc, xmp=samples.XMP, dpi=(300.0, 150.0))
    with Image.open(io.BytesIO(data)) as image:
        assert image.info["icc_profile"] == icc
        assert image.info["xmp"] == samples.XMP
        assert image.info["dpi"] == (300.0, 150.0)
        assert image.getexif()[0x010F] == "Maker"
        assert image.getexif().get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09"
        assert image.getexif().get_ifd(0x8825)[1] == "N"
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        assert len(file.pages) == 1
        np.testing.assert_array_equal(file.pages[0].asarray(), codes)


def test_exif_of_a_big_tiff():
    image = Image.fromarray(samples.codes())
    exif = samples.exif(6)
    photo = read_photo(samples.image_bytes(image, "TIFF", big_tiff=True, exif=exif.tobytes()))
    assert photo.size == (13, 17) and photo.notes == ()
    assert photo.metadata.exif[6:10] in (b"II*\0", b"MM\0*")
    block = load_exif(photo.metadata.exif)
    assert block[0x010F] == "Maker" and block.get_ifd(0x8825)[1] == "N"
    assert block.get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09"


def test_big_endian_exif():
    block = samples.exif(1)
    block.endian = ">"
    codes = samples.codes(dtype=np.uint16)
    data = tiff.encode(codes, load_exif(block.tobytes()))
    np.testing.assert_array_equal(tifffile.imread(io.BytesIO(data)), codes)
    assert Image.open(io.BytesIO(data)).getexif().get_ifd(0x8769)[0xA002] == 17
