"""How large a photo may be, checked before any memory is taken for it."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.errors import PhotoError


@dataclass(frozen=True)
class ReadLimits:
    """The largest photo that is read.

    ``max_pixels`` is width × height, ``max_bytes`` the size of the file. Both guard against small
    files that unpack into huge pictures and against running out of memory half-way.
    """

    max_pixels: int = 200_000_000
    max_bytes: int = 1_000_000_000

    def check_pixels(self, name: str, width: int, height: int) -> None:
        """Raise PhotoError if a picture of this size is over the limit or empty."""
        if width < 1 or height < 1:
            raise PhotoError(f"{name}: the picture is empty ({width} × {height} pixels)")
        if width * height > self.max_pixels:
            raise PhotoError(
                f"{name}: {width} × {height} pixels are over the limit of {self.max_pixels:,}; "
                "raise max_pixels (ReadLimits) if you trust the file"
            )

    def check_bytes(self, name: str, size: int) -> None:
        """Raise PhotoError if a file of ``size`` bytes is over the limit or empty."""
        if size == 0:
            raise PhotoError(f"{name}: the file is empty; was it copied to the end?")
        if size > self.max_bytes:
            raise PhotoError(
                f"{name}: the file is over the limit of {self.max_bytes:,} bytes; "
                "raise max_bytes (ReadLimits) if you trust it"
            )


DEFAULT_LIMITS = ReadLimits()
