import time

import pytest

from pellucid.photo.metadata import (
    Metadata,
    clean_dpi,
    load_exif,
    orientation_of,
    upright_exif,
    upright_xmp,
)

from ..faults import fault
from . import samples


def parsed(data):
    exif = load_exif(data)
    return dict(exif), dict(exif.get_ifd(0x8769)), dict(exif.get_ifd(0x8825))


@pytest.mark.parametrize("value, expected", [(1, 1), (6, 6), (8, 8), (0, 1), (9, 1), ("x", 1)])
def test_orientation(value, expected):
    exif = load_exif(None)
    exif[0x0112] = value
    assert orientation_of(exif) == expected


def test_upright_exif_keeps_the_rest():
    block = load_exif(samples.exif(6).tobytes())
    block[256], block[0x0201] = 99, 5  # a width and a thumbnail's place
    main, photo, gps = parsed(upright_exif(block, (17, 13)))
    assert main[0x0112] == 1 and main[0x010F] == "Maker"
    assert 256 not in main and 0x0201 not in main
    assert photo[0x9003] == "2024:05:06 07:08:09" and photo[0x927C] == b"private note"
    assert (photo[0xA002], photo[0xA003]) == (17, 13)
    assert gps[1] == "N" and [float(v) for v in gps[2]] == [52.0, 31.0, 12.0]


def test_no_exif_stays_none():
    assert upright_exif(load_exif(None), (3, 3)) is None


def test_upright_xmp():
    assert b'tiff:Orientation="1"' in upright_xmp(samples.XMP)
    element = samples.XMP.replace(b'tiff:Orientation="6"', b"").replace(
        b"<exif:GPSL", b"<tiff:Orientation>6</tiff:Orientation><exif:GPSL"
    )
    assert b"<tiff:Orientation>1</tiff:Orientation>" in upright_xmp(element)
    other = samples.XMP.replace(b"tiff:", b"t1:").replace(b"xmlns:tiff", b"xmlns:t1")
    assert b't1:Orientation="1"' in upright_xmp(other)
    assert upright_xmp(None) is None
    assert upright_xmp(b"<x/>") == b"<x/>"


def test_xmp_that_cannot_be_edited_is_dropped():
    assert upright_xmp(b"\xff\xfeOrientation") is None
    assert upright_xmp(samples.XMP.decode().encode("utf-16")) is None


def test_without_gps():
    clean = Metadata(exif=samples.exif().tobytes(), xmp=samples.XMP).without_gps()
    main, photo, gps = parsed(clean.exif)
    assert gps == {} and 0x8825 not in main
    assert 0x927C not in photo and 0x9003 in photo
    assert b"GPS" not in clean.xmp and b'exif:FNumber="4/1"' in clean.xmp
    assert b"52,31" not in clean.xmp and b"13,24" not in clean.xmp


@pytest.mark.parametrize(
    "xmp",
    [
        samples.XMP.decode().encode("utf-16"),
        samples.XMP.replace(b"exif:GPSLat", b"drone:GpsLat"),
        samples.XMP.replace(b"</exif:GPSLongitude>", b""),
    ],
)
@fault("output", "--no-gps on XMP that hides places", "the packet is dropped")
def test_xmp_whose_places_cannot_be_removed_is_dropped(xmp):
    assert Metadata(xmp=xmp).without_gps().xmp is None


@fault("output", "--no-gps on XMP of 5,000 places that are never closed", "done within seconds")
def test_places_that_are_never_closed():
    xmp = b'<x xmlns:exif="http://ns.adobe.com/exif/1.0/">' + 5_000 * b"<exif:GPSLatitude>"
    begin = time.monotonic()
    assert Metadata(xmp=xmp).without_gps().xmp is None
    assert time.monotonic() - begin < 5


def test_gps_under_another_prefix():
    xmp = samples.XMP.replace(b"exif:", b"e9:").replace(b"xmlns:exif", b"xmlns:e9")
    clean = Metadata(xmp=xmp).without_gps().xmp
    assert clean is not None and b"GPS" not in clean


def test_without_personal():
    assert Metadata(exif=b"x", xmp=b"y", dpi=(1, 1)).without_personal() == Metadata()


@pytest.mark.parametrize(
    "value, expected",
    [
        ((300, 300.0), (300.0, 300.0)),
        ((0, 300), None),
        ((float("nan"), 1), None),
        (("a", 1), None),
        (None, None),
        ((1, 2, 3), None),
    ],
)
def test_dpi(value, expected):
    assert clean_dpi(value) == expected
