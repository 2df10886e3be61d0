import contextlib
import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from pellucid.photo.icc import BrokenProfileError, LookupProfileError, colour_space, parse_icc
from pellucid.photo.profile import SRGB

from ..faults import fault
from . import samples

X = np.linspace(0, 1, 257)
TAGS = {
    **{
        name: samples.xyz(column)
        for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), samples.SRGB_PRIMARIES, strict=True)
    },
    **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), samples.SRGB_CURVE),
}
"""What a profile of sRGB needs."""


def light_of(profile, rows):
    codes = np.asarray(rows, np.uint8)[None]
    light = np.empty(codes.shape, np.float32)
    profile.decode(codes, light)
    return light[0]


@pytest.mark.parametrize(
    "curve, expected",
    [
        (b"curv\0\0\0\0\0\0\0\0", X),
        (samples.gamma_curve(2.2), X ** (563 / 256)),
        (samples.table_curve([0, 0.1, 1]), np.interp(X, [0, 0.5, 1], [0, 0.1, 1])),
        (samples.parametric_curve(0, 2.0), X**2),
        (samples.parametric_curve(1, 2.0, 0.8, 0.2), (0.8 * X + 0.2) ** 2),
        (samples.parametric_curve(1, 2.0, 1.25, -0.25), np.maximum(1.25 * X - 0.25, 0) ** 2),
        (
            samples.parametric_curve(2, 2.0, 1.25, -0.25, 0.1),
            np.clip(np.maximum(1.25 * X - 0.25, 0) ** 2 + 0.1, 0, 1),
        ),
        (
            samples.parametric_curve(3, 2.0, 1.0, 0.0, 0.25, 0.25),
            np.where(X >= 0.25, X**2, X * 0.25),
        ),
        (
            samples.parametric_curve(4, 2.0, 0.9, 0.0, 0.15, 0.25, 0.01, 0.0),
            np.where(X >= 0.25, (0.9 * X) ** 2 + 0.01, X * 0.15),
        ),
    ],
)
def test_curves(curve, expected):
    profile = parse_icc(samples.rgb_icc(curve=curve))
    np.testing.assert_allclose(profile.curves[0](X), expected, atol=3e-5)


