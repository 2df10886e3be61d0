"""Fuzzing, bounded in time: whole files of `corpus/`, damaged at random, and text of any kind.

The quick tests try the same cases each time; `pytest -m slow tests/faults/test_fuzz.py` tries other
ones for as long as it says below. A file that breaks something is kept in `corpus/` for good: the
quick tests read every file of that folder as it is, too.
"""

from __future__ import annotations

import io
import struct
import time
import warnings
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pellucid.batch.stores import FolderStore
from pellucid.batch.tasks import Record
from pellucid.batch.words import WordBook, read_table
from pellucid.errors import DataError, DescriptionError, PellucidError, PhotoError, WeightsError
from pellucid.photo import ReadLimits, WriteOptions, read_photo, write_photo
from pellucid.text import MAX_TOKENS, word_table

from . import fault

CORPUS = Path(__file__).parent / "corpus"
SEEDS = {path.name: path.read_bytes() for path in sorted(CORPUS.iterdir())}
PHOTOS = [name for name in SEEDS if not name.endswith(".safetensors")]
LIMITS = ReadLimits(max_pixels=1_000_000)
SLOWEST = 10.0
"""Seconds that no damaged file of a few kB may take, on a busy machine."""
BUDGET = 60.0
"""Seconds that a slow test fuzzes."""

quick = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@st.composite
def damaged(draw: st.DrawFn, names: list[str]) -> tuple[str, bytes]:
    """A file of the corpus with one to eight changes; a PNG's check sums agree again, mostly."""
    name = draw(st.sampled_from(names))
    data = bytearray(SEEDS[name])
    for _ in range(draw(st.integers(1, 8))):
        if not data:
            break
        at = draw(st.integers(0, len(data) - 1))
        kind = draw(st.sampled_from(["flip", "set", "word", "cut", "insert", "end"]))
        if kind == "flip":
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "set":
            data[at] = draw(st.sampled_from([0, 1, 127, 128, 255]))
        elif kind == "word":
            word = draw(st.sampled_from([0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x00010000, 0x10000000]))
            data[at : at + 4] = struct.pack(draw(st.sampled_from(["<I", ">I"])), word)
        elif kind == "cut":
            del data[at : at + draw(st.integers(1, 40))]
        elif kind == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=20))
        elif draw(st.integers(0, 5)) == 0:
            del data[at:]
    if name.endswith(".png") and draw(st.integers(0, 4)):
        mend_sums(data)
    return name, bytes(data)


def mend_sums(data: bytearray) -> None:
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if at + 12 + length > len(data):
            return
        struct.pack_into(">I", data, at + 8 + length, zlib.crc32(data[at + 4 : at + 8 + length]))
        at += 12 + length


def read_and_write(data: bytes) -> None:
    """Read a photo and write it again without its place; only a PhotoError may come of it."""
    begin = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            photo = read_photo(data, limits=LIMITS)
        except PhotoError as error:
            assert "\n" not in str(error)
        else:
            assert min(photo.size) >= 1
            for kind in ("png", "jpeg"):
                try:
                    write_photo(
                        photo, io.BytesIO(), format=kind, options=WriteOptions(keep_gps=False)
                    )
                except PhotoError as error:
                    assert kind == "jpeg"
                    assert "transparency" in str(error) or "pixels a side" in str(error)
    assert time.monotonic() - begin < SLOWEST


def load_weights(data: bytes, folder: Path) -> None:
    checkpoint = pytest.importorskip("pellucid.training.checkpoint")
    path = folder / "w.safetensors"
    path.write_bytes(data)
    try:
        tensors = checkpoint.load_weights(path)
    except WeightsError as error:
        assert "w.safetensors" in str(error)
    else:
        assert all(tensor.numel() < 1_000 for tensor in tensors.values())


