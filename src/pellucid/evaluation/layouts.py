"""The field's test sets, read in the folder layouts they are published in.

| set | a mixture and its layers |
|---|---|
| Real20 (Zhang et al., CVPR 2018) | `blended/3.jpg`, `transmission_layer/3.jpg` |
| Nature (Li et al., CVPR 2020) | as Real20 |
| SIR² (Wan et al., ICCV 2017) | `1/m.jpg`, `1/g.jpg`, `1/r.jpg`; `5-m-2.png`, `5-g-2.png`, … |
| SIR² beside ERRNet (Wei et al., CVPR 2019) | `blended/5-m-2.png`, `transmission_layer/5-g-2.png` |
| CEILNet (Fan et al., ICCV 2017) | `7-input.png`, `7-label1.png`, `7-label2.png` |
| CDR (Lei et al., 2021) | `C1/5532_M.png`, …`_T.png`, …`_R.png`; or those in `M/`, `T/`, `R/` |
| OpenRR (Yang et al., 2025) | as Real20; or `input/7.jpg`, `gt/7.jpg` |

All of them say which image is which by a word that is a folder's name or stands alone in a file's
name, so one rule reads them all: swap the words for a mixture against those for a layer, and look
whether that file is there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pellucid.errors import DataError
from pellucid.evaluation.pairs import Pair, read_pairs_file

_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}
_WORD = re.compile(r"[A-Za-z0-9]+")


@dataclass(frozen=True)
class Layout:
    """How a set names its files: (mixture, transmission, reflection) words, in lower case."""

    name: str
    folders: tuple[tuple[str, str, str], ...] = ()
    names: tuple[tuple[str, str, str], ...] = ()


_BLENDED = ("blended", "transmission_layer", "reflection_layer")
LAYOUTS = (
    Layout("SIR²", folders=(_BLENDED,), names=(("m", "g", "r"),)),
    Layout("Real20, Nature, OpenRR", folders=(_BLENDED,)),
    Layout("CEILNet", names=(("input", "label1", "label2"),)),
    Layout("CDR", folders=(("m", "t", "r"),), names=(("m", "t", "r"),)),
    Layout("OpenRR", folders=(("input", "gt", "reflection"),)),
)


def read_pairs(source: Path) -> list[Pair]:
    """Read a `pairs.jsonl`, a folder that holds one, or a folder in one of the field's layouts.

    Raises `DataError` if there is nothing to read there, a line is malformed or a file is missing.
    """
    if source.is_dir():
        listed = source / "pairs.jsonl"
        return read_pairs_file(listed) if listed.is_file() else read_folder(source)
    if not source.is_file():
        raise DataError(f"{source}: no such file or folder")
    return read_pairs_file(source)


def read_folder(folder: Path) -> list[Pair]:
    """Read the pairs of a folder in the first of `LAYOUTS` that finds any, sorted by name.

    Raises `DataError` if none does, or if some mixtures have a transmission and others lack it.
    """
    images = _images(folder)
    for layout in LAYOUTS:
        pairs, alone = _match(layout, images)
        if pairs and alone:
            raise DataError(
                f"{folder}: read as {layout.name}, {alone[0]} and {len(alone) - 1} more have no "
                f"transmission beside them; give the folder that holds only complete pairs"
            )
        if pairs:
            return pairs
    raise DataError(
        f"{folder}: no pairs found. Give a pairs.jsonl, or a folder in the layout of one of "
        + ", ".join(layout.name for layout in LAYOUTS)
    )


def _images(folder: Path) -> dict[str, Path]:
    """Every image below `folder` by its key: relative path in lower case, without the suffix."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES)
    relative = {path: PurePosixPath(path.relative_to(folder).as_posix()) for path in files}
    return {str(key.with_suffix("")).lower(): path for path, key in relative.items()}


def _match(layout: Layout, images: Mapping[str, Path]) -> tuple[list[Pair], list[str]]:
    """Pairs found, and the keys of mixtures that have no transmission."""
    pairs, alone = [], []
    for key, mixture in images.items():
        transmission_key, reflection_key = (_partner(layout, key, layer) for layer in (1, 2))
        if transmission_key is None or reflection_key is None:
            continue
        transmission = images.get(transmission_key)
        if transmission is None:
            alone.append(key)
        else:
            pairs.append(Pair(key, mixture, transmission, images.get(reflection_key)))
    return pairs, alone


def _partner(layout: Layout, key: str, layer: int) -> str | None:
    """Return the key of a mixture's layer (1 or 2), or `None` if `key` is not a mixture's.

    Where a layout marks names, the name must say it: sets differ in whether folders say so too.
    """
    *parents, name = key.split("/")
    folder_words = {words[0]: words[layer] for words in layout.folders}
    name_words = {words[0]: words[layer] for words in layout.names}
    new_parents = [folder_words.get(parent, parent) for parent in parents]
    new_name = _WORD.sub(lambda word: name_words.get(word[0], word[0]), name)
    said = new_name != name if layout.names else new_parents != parents
    return "/".join([*new_parents, new_name]) if said else None
