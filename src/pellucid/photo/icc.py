"""Read matrix/TRC and grey ICC profiles (ICC.1:2022, sections 7, 8.3, 10.6, 10.18)."""

from __future__ import annotations

import struct
from functools import lru_cache

import numpy as np

from pellucid.photo.profile import ColourProfile, Curve, Floats, ParametricCurve, TableCurve

_MAX_BYTES = 8_000_000
_D50 = np.array([0.9642, 1.0, 0.8249])
# sRGB primaries adapted to D50 (Bradford), XYZ in rows: IEC 61966-2-1 by way of ICC.1, annex E.
_SRGB_TO_D50 = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
# Parameters of a `para` curve by function type, in the order g a b c d e f.
_PARAMETRIC_LENGTHS = (1, 3, 4, 5, 7)


class BrokenProfileError(ValueError):
    """The bytes are no usable ICC profile."""


class LookupProfileError(ValueError):
    """A valid profile, but one of look-up tables, which only a colour engine can apply."""


def colour_space(icc: bytes) -> str:
    """Return the device space a profile is for: "RGB", "GRAY", "CMYK", ..."""
    if len(icc) < 132 or icc[36:40] != b"acsp":
        raise BrokenProfileError("it has no ICC header")
    if len(icc) > _MAX_BYTES:
        raise BrokenProfileError(f"it is larger than {_MAX_BYTES:,} bytes")
    return icc[16:20].decode("latin-1").strip()


@lru_cache(maxsize=16)
def parse_icc(icc: bytes) -> ColourProfile:
    """Turn a matrix/TRC or grey profile into a :class:`ColourProfile`.

    Raises BrokenProfileError for damaged bytes and LookupProfileError for the other kinds.
    """
    space = colour_space(icc)
    tags = _tags(icc)
    if space == "GRAY" and icc[20:24] == b"XYZ " and b"kTRC" in tags:
        curve = _curve(tags[b"kTRC"])
        return ColourProfile((curve, curve, curve), icc=icc, grey=True)
    needed = {b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"}
    if space != "RGB" or icc[20:24] != b"XYZ " or not needed <= tags.keys():
        raise LookupProfileError(f"it is a {space} profile of look-up tables")
    curves = (_curve(tags[b"rTRC"]), _curve(tags[b"gTRC"]), _curve(tags[b"bTRC"]))
    columns = [_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
    return ColourProfile(curves, _matrix_to_srgb(np.stack(columns, axis=1)), icc)


def _tags(icc: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", icc, 128)
    if not 0 < count <= 200 or len(icc) < 132 + 12 * count:
        raise BrokenProfileError("its list of tags is damaged")
    tags = {}
    for index in range(count):
        name, offset, size = struct.unpack_from(">4sII", icc, 132 + 12 * index)
        if offset + size > len(icc):
            raise BrokenProfileError("it is cut short")
        tags[name] = icc[offset : offset + size]
    return tags


def _xyz(tag: bytes) -> Floats:
    if len(tag) < 20 or tag[:4] != b"XYZ ":
        raise BrokenProfileError("its primaries are damaged")
    return np.frombuffer(tag, ">i4", 3, 8) / 65536.0


def _matrix_to_srgb(to_d50: Floats) -> Floats | None:
    """Return the matrix from the profile's primaries to sRGB's, None where they are the same."""
    if np.abs(to_d50.sum(axis=1) - _D50).max() > 0.05 or abs(np.linalg.det(to_d50)) < 1e-3:
        raise BrokenProfileError("its primaries do not add up to white")
    matrix = np.linalg.solve(_SRGB_TO_D50, to_d50)
    matrix /= matrix.sum(axis=1, keepdims=True)  # rounding in the file must not tint white
    # Profiles of sRGB itself differ by their rounding (up to 0.002); no other space is as near.
    return None if np.abs(matrix - np.eye(3)).max() < 0.004 else matrix


def _curve(tag: bytes) -> Curve:
    try:
        curve = _parse_curve(tag)
    except (struct.error, ValueError, IndexError) as error:
        raise BrokenProfileError("one of its tone curves is damaged") from error
    probe = curve(np.linspace(0.0, 1.0, 4097))
    rising = np.isfinite(probe).all() and np.diff(probe).min() > -1e-3
    if not rising or probe[-1] - probe[0] < 0.5:
        raise BrokenProfileError("one of its tone curves does not rise from black to white")
    return curve


def _parse_curve(tag: bytes) -> Curve:
    if tag[:4] == b"para":
        return _parametric(tag)
    if tag[:4] != b"curv":
        raise ValueError("unknown kind of curve")
    (count,) = struct.unpack_from(">I", tag, 8)
    if count == 0:
        return ParametricCurve(1.0)
    samples = np.frombuffer(tag, ">u2", count, 12)
    if count == 1:
        return ParametricCurve(samples[0] / 256.0)
    return TableCurve(samples / 65535.0)


def _parametric(tag: bytes) -> ParametricCurve:
    """Rewrite the five function types of ``para`` as the most general one."""
    (kind,) = struct.unpack_from(">H", tag, 8)
    values = np.frombuffer(tag, ">i4", _PARAMETRIC_LENGTHS[kind], 12) / 65536.0
    g, *rest = (float(value) for value in values)
    if kind == 0:
        return ParametricCurve(g)
    a, b, *rest = rest
    if kind in (1, 2):
        offset = rest[0] if rest else 0.0
        return ParametricCurve(g, a, b, d=-b / a if a else 0.0, e=offset, f=offset)
    c, d, *rest = rest
    e, f = rest or (0.0, 0.0)
    return ParametricCurve(g, a, b, c, d, e, f)
