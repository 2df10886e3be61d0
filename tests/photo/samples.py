"""Small pictures, profiles and metadata for the tests of photos."""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image

SRGB_PRIMARIES = (
    (0.4360747, 0.2225045, 0.0139322),
    (0.3850649, 0.7168786, 0.0971045),
    (0.1430804, 0.0606169, 0.7141733),
)
P3_PRIMARIES = (
    (0.51512, 0.24120, -0.00105),
    (0.29198, 0.69225, 0.04189),
    (0.15710, 0.06657, 0.78407),
)
ADOBE_PRIMARIES = (
    (0.60974, 0.31111, 0.01947),
    (0.20528, 0.62567, 0.06087),
    (0.14919, 0.06322, 0.74457),
)


def codes(height=13, width=17, channels=3, dtype=np.uint8, seed=0):
    rng = np.random.default_rng(seed)
    top = np.iinfo(dtype).max
    return rng.integers(0, top, (height, width, channels), dtype=dtype, endpoint=True)


def smooth(height=48, width=64):
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) % 256], -1).astype(np.uint8)


def image_bytes(image: Image.Image, kind: str, **how) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


def jpeg(**how) -> bytes:
    return image_bytes(Image.fromarray(smooth()), "JPEG", **{"quality": 95, **how})


def s15(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def xyz(values) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(s15(value) for value in values)


def gamma_curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def table_curve(values) -> bytes:
    samples = np.asarray(np.rint(np.asarray(values) * 65535), ">u2")
    return b"curv\0\0\0\0" + struct.pack(">I", len(samples)) + samples.tobytes()


def parametric_curve(kind: int, *values: float) -> bytes:
    return b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + b"".join(s15(v) for v in values)


SRGB_CURVE = parametric_curve(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def icc(tags: dict[bytes, bytes], space=b"RGB ", pcs=b"XYZ ") -> bytes:
    table, body = b"", b""
    start = 132 + 12 * len(tags)
    for name, content in tags.items():
        content += b"\0" * (-len(content) % 4)
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content
    head = bytearray(128)
    head[:4] = struct.pack(">I", start + len(body))
    head[8:12] = b"\x04\x20\0\0"
    head[12:16], head[16:20], head[20:24] = b"mntr", space, pcs
    head[36:40] = b"acsp"
    head[68:80] = s15(0.9642) + s15(1.0) + s15(0.8249)
    return bytes(head) + struct.pack(">I", len(tags)) + table + body


def rgb_icc(primaries=SRGB_PRIMARIES, curve=SRGB_CURVE, **curves: bytes) -> bytes:
    tags = {b"rXYZ": xyz(primaries[0]), b"gXYZ": xyz(primaries[1]), b"bXYZ": xyz(primaries[2])}
    for channel in "rgb":
        tags[f"{channel}TRC".encode()] = curves.get(channel, curve)
    tags[b"wtpt"] = xyz((0.9642, 1.0, 0.8249))
    tags[b"desc"] = b"mluc\0\0\0\0" + struct.pack(">II", 0, 12)
    return icc(tags)


def grey_icc(curve=None) -> bytes:
    return icc({b"kTRC": curve or gamma_curve(1.8), b"wtpt": xyz((0.9642, 1.0, 0.8249))}, b"GRAY")


def exif(orientation=6, gps=True) -> Image.Exif:
    block = Image.Exif()
    block[0x010F] = "Maker"
    block[0x0112] = orientation
    block[0x011A] = 300.0
    block.get_ifd(0x8769)[0x9003] = "2024:05:06 07:08:09"
    block.get_ifd(0x8769)[0x927C] = b"private note"
    block.get_ifd(0x8769)[0xA002] = 17
    block.get_ifd(0x8769)[0xA003] = 13
    if gps:
        block.get_ifd(0x8825)[1] = "N"
        block.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    return block


XMP = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/" '
    b'tiff:Orientation="6" exif:GPSLatitude="52,31.2N" exif:FNumber="4/1">'
    b"<exif:GPSLongitude>13,24.0E</exif:GPSLongitude></rdf:Description></rdf:RDF></x:xmpmeta>"
    b'<?xpacket end="w"?>'
)
