import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.errors import DescriptionError, WeightsError
from pellucid.text import (
    MAX_TOKENS,
    NO_DESCRIPTION,
    TOKEN_WIDTH,
    TextEncoder,
    WordTable,
    _load_table,
    normalise,
    word_table,
)

from .faults import fault


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return word_table()


def test_tokens_are_the_table_rows_wordllama_gives(encoder):
    wordllama = pytest.importorskip("wordllama")
    from pathlib import Path

    folder = Path(wordllama.__file__).parent
    reference = wordllama.WordLlama.load(cache_dir=folder, disable_download=True)
    text = "a red car behind the wet window"
    ids = reference.tokenizer.encode(text).ids[1:]  # without <s>
    np.testing.assert_array_equal(
        encoder.encode(text).tokens, np.asarray(reference.embedding)[ids].astype(np.float32)
    )


def test_shape_and_mask(encoder):
    description = encoder.encode("a red car")
    assert description
    assert description.tokens.shape == (3, TOKEN_WIDTH)
    assert description.tokens.dtype == np.float32
    assert description.mask.tolist() == [True, True, True]
    assert not description.cut


@pytest.mark.parametrize("text", [None, "", "  \n\t", "\x00\x1b", "\ud800", "\u200b\u202e"])
@fault("text", "empty, blank, only control characters or marks", "as if nothing was said")
def test_nothing_said_is_no_description(encoder, text):
    description = encoder.encode(text)
    assert description is NO_DESCRIPTION
    assert not description
    assert description.tokens.shape == (1, TOKEN_WIDTH)
    assert not description.mask.any()


def test_tokens_merge_into_the_words_typed(encoder):
    description = encoder.encode("a  car, übergroße\tHäuser 🚗 end")
    assert description.words == ("a", "car,", "übergroße", "Häuser", "🚗", "end")
    starts = [start for start, _ in description.spans]
    stops = [stop for _, stop in description.spans]
    assert starts == [0, *stops[:-1]]
    assert stops[-1] == len(description.tokens) > len(description.words)


@fault("text", "more words than the model takes", "cut, with a note")
def test_long_description_is_cut_and_says_so(encoder):
    description = encoder.encode("house " * 40)
    assert len(description.tokens) == MAX_TOKENS
    assert len(description.words) == MAX_TOKENS
    assert description.cut


def test_a_megabyte_is_refused_with_the_limit():
    with pytest.raises(DescriptionError, match="at most 2000"):
        normalise("x" * 1_000_000)


@fault(
    "text",
    "control characters, ANSI, direction marks, surrogates",
    "taken out before the words are used",
)
def test_normalise_composes_and_collapses():
    assert normalise("  cafe\u0301\x1b[31m \u202eback\ud800\n end ") == "café [31m back end"


@settings(max_examples=60)
@given(st.text(max_size=60))
def test_any_text_gives_finite_tokens_covered_by_its_words(text):
    description = word_table().encode(text)
    assert np.isfinite(description.tokens).all()
    assert 1 <= len(description.tokens) <= MAX_TOKENS
    if description:
        covered = [i for start, stop in description.spans for i in range(start, stop)]
        assert covered == list(range(len(description.tokens)))
        assert normalise(text).split(" ")[: len(description.words)] == list(description.words)


def test_same_text_however_it_is_composed(encoder):
    np.testing.assert_array_equal(
        encoder.encode("café").tokens, encoder.encode("cafe\u0301").tokens
    )


def test_missing_package_names_the_remedy(monkeypatch):
    _load_table.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(WeightsError, match="pip install wordllama"):
        WordTable().encode("car")


@fault("text", "the table of words is damaged", "refused in one line with the remedy")
def test_damaged_table_names_the_remedy(monkeypatch, tmp_path):
    _load_table.cache_clear()
    monkeypatch.setattr("pellucid.text._wordllama_folder", lambda: tmp_path)
    with pytest.raises(WeightsError, match="--force-reinstall"):
        WordTable().encode("car")
