"""Photos that are damaged, that lie, or that unpack into more than memory holds."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ...photo import samples

SIGNATURE = b"\x89PNG\r\n\x1a\n"
DEFLATE, UNCOMPRESSED = 8, 1


@dataclass(frozen=True)
class Attack:
    """One hostile file; `says` is what the refusal must match."""

    tried: str
    make: Callable[[], bytes]
    says: str = "damaged or cut short"


def encoded(kind: str, image: Image.Image | None = None, **how) -> bytes:
    out = io.BytesIO()
    (image or Image.fromarray(samples.smooth(24, 32))).save(out, kind, **how)
    return out.getvalue()


def png_chunk(name: bytes, content: bytes) -> bytes:
    crc = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", crc)


def png(size=(4, 4), depth=8, colour=2, chunks=(), pixels: bytes | None = None) -> bytes:
    """A PNG with any header; without `pixels`, those of a black picture of 4 × 4."""
    if pixels is None:
        pixels = bytes(4 * (1 + 4 * 3 * depth // 8))
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0))
    tail = [png_chunk(b"IDAT", zlib.compress(pixels, 9)), png_chunk(b"IEND", b"")]
    return SIGNATURE + head + b"".join([*chunks, *tail])


def tiff(tags: dict[int, tuple[int, ...] | bytes], data: bytes = b"", following: int = 0) -> bytes:
    """A little-endian TIFF of one directory; `data` lies at offset 8, the tags behind it."""
    start = 8 + len(data)
    entries, extra = b"", b""
    extra_at = start + 2 + 12 * len(tags) + 4
    for tag, values in sorted(tags.items()):
        if isinstance(values, bytes):
            kind, count, content = 7, len(values), values
        else:
            kind, count, content = 4, len(values), struct.pack(f"<{len(values)}I", *values)
        if len(content) > 4:
            content, extra = struct.pack("<I", extra_at + len(extra)), extra + content
        entries += struct.pack("<HHI", tag, kind, count) + content.ljust(4, b"\0")
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", following)
    return b"II*\0" + struct.pack("<I", start) + data + directory + extra


def rgb_tiff(
    size=(4, 4),
    bits=(8, 8, 8),
    data: bytes = bytes(48),
    compression=UNCOMPRESSED,
    more: dict[int, tuple[int, ...] | bytes] | None = None,
    following: int = 0,
) -> bytes:
    tags = {
        256: (size[0],),
        257: (size[1],),
        258: tuple(bits),
        259: (compression,),
        262: (2,),
        273: (8,),
        277: (len(bits),),
        278: (size[1],),
        279: (len(data),),
    }
    return tiff(tags | (more or {}), data, following)


def avif_that_claims(side: int) -> bytes:
    data = encoded("AVIF")
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", side, side) + data[at + 8 :]


def gif_with_a_frame_of(side: int) -> bytes:
    data = encoded("GIF", Image.new("P", (4, 4)))
    at = data.index(b"\x2c\0\0\0\0") + 5
    return data[:at] + struct.pack("<HH", side, side) + data[at + 4 :]


def webp_canvas(side: int) -> bytes:
    extended = b"VP8X" + struct.pack("<I", 10) + bytes(4)
    extended += (side - 1).to_bytes(3, "little") * 2
    body = b"WEBP" + extended + encoded("WEBP")[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def bmp_that_claims(side: int) -> bytes:
    data = encoded("BMP")
    return data[:18] + struct.pack("<ii", side, side) + data[26:]


def jpeg_that_claims(side: int) -> bytes:
    data = encoded("JPEG")
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", side, side) + data[at + 4 :]


def jpeg_of_many_scans(count: int) -> bytes:
    """A progressive JPEG that repeats its last pass; each costs the time of the whole picture."""
    data = encoded("JPEG", Image.new("RGB", (64, 64)), progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + count * last + b"\xff\xd9"


def gif_of_many_frames(count: int) -> bytes:
    first = encoded("GIF", Image.new("P", (1, 1)))
    frame = b"\x21\xf9\4\0\0\0\0\0\x2c\0\0\0\0\1\0\1\0\0\2\2\x44\1\0"
    return first[:-1] + count * frame + b";"


def jpeg_with_segments(marker: bytes, content: bytes) -> bytes:
    data = encoded("JPEG")
    return data[:2] + marker + struct.pack(">H", len(content) + 2) + content + data[2:]


def tiff_in_a_loop() -> bytes:
    """Its second directory is its first."""
    return rgb_tiff(following=8 + 48)


def exif_in_a_loop() -> bytes:
    """An EXIF block whose sub-directories and next directory are the directory itself."""
    loop = struct.pack("<H", 3)
    for tag in (0x8769, 0x8825, 0xA005):
        loop += struct.pack("<HHII", tag, 4, 1, 8)
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + loop + struct.pack("<I", 8)


def deflated_zeros(megabytes: int) -> bytes:
    """A zlib stream of so many megabytes of zeros; only its check sum is wrong."""
    packer = zlib.compressobj(9)
    block = packer.compress(bytes(1_000_000)) + packer.flush(zlib.Z_FULL_FLUSH)
    head, block = block[:2], block[2:]
    return head + megabytes * block + packer.flush()


BOMBS = [
    Attack("PNG of 60,000 × 60,000 in 100 bytes", lambda: png((60_000, 60_000)), "max_pixels"),
    Attack("16-bit PNG with a header of 180 Mpx and no pixels", lambda: png((9_000, 20_000), 16)),
    Attack("AVIF that claims 60,000 × 60,000", lambda: avif_that_claims(60_000), "damaged|max_pix"),
    Attack("GIF with a frame of 65,535² on a canvas of 4²", lambda: gif_with_a_frame_of(65_535)),
    Attack("WebP with a canvas of 16,000²", lambda: webp_canvas(16_000), "max_pixels|damaged"),
    Attack("BMP that claims 2³¹ − 1 a side", lambda: bmp_that_claims(2**31 - 1), "max_pixels"),
    Attack("JPEG that claims 65,500²", lambda: jpeg_that_claims(65_500), "max_pixels"),
    Attack("JPEG of 10,000 passes", lambda: jpeg_of_many_scans(10_000), "passes"),
    Attack("TIFF that claims 2³² − 1 a side", lambda: rgb_tiff((2**32 - 1,) * 2), "max_pixels"),
    Attack(
        "TIFF of 16 bits with 60,000 channels",
        lambda: rgb_tiff((3_000, 3_000), (16,) * 60_000),
    ),
    Attack(
        "TIFF of 16 bits with tiles of 10⁹ pixels",
        lambda: rgb_tiff(
            bits=(16,) * 3, more={322: (2**15,), 323: (2**15,), 324: (8,), 325: (48,)}
        ),
        "damaged|max_pixels|memory",
    ),
    Attack(
        "TIFF whose strip for 96 bytes unpacks to 1 GB",
        lambda: rgb_tiff(bits=(16,) * 3, data=deflated_zeros(1_000), compression=DEFLATE),
        "",
    ),
    Attack(
        "PNG with a zTXt chunk that unpacks to 50 MB",
        lambda: png(chunks=[png_chunk(b"zTXt", b"a\0\0" + deflated_zeros(50))]),
    ),
    Attack(
        "PNG with a colour profile that unpacks to 50 MB",
        lambda: png(chunks=[png_chunk(b"iCCP", b"a\0\0" + deflated_zeros(50))]),
    ),
]

NOT_PHOTOS = [
    Attack("empty file", lambda: b"", "is empty"),
    Attack("one byte", lambda: b"\xff", "not a photo"),
    Attack("EPS named .png", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n", "not a photo"),
    Attack(
        "SVG named .png",
        lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "not a photo",
    ),
    Attack("PDF named .png", lambda: b"%PDF-1.7\n", "not a photo"),
    Attack("HTML named .png", lambda: b"<html><script>alert(1)</script>", "not a photo"),
    Attack("ZIP named .png", lambda: b"PK\3\4" + bytes(60), "not a photo"),
    Attack("PPM named .png", lambda: b"P6 1 1 255\n\0\0\0", "not a photo"),
    Attack("PSD named .png", lambda: b"8BPS\0\1" + bytes(40), "not a photo"),
    Attack("ICO named .png", lambda: b"\0\0\1\0\1\0" + bytes(40), "not a photo"),
    Attack("PNG of no pixels", lambda: png((0, 4)), "damaged|empty"),
    Attack("TIFF without a directory", lambda: b"II*\0\xff\xff\xff\xff"),
    Attack("TIFF of floats that are NaN", lambda: floats(np.nan), "NaN"),
    Attack("TIFF of floats that are infinite", lambda: floats(np.inf), "NaN or infinity"),
    Attack("TIFF of floats beyond 1", lambda: floats(7.0), "outside 0 to 1"),
]


def floats(value: float) -> bytes:
    return encoded("TIFF", Image.fromarray(np.full((8, 8), value, np.float32)))


def modes() -> dict[str, bytes]:
    """A picture of every mode a file can have, by its description."""
    rgb = Image.fromarray(samples.smooth(24, 32))
    alpha = rgb.copy()
    alpha.putalpha(Image.fromarray(samples.smooth(24, 32)[..., 0]))
    grey16 = Image.fromarray(samples.codes(24, 32, 1, np.uint16)[..., 0])
    unit = Image.fromarray((samples.smooth(24, 32)[..., 0] / 255).astype(np.float32))
    return {
        "1 (black and white)": encoded("PNG", rgb.convert("1")),
        "L (grey)": encoded("PNG", rgb.convert("L")),
        "LA (grey with alpha)": encoded("PNG", alpha.convert("LA")),
        "P (palette)": encoded("PNG", rgb.convert("P")),
        "P with tRNS": encoded("PNG", rgb.convert("P"), transparency=bytes(range(256))),
        "RGB": encoded("PNG", rgb),
        "RGBA": encoded("PNG", alpha),
        "CMYK": encoded("JPEG", rgb.convert("CMYK")),
        "I;16 (16-bit grey)": encoded("PNG", grey16),
        "F (floats in 0 to 1)": encoded("TIFF", unit),
        "16-bit RGB": sixteen_bits(),
        "an animated GIF": encoded(
            "GIF", rgb.convert("P"), save_all=True, append_images=[rgb.rotate(90).convert("P")]
        ),
        "an animated PNG": encoded("PNG", rgb, save_all=True, append_images=[rgb.rotate(90)]),
    }


def sixteen_bits() -> bytes:
    codes = samples.codes(24, 32, 3, np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in codes)
    return png((32, 24), 16, pixels=rows)


def odd_metadata() -> dict[str, bytes]:
    """Photos that are whole, with metadata or a profile that is not."""
    steering = Image.Exif()
    steering[0x010E] = "\x1b]0;evil\x07<script>alert(1)</script>\n../../etc/passwd"
    long = Image.Exif()
    long[0x927C] = bytes(5_000_000)
    lookup = samples.icc({b"A2B0": bytes(40)})
    return {
        "EXIF of 5 MB": encoded("PNG", exif=long),
        "EXIF that leads to itself": jpeg_with_segments(b"\xff\xe1", exif_in_a_loop()),
        "EXIF of random bytes": jpeg_with_segments(
            b"\xff\xe1", b"Exif\0\0" + samples.codes(1, 3_000, 1).tobytes()
        ),
        "EXIF with ANSI, HTML and paths": encoded("JPEG", exif=steering),
        "a profile that is noise": encoded("PNG", icc_profile=b"noise" * 100),
        "a profile cut short": encoded("JPEG", icc_profile=samples.rgb_icc()[:200]),
        "a grey profile on an RGB photo": encoded("JPEG", icc_profile=samples.grey_icc()),
        "a look-up profile without its tables": encoded("JPEG", icc_profile=lookup),
        "a profile of 50 MB": rgb_tiff(more={34675: bytes(50_000_000)}),
        "a TIFF whose directories are a loop": tiff_in_a_loop(),
        "a GIF of 20,000 frames": gif_of_many_frames(20_000),
    }