def read_words(content: bytes, folder: Path) -> None:
    """Read bytes as every kind of file that holds words, and as a line of a manifest."""
    for name in ("a.json", "a.txt", "words.csv", "words.jsonl"):
        (folder / name).write_bytes(content)
    store = FolderStore(folder)
    for name in ("a.json", "a.txt"):
        with suppress(DataError, PhotoError, DescriptionError):  # an empty file is a PhotoError
            said = WordBook(sidecars=frozenset({name})).find("a.png", store)
            word_table().encode(said.transmission)
    for name in ("words.csv", "words.jsonl"):
        with suppress(DataError):
            read_table(folder / name)
    record = Record.parse(content.decode("utf-8", "replace"))
    assert record is None or isinstance(record.photo, str)


def encode(text: str) -> None:
    try:
        description = word_table().encode(text)
    except DescriptionError:
        assert len(text) > 2_000
        return
    assert np.isfinite(description.tokens).all()
    assert len(description.tokens) <= MAX_TOKENS


ANY_TEXT = st.text(st.characters(), max_size=300)  # lone surrogates too
ANY_WORDS = st.one_of(
    st.binary(max_size=200),
    ANY_TEXT.map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.dictionaries(
                st.sampled_from(["photo", "transmission", "reflection", "notes", "size", "x"]),
                inner,
                max_size=5,
            ),
        ),
        max_leaves=12,
    ).map(lambda value: repr(value).replace("'", '"').replace("None", "null").encode()),
)


@fault("images", "files of the corpus, as they are", "read, or refused in one line")
@pytest.mark.parametrize("name", PHOTOS)
def test_the_corpus(name):
    read_and_write(SEEDS[name])


@fault("images", "damaged files, 60 the same each time", "read, or refused in one line")
@quick
@given(damaged(PHOTOS))
def test_damaged_photos(case):
    read_and_write(case[1])


@fault("weights", "damaged safetensors, 60 the same each time", "read, or refused in one line")
@quick
@given(damaged(["two.safetensors"]))
def test_damaged_weights(tmp_path_factory, case):
    load_weights(case[1], tmp_path_factory.getbasetemp())


@fault("text", "any text, 60 the same each time", "finite tokens, at most 32")
@quick
@given(ANY_TEXT)
def test_any_text(text):
    encode(text)


@fault("text", "any bytes as words beside a photo, as a table or a manifest", "read, or refused")
@quick
@given(ANY_WORDS)
def test_any_words(tmp_path_factory, content):
    read_words(content, tmp_path_factory.getbasetemp())


def for_a_minute(strategy: st.SearchStrategy, check: Callable[[object], None]) -> None:
    """Check new cases until the budget is spent."""
    end = time.monotonic() + BUDGET

    @settings(quick, max_examples=100, derandomize=False, phases=[Phase.generate, Phase.shrink])
    @given(strategy)
    def some(case):
        check(case)

    while time.monotonic() < end:
        some()


@fault("images", "damaged files, new ones for a minute", "read, or refused in one line")
@pytest.mark.slow
def test_damaged_photos_for_long():
    for_a_minute(damaged(PHOTOS), lambda case: read_and_write(case[1]))


@fault("weights", "damaged safetensors, new ones for a minute", "read, or refused in one line")
@pytest.mark.slow
def test_damaged_weights_for_long(tmp_path):
    cases = damaged(["two.safetensors"])
    for_a_minute(cases, lambda case: load_weights(case[1], tmp_path))


@fault("text", "any text and bytes as words, new ones for two minutes", "read, or refused")
@pytest.mark.slow
def test_words_for_long(tmp_path):
    for_a_minute(ANY_TEXT, encode)
    for_a_minute(ANY_WORDS, lambda content: read_words(content, tmp_path))


def test_only_errors_for_people_are_expected():
    """What the checks above let pass is what the command line turns into a line."""
    assert all(
        issubclass(error, PellucidError)
        for error in (PhotoError, WeightsError, DataError, DescriptionError)
    )
