"""Parts of documents that scripts write: what stands between two marks is read, never typed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pellucid.files import appearing_whole

END = "<!-- end -->"


def fill(document: Path, parts: Mapping[str, str]) -> None:
    """Put texts between the marks of a document: after the line `<!-- name -->`, before the end.

    Raises SystemExit, and the document stays as it is, where a mark is missing.
    """
    text = document.read_text("utf-8")
    for name, part in parts.items():
        head, begin, rest = text.partition(f"<!-- {name} -->\n")
        _, end, tail = rest.partition(END)
        if not begin or not end:
            raise SystemExit(f"{document.name} has no part between <!-- {name} --> and {END}")
        text = head + begin + part + end + tail
    with appearing_whole(document) as partial:
        partial.write_text(text, "utf-8")