@pytest.mark.parametrize("primaries", ["P3_PRIMARIES", "ADOBE_PRIMARIES", "SRGB_PRIMARIES"])
@pytest.mark.parametrize("curve", [samples.SRGB_CURVE, samples.gamma_curve(2.2)])
def test_agrees_with_a_colour_engine(primaries, curve):
    icc = samples.rgb_icc(getattr(samples, primaries), curve)
    rng = np.random.default_rng(1)
    rows = rng.integers(60, 190, (1, 500, 3), dtype=np.uint8)  # inside sRGB, or it would clip
    engine = ImageCms.profileToProfile(
        Image.fromarray(rows),
        ImageCms.ImageCmsProfile(io.BytesIO(icc)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    ours = np.empty_like(rows)
    SRGB.encode(light_of(parse_icc(icc), rows[0])[None], ours)
    inside = (np.asarray(engine) > 0) & (np.asarray(engine) < 255)
    assert inside.mean() > 0.9
    assert np.abs(ours.astype(int) - np.asarray(engine))[inside].max() <= 1


def test_white_is_white_and_grey_is_grey():
    light = light_of(parse_icc(samples.rgb_icc(samples.P3_PRIMARIES)), [[255] * 3, [99] * 3])
    np.testing.assert_allclose(light[0], 1.0, atol=1e-6)
    np.testing.assert_allclose(light[1], light[1, 0], atol=1e-6)


def test_wide_primaries_leave_the_unit_range():
    light = light_of(parse_icc(samples.rgb_icc(samples.P3_PRIMARIES)), [[255, 0, 0], [0, 255, 0]])
    np.testing.assert_allclose(light[0], [1.2249, -0.0420, -0.0197], atol=2e-3)
    assert light[1, 0] < -0.2


def test_srgb_itself_needs_no_matrix():
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert parse_icc(icc).to_srgb is None
    assert parse_icc(samples.rgb_icc(samples.P3_PRIMARIES)).to_srgb is not None


def test_grey_profile():
    profile = parse_icc(samples.grey_icc(samples.gamma_curve(2.0)))
    assert profile.grey
    np.testing.assert_allclose(profile.curves[1](X), X**2, atol=1e-6)


def test_lookup_profiles_are_told_apart():
    for icc in (
        samples.icc({b"A2B0": b"mAB " + bytes(60)}),
        samples.icc({b"A2B0": bytes(64)}, b"CMYK", b"Lab "),
    ):
        with pytest.raises(LookupProfileError):
            parse_icc(icc)
    assert colour_space(icc) == "CMYK"


GOOD = samples.rgb_icc()


def test_the_shortest_header():
    assert colour_space(GOOD[:132]) == "RGB"
    with pytest.raises(BrokenProfileError, match="no ICC header"):
        colour_space(GOOD[:131])


@pytest.mark.parametrize(("count", "message"), [(200, None), (201, "list of tags is damaged")])
def test_the_most_tags(count, message):
    rest = count - len(TAGS)
    icc = samples.icc(TAGS | {b"t%03d" % number: b"text" for number in range(rest)})
    if message is None:
        assert parse_icc(icc).to_srgb is None
    else:
        with pytest.raises(BrokenProfileError, match=message):
            parse_icc(icc)


def test_a_tag_that_ends_with_the_file_and_one_that_does_not():
    assert parse_icc(GOOD).to_srgb is None
    with pytest.raises(BrokenProfileError, match="cut short"):
        parse_icc(GOOD[:-1])


def test_a_list_of_tags_that_ends_with_the_file():
    """A profile of no tag that is needed, whose only one has no content."""
    icc = samples.icc({b"wtpt": b""})
    assert len(icc) == 132 + 12
    with pytest.raises(LookupProfileError):
        parse_icc(icc)
    with pytest.raises(BrokenProfileError, match="list of tags"):
        parse_icc(icc[:-1])


def test_a_curve_need_not_reach_white():
    dim = samples.rgb_icc(curve=samples.table_curve([0, 0.3, 0.6]))
    np.testing.assert_allclose(parse_icc(dim).curves[0](X)[-1], 0.6, atol=1e-4)
    with pytest.raises(BrokenProfileError, match="does not rise"):
        parse_icc(samples.rgb_icc(curve=samples.table_curve([0, 0.2, 0.4])))


def test_a_curve_may_dip_by_rounding_only():
    a_little = samples.table_curve([0, 0.5005, 0.5, 1])  # over a third of the probes
    assert parse_icc(samples.rgb_icc(curve=a_little)).curves[0](X)[-1] == 1
    with pytest.raises(BrokenProfileError, match="does not rise"):
        parse_icc(samples.rgb_icc(curve=samples.table_curve([0, 1, 0.5, 1] * 40)))


@pytest.mark.parametrize(("dip", "read"), [(0.0008, True), (0.0012, False)])
def test_how_far_a_curve_may_dip(dip, read):
    steps = np.linspace(0, 1, 4097)  # as many as are probed
    steps[2000] = steps[1999] - dip
    icc = samples.rgb_icc(curve=samples.table_curve(steps))
    if read:
        assert parse_icc(icc).to_srgb is None
    else:
        with pytest.raises(BrokenProfileError, match="does not rise"):
            parse_icc(icc)


@pytest.mark.parametrize(("mixed", "same"), [(0.002, True), (0.005, False)])
def test_how_near_to_srgb_counts_as_srgb(mixed, same):
    """A little of the green primary in the red one."""
    mix = np.eye(3)
    mix[0, :2] = 1 - mixed, mixed
    primaries = (np.array(samples.SRGB_PRIMARIES).T @ mix).T
    assert (parse_icc(samples.rgb_icc(primaries)).to_srgb is None) == same


def test_a_profile_without_tags():
    with pytest.raises(BrokenProfileError, match="list of tags"):
        parse_icc(samples.icc({}))


@pytest.mark.parametrize("shift", [0.04, 0.06])
def test_primaries_must_add_up_to_white(shift):
    red, green, blue = samples.SRGB_PRIMARIES
    moved = ((red[0] + shift, red[1], red[2]), green, blue)
    if shift < 0.05:
        np.testing.assert_allclose(parse_icc(samples.rgb_icc(moved)).to_srgb.sum(axis=1), 1.0)
    else:
        with pytest.raises(BrokenProfileError, match="add up to white"):
            parse_icc(samples.rgb_icc(moved))


@pytest.mark.parametrize("kind", [b"XYZ ", b"text"])
def test_primaries_of_another_kind_are_damaged(kind):
    icc = samples.icc(TAGS | {b"rXYZ": kind + TAGS[b"rXYZ"][4:]})
    if kind == b"XYZ ":
        assert parse_icc(icc).to_srgb is None
    else:
        with pytest.raises(BrokenProfileError, match="primaries are damaged"):
            parse_icc(icc)


def test_primaries_cut_short_are_damaged():
    with pytest.raises(BrokenProfileError, match="primaries are damaged"):
        parse_icc(samples.icc(TAGS | {b"rXYZ": TAGS[b"rXYZ"][:16]}))


FALLING = samples.table_curve([1, 0.5, 0])


@pytest.mark.parametrize(
    "icc",
    [
        b"",
        b"not a profile" * 30,
        GOOD[:140],
        GOOD[:-60],
        GOOD[:128] + struct.pack(">I", 2**31) + GOOD[132:],
        samples.rgb_icc(curve=FALLING),
        samples.rgb_icc(curve=samples.gamma_curve(0)),
        samples.rgb_icc(curve=b"curv\0\0\0\0" + struct.pack(">I", 2**31)),
        samples.rgb_icc(curve=samples.parametric_curve(9, 1.0)),
        samples.rgb_icc(curve=samples.parametric_curve(1, 1.0, 0.0, 1.0)),
        samples.rgb_icc(((0, 0, 0),) * 3),
        samples.rgb_icc((samples.SRGB_PRIMARIES[0],) * 3),
        GOOD + bytes(9_000_000),
    ],
)
@fault("images", "colour profiles broken in every part", "left out with a note, sRGB assumed")
def test_broken_profiles(icc):
    with pytest.raises(BrokenProfileError):
        parse_icc(icc)


@settings(max_examples=200)
@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
@fault("images", "a changed byte in a colour profile", "read, or left out")
def test_a_changed_byte_never_crashes(at, value):
    icc = GOOD[:at] + bytes([value]) + GOOD[at + 1 :]
    with contextlib.suppress(BrokenProfileError, LookupProfileError):
        parse_icc(icc)
