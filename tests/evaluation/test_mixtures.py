import json
from pathlib import Path

import numpy as np
import pytest

from pellucid.errors import DataError
from pellucid.evaluation.images import from_light, to_8bit, to_light
from pellucid.evaluation.mixtures import (
    plain_photo,
    read_validation_photos,
    soft_photo,
    strong_mixture,
    symmetric_mixture,
)


def test_only_unsqueezed_validation_photos_are_read(photos_folder: Path) -> None:
    photos = read_validation_photos(photos_folder)
    assert [photo.caption for photo in photos] == [f"caption {i}" for i in range(6)]


@pytest.mark.parametrize("make", [symmetric_mixture, strong_mixture])
def test_light_adds_up_and_sources_differ(photos_folder: Path, make) -> None:
    photos = read_validation_photos(photos_folder)
    sources = {photo.caption: photo.source for photo in photos}
    for number in range(6):
        sample = make(photos, 0, number)
        assert sample.mixture.shape == (224, 224, 3)
        total = to_light(sample.transmission) + to_light(sample.reflection)
        # Each layer was rounded to 8 bits on its own.
        np.testing.assert_allclose(from_light(total), sample.mixture / 255, atol=1.6 / 255)
        assert sources[sample.words.transmission] != sources[sample.words.reflection]


def test_symmetric_layers_are_half_of_photos(photos_folder: Path) -> None:
    photos = read_validation_photos(photos_folder)
    sample = symmetric_mixture(photos, 0, 0)
    halves = [
        to_8bit(from_light(0.5 * to_light(plain_photo(photos, i).mixture)))
        for i in range(len(photos))
    ]
    assert any(np.array_equal(sample.transmission, half) for half in halves)
    assert any(np.array_equal(sample.reflection, half) for half in halves)


def test_draws_follow_from_seed_and_number(photos_folder: Path) -> None:
    photos = read_validation_photos(photos_folder)
    first = strong_mixture(photos, 3, 1)
    np.testing.assert_array_equal(first.mixture, strong_mixture(photos, 3, 1).mixture)
    assert not np.array_equal(first.mixture, strong_mixture(photos, 4, 1).mixture)
    assert not np.array_equal(first.mixture, strong_mixture(photos, 3, 2).mixture)


def test_a_soft_photo_is_a_plain_one_blurred(photos_folder: Path) -> None:
    plain = plain_photo(read_validation_photos(photos_folder), 2)
    soft = soft_photo(plain)
    assert np.array_equal(soft.mixture, soft.transmission)
    assert not soft.reflection.any()
    detail = [np.abs(np.diff(s.mixture.astype(int), axis=1)).mean() for s in (plain, soft)]
    assert detail[1] < detail[0]
    assert abs(plain.mixture.mean() - soft.mixture.mean()) < 1.0


def test_a_plain_photo_has_a_black_reflection(photos_folder: Path) -> None:
    sample = plain_photo(read_validation_photos(photos_folder), 2)
    assert sample.mixture is sample.transmission
    assert sample.reflection is not None
    assert not sample.reflection.any()
    assert (sample.words.transmission, sample.words.reflection) == ("caption 2", None)


def test_faults(photos_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no captions\.jsonl"):
        read_validation_photos(tmp_path / "gone")
    listed = photos_folder / "captions.jsonl"
    listed.write_text(json.dumps({"file": "a", "src": "b", "split": "val", "captions": []}))
    with pytest.raises(DataError, match="line 1"):
        read_validation_photos(photos_folder)
    listed.write_text(json.dumps({"file": "a", "src": "b", "split": "val", "captions": ["c"]}))
    with pytest.raises(DataError, match="two sources"):
        read_validation_photos(photos_folder)
