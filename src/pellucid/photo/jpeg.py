"""How many passes a JPEG makes over its picture (ITU-T T.81, annex B).

A progressive file refines the whole picture pass by pass. A pass may take twenty bytes of the file
and, in decoding, as long as the whole picture: a small file of many passes keeps a processor busy
for hours. Encoders make about ten.
"""

from __future__ import annotations

import re

MOST_PASSES = 200
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""Behind a pass's header: 0xff is data before zero, and a restart before 0xd0 to 0xd7."""
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9


def count_passes(data: bytes) -> int:
    """Return the scans of the file's first picture; what follows that picture is not looked at."""
    passes, at = 0, 2
    while (marker := _NEXT_MARKER.search(data, at)) is not None:
        kind = data[marker.start() + 1]
        if kind == _END_OF_IMAGE:
            break
        passes += kind == _START_OF_SCAN
        at = marker.end()
        at += max(2, int.from_bytes(data[at : at + 2], "big"))
    return passes
