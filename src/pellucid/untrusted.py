"""What comes from files of unknown origin: parsed with one kind of error, shown without effects."""

from __future__ import annotations

import json
from typing import Any


def parse_json(text: str | bytes) -> Any:
    """Parse a JSON document.

    Raises:
        json.JSONDecodeError: it is none, or is nested deeper than Python can follow, which
            `json.loads` tells by a `RecursionError`.
        UnicodeDecodeError: its bytes are not of a Unicode encoding.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise json.JSONDecodeError("nested too deeply", "", 0) from error


def printable(text: str) -> str:
    r"""Return the text with control, formatting and other unprintable characters as `\x1b`.

    So a name or a message stays one line and cannot steer a terminal.
    """
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )
