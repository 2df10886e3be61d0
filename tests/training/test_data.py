"""From a folder of photos to a group of mixtures with words."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pellucid.errors import DataError
from pellucid.synthesis.recipes import CLEAN, SHARP, SYMMETRIC, SynthesisConfig
from pellucid.training.batches import Ahead, BatchConfig, Batches
from pellucid.training.captions import CaptionConfig, Fate, draw_caption, draw_fates
from pellucid.training.partners import PartnerConfig, Partners
from pellucid.training.photos import CaptionedPhoto, PhotoStore, read_captions
from pellucid.training.texts import describe
from pellucid.training.triplets import TripletConfig, write_triplets

PHOTO = CaptionedPhoto("x.jpg", "here", ("Two dogs are jumping over the fence .",), None)


@pytest.fixture
def store(photo_folder, tmp_path):
    return PhotoStore(photo_folder, "train", tmp_path)


def test_the_store_holds_every_photo(store, photo_folder):
    assert len(store) == 12
    whole = store.crop(3, (1.0, 0.0, 0.0), 80)
    with Image.open(photo_folder / store.photos[3].file) as image:
        assert np.array_equal(whole, np.asarray(image)[:, :80])


def test_the_second_use_reads_the_cache(store, photo_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("pellucid.training.photos._decode", None)
    again = PhotoStore(photo_folder, "train", tmp_path)
    assert np.array_equal(again.pixels, store.pixels)


def test_a_folder_without_captions_says_so(tmp_path):
    with pytest.raises(DataError, match=r"captions\.jsonl: not found"):
        read_captions(tmp_path, "train")


def test_a_photo_that_is_no_photo_is_named(photo_folder, tmp_path):
    (tmp_path / "broken.jpg").write_text("no photo")
    row = '{"file": "broken.jpg", "split": "train", "src": "a", "captions": ["b"]}\n'
    (tmp_path / "captions.jsonl").write_text(row)
    with pytest.raises(DataError, match=r"broken\.jpg"):
        PhotoStore(tmp_path, "train", tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*.npy"))


def test_a_group_is_a_function_of_its_numbers(store):
    batches = Batches(store, BatchConfig(group=4, crop=32), seed=7)
    one, same, other = batches.group(5, 0), batches.group(5, 0), batches.group(5, 1)
    assert torch.equal(one.mixtures.mixture, same.mixtures.mixture)
    assert torch.equal(one.transmission.description.tokens, same.transmission.description.tokens)
    assert not torch.equal(one.mixtures.mixture, other.mixtures.mixture)


def mirrored_by(store, captions: list[str], config: PartnerConfig) -> list[str]:
    """Captions of what is mirrored before the first photo, in 40 draws, all of one source."""
    photos = [
        dataclasses.replace(photo, source="here", captions=(caption,))
        for photo, caption in zip(store.photos, captions, strict=True)
    ]
    drawn, random = Partners(photos, config), np.random.default_rng(0)
    return [captions[drawn.mirrored(0, random)] for _ in range(40)]


def test_a_mirrored_photo_may_have_alike_words(store):
    captions = ["two dogs in snow", "a dog in snow", *["a kitchen"] * 10]
    alike = mirrored_by(store, captions, PartnerConfig(alike=1.0))
    any_ = mirrored_by(store, captions, PartnerConfig())
    assert alike.count("a dog in snow") > 20 > 10 > any_.count("a dog in snow") > 0


def test_a_mirrored_photo_may_be_of_the_outdoors(store):
    captions = ["a mug", "Trees, a road", *["a kitchen"] * 10]
    outdoors = mirrored_by(store, captions, PartnerConfig(outdoors=1.0))
    assert outdoors.count("Trees, a road") > 20


def test_a_crop_may_be_averaged(store):
    box = (1.0, 0.0, 0.0)
    averaged = store.crop(3, box, 40, averaged=True).astype(float)
    whole = store.crop(3, box, 80).astype(float)
    means = whole.reshape(40, 2, 40, 2, 3).mean(axis=(1, 3))
    assert np.abs(averaged - means).max() <= 1.0
    assert not np.array_equal(averaged, store.crop(3, box, 40))
    config = BatchConfig(group=4, crop=32, averaged=1.0)
    soft = Batches(store, config, 0).group(0, 0).mixtures.mixture
    crisp = Batches(store, dataclasses.replace(config, averaged=0.0), 0).group(0, 0)
    assert not torch.equal(soft, crisp.mixtures.mixture)


def test_groups_made_ahead_are_the_same(store):
    batches = Batches(store, BatchConfig(group=2, crop=64), seed=3)
    ahead = Ahead(batches)
    order = [(0, 0), (0, 1), (1, 0), (7, 0)]
    guesses = [(0, 1), (1, 0), (1, 1), (8, 0)]  # the third guess is wrong
    for place, guess in zip(order, guesses, strict=True):
        made = ahead.group(*place, guess).mixtures.mixture
        assert torch.equal(made, batches.group(*place).mixtures.mixture)


def test_a_description_is_right_wrong_or_missing(store):
    group = Batches(store, BatchConfig(group=64, crop=32), seed=0).group(0, 0)
    for told in (group.transmission, group.reflection):
        assert not torch.any(told.right & told.wrong)
        assert torch.equal(told.description.given, told.right | told.wrong)
        assert told.right.any()
        assert told.wrong.any()


def test_words_about_a_reflection_that_is_not_there_are_wrong(store):
    synthesis = SynthesisConfig(recipes=(CLEAN,))
    group = Batches(store, BatchConfig(group=32, crop=32, synthesis=synthesis), 0).group(0, 0)
    assert not group.reflection.right.any()
    assert group.transmission.right.any()


def test_how_much_is_said_tells_nothing_of_the_kind_of_mixture(store):
    shares = []
    for recipe in (SYMMETRIC, SHARP):
        config = BatchConfig(group=400, crop=32, synthesis=SynthesisConfig(recipes=(recipe,)))
        group = Batches(store, config, 0).group(0, 0)
        told = (group.transmission, group.reflection)
        shares.append([float(x.float().mean()) for t in told for x in (t.right, t.wrong)])
    assert shares[0] == pytest.approx(shares[1], abs=0.1)
    assert min(shares[0]) > 0.05


def test_fates_follow_their_odds():
    random = np.random.default_rng(0)
    config = CaptionConfig(dropped=0.3, wrong=0.1)
    fates = [draw_fates(config, random)[0] for _ in range(4000)]
    shares = [fates.count(fate) / len(fates) for fate in Fate]
    assert shares == pytest.approx([0.6, 0.3, 0.1], abs=0.03)


@pytest.mark.parametrize(
    ("noun", "template", "expected"),
    [
        (0.0, 0.0, {"two dogs are jumping over the fence"}),
        (1.0, 0.0, {"dogs", "jumping", "fence"}),
    ],
)
def test_captions_are_sentences_or_nouns(noun, template, expected):
    random = np.random.default_rng(0)
    config = CaptionConfig(noun=noun, template=template)
    drawn = {draw_caption(PHOTO, config, random).strip() for _ in range(60)}
    assert drawn == expected


def test_templates_wrap_the_caption():
    config = CaptionConfig(noun=0.0, template=1.0)
    caption = draw_caption(PHOTO, config, np.random.default_rng(0))
    assert "dogs are jumping" in caption
    assert caption != "two dogs are jumping over the fence"


def test_descriptions_are_padded_to_the_longest():
    described = describe(["a dog", "", "a white bicycle in a dark room"])
    assert described.given.tolist() == [True, False, True]
    assert described.mask[2].all()
    assert torch.all(described.tokens[~described.mask] == 0)


def test_triplets_are_reproduced_by_their_seed(photo_folder, tmp_path):
    config = TripletConfig(count=2, size=32, seed=5)
    one = write_triplets(photo_folder, tmp_path / "one", config)
    other = write_triplets(photo_folder, tmp_path / "other", config)
    moved = write_triplets(photo_folder, tmp_path / "moved", dataclasses.replace(config, seed=6))

    def content(listing: Path) -> list[bytes]:
        return [file.read_bytes() for file in sorted(listing.parent.iterdir())]

    assert content(one) == content(other)
    assert content(one) != content(moved)
    assert len(content(one)) == 7
