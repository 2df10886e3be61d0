"""Fuzzing, bounded in time: whole files of `corpus/`, damaged at random, and text of any kind.

The quick tests try the same cases each time; `pytest -m slow tests/faults/test_fuzz.py` tries other
ones for as long as it says below, and `scripts/fuzz.py` is guided by the lines that run. An input
that breaks something is kept in `corpus/` for good: the quick tests try every file of it as it is.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pellucid.errors import DataError, DescriptionError, PellucidError, PhotoError, WeightsError

from . import fault, targets

SEEDS = {name: targets.seeds(name) for name in targets.TARGETS}
BUDGET = 60.0
"""Seconds that a slow test fuzzes."""

quick = settings(
    max_examples=60,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@st.composite
def damaged(draw: st.DrawFn, target: str) -> bytes:
    """A file of the corpus with one to eight changes; a PNG's check sums agree again, mostly."""
    name = draw(st.sampled_from(list(SEEDS[target])))
    data = bytearray(SEEDS[target][name])
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
        targets.mend_sums(data)
    return bytes(data)


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


AREA = {"photo": "images", "words": "text", "weights": "weights", "api": "server"}
VERDICT = {
    "photo": "read, or refused in one line",
    "words": "read, or refused",
    "weights": "read, or refused in one line",
    "api": "answered, or refused with a sentence; never 500",
}
NEEDS = {"weights": ("torch", "transformers"), "api": ("fastapi", "h11", "onnx")}


@pytest.fixture(scope="session")
def attack(tmp_path_factory) -> Callable[[str, bytes], None]:
    """Try one input on the target of a name."""
    folders = {name: tmp_path_factory.mktemp(name) for name in targets.TARGETS}

    def attack(name: str, data: bytes) -> None:
        for package in NEEDS.get(name, ()):
            pytest.importorskip(package)
        targets.TARGETS[name](data, folders[name])

    return attack


@pytest.mark.parametrize(
    ("target", "name"),
    [
        pytest.param(
            target,
            name,
            id=f"{target}-{name}",
            marks=fault(AREA[target], "files of the corpus, as they are", VERDICT[target]),
        )
        for target, files in SEEDS.items()
        for name in files
    ],
)
def test_the_corpus(attack, target, name):
    attack(target, SEEDS[target][name])


def each_target(tried: str) -> pytest.MarkDecorator:
    """Run a test for each target, as a row of its area."""
    return pytest.mark.parametrize(
        "target",
        [
            pytest.param(target, marks=fault(AREA[target], tried, VERDICT[target]), id=target)
            for target in targets.TARGETS
        ],
    )


@each_target("damaged files of the corpus, 60 the same each time")
def test_damaged_files(attack, target):
    @quick
    @given(damaged(target))
    def some(data):
        attack(target, data)

    some()


@fault("text", "any text, 60 the same each time", "finite tokens, at most 32")
@quick
@given(ANY_TEXT)
def test_any_text(text):
    targets.description(text)


@fault("text", "any bytes as words beside a photo, as a table or a manifest", "read, or refused")
@quick
@given(ANY_WORDS)
def test_any_words(attack, content):
    attack("words", content)


def for_a_minute(strategy: st.SearchStrategy, check: Callable[[object], None]) -> None:
    """Check new cases until the budget is spent."""
    end = time.monotonic() + BUDGET

    @settings(quick, max_examples=100, derandomize=False, phases=[Phase.generate, Phase.shrink])
    @given(strategy)
    def some(case):
        check(case)

    while time.monotonic() < end:
        some()


@pytest.mark.slow
@each_target("damaged files of the corpus, new ones for a minute")
def test_damaged_files_for_long(attack, target):
    for_a_minute(damaged(target), lambda data: attack(target, data))


@fault("text", "any text and bytes as words, new ones for two minutes", "read, or refused")
@pytest.mark.slow
def test_words_for_long(attack):
    for_a_minute(ANY_TEXT, targets.description)
    for_a_minute(ANY_WORDS, lambda content: attack("words", content))


def test_only_errors_for_people_are_expected():
    """What the targets let pass is what the command line turns into a line."""
    assert all(
        issubclass(error, PellucidError)
        for error in (PhotoError, WeightsError, DataError, DescriptionError)
    )
