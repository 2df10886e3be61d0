"""Photos, read and written whole: colour, depth, transparency, metadata."""

from pellucid.photo.colour import linear_to_srgb, srgb_to_linear
from pellucid.photo.convert import photo_from_array, photo_from_image
from pellucid.photo.encode import WriteOptions
from pellucid.photo.limits import ReadLimits
from pellucid.photo.metadata import Metadata
from pellucid.photo.photo import Photo
from pellucid.photo.profile import ColourProfile
from pellucid.photo.read import read_photo
from pellucid.photo.write import format_for, suffix_for, write_photo

__all__ = [
    "ColourProfile",
    "Metadata",
    "Photo",
    "ReadLimits",
    "WriteOptions",
    "format_for",
    "linear_to_srgb",
    "photo_from_array",
    "photo_from_image",
    "read_photo",
    "srgb_to_linear",
    "suffix_for",
    "write_photo",
]
