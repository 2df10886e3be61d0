import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.errors import ConfigError
from pellucid.evaluation.modes import Mode, parse_modes, words_for
from pellucid.evaluation.pairs import Descriptions

WORDS = [Descriptions("a", "b"), Descriptions("c", None), Descriptions(None, "d")]


def test_modes_that_keep_or_drop() -> None:
    assert words_for(Mode.NONE, WORDS, 0) == [Descriptions()] * 3
    assert words_for(Mode.RIGHT, WORDS, 0) == WORDS
    assert words_for(Mode.TRANSMISSION, WORDS, 0)[0] == Descriptions("a", None)
    assert words_for(Mode.REFLECTION, WORDS, 0)[0] == Descriptions(None, "b")
    assert words_for(Mode.SWAPPED, WORDS, 0)[:2] == [
        Descriptions("b", "a"),
        Descriptions(None, "c"),
    ]


texts = st.sampled_from(["a lamp", "a dog", "a tree", None])


@settings(max_examples=50)
@given(st.lists(st.builds(Descriptions, texts, texts), min_size=1, max_size=6), st.integers(0, 99))
def test_wrong_words_are_another_photos(words: list[Descriptions], seed: int) -> None:
    drawn = words_for(Mode.WRONG, words, seed)
    assert drawn == words_for(Mode.WRONG, words, seed)
    for layer in ("transmission", "reflection"):
        said = [getattr(own, layer) for own in words]
        for own, wrong in zip(said, (getattr(one, layer) for one in drawn), strict=True):
            others = {text for text in said if text not in (None, own)}
            assert wrong in others if own is not None and others else wrong is None


def test_wrong_words_depend_on_the_seed() -> None:
    words = [Descriptions(f"scene {i}", None) for i in range(20)]
    assert words_for(Mode.WRONG, words, 0) != words_for(Mode.WRONG, words, 1)


def test_names() -> None:
    assert parse_modes(["none", "wrong"]) == [Mode.NONE, Mode.WRONG]
    with pytest.raises(ConfigError, match=r"'both'.*none, right"):
        parse_modes(["both"])
