from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pellucid.errors import DataError, PhotoError
from pellucid.evaluation import metrics
from pellucid.evaluation.images import Image8, to_unit
from pellucid.evaluation.pairs import Pair
from pellucid.evaluation.protocol import (
    PSNR_CEILING,
    STATED,
    Layers,
    Sample,
    load_sample,
    score,
    summarise,
)


def gradient(width: int, height: int) -> Image8:
    row = np.linspace(0, 255, width).astype(np.uint8)
    return np.broadcast_to(row[None, :, None], (height, width, 3)).copy()


def write(path: Path, image: Image8) -> Path:
    Image.fromarray(image).save(path)
    return path


def test_short_side_becomes_300_by_pillows_bicubic(tmp_path: Path) -> None:
    image = gradient(901, 601)
    mixture = write(tmp_path / "m.png", image)
    sample = load_sample(Pair("x", mixture, mixture), STATED)
    expected = Image.fromarray(image).resize((450, 300), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(sample.mixture, np.asarray(expected))
    np.testing.assert_array_equal(sample.transmission, np.asarray(expected))


def test_small_and_exact_images_are_untouched(tmp_path: Path) -> None:
    for size in ((224, 224), (466, 300)):
        mixture = write(tmp_path / "m.png", gradient(*size))
        sample = load_sample(Pair("x", mixture, mixture), STATED)
        np.testing.assert_array_equal(sample.mixture, gradient(*size))


def test_a_peers_output_may_have_either_size(tmp_path: Path) -> None:
    mixture = write(tmp_path / "m.png", gradient(800, 600))
    for size in ((800, 600), (400, 300)):
        output = write(tmp_path / "p.png", gradient(*size))
        pair = Pair("x", mixture, mixture, peer_transmission=output, peer_reflection=output)
        peer = load_sample(pair, STATED).peer
        assert peer is not None
        assert peer.reflection is not None
        assert peer.transmission.shape == peer.reflection.shape == (300, 400, 3)
    alone = Pair("x", mixture, mixture, peer_transmission=output)
    assert getattr(load_sample(alone, STATED).peer, "reflection", "") is None


def test_sizes_that_differ_are_refused(tmp_path: Path) -> None:
    mixture = write(tmp_path / "m.png", gradient(40, 30))
    other = write(tmp_path / "t.png", gradient(41, 30))
    with pytest.raises(DataError, match=r"t.png: 41×30 pixels, but its mixture has 40×30"):
        load_sample(Pair("x", mixture, other), STATED)


def test_a_file_that_is_no_photo(tmp_path: Path) -> None:
    (tmp_path / "m.png").write_bytes(b"no photo")
    with pytest.raises(PhotoError, match=r"m\.png"):
        load_sample(Pair("x", tmp_path / "m.png", tmp_path / "m.png"), STATED)


def test_outputs_are_scored_as_8_bit_files(sample: Sample) -> None:
    exact = to_unit(sample.transmission)
    scores = score(sample, Layers(exact + 0.4 / 255, None))
    assert scores["transmission.psnr"] == PSNR_CEILING
    scores = score(sample, Layers(exact + 0.6 / 255, None))
    assert scores["transmission.psnr"] == pytest.approx(20 * np.log10(255), abs=0.2)


def test_measures_are_those_of_the_metrics(sample: Sample) -> None:
    assert sample.reflection is not None
    layers = Layers(sample.mixture, sample.reflection)
    scores = score(sample, layers)
    assert scores["transmission.psnr"] == metrics.psnr(sample.mixture, sample.transmission)
    assert scores["transmission.ssim"] == metrics.ssim(sample.mixture, sample.transmission)
    assert scores["transmission.psnr_gain"] == 0
    assert scores["reflection.psnr"] == PSNR_CEILING
    assert scores["recomposition_error"] > 0
    true = score(sample, Layers(sample.transmission, sample.reflection))
    assert true["recomposition_error"] < 0.005
    assert true["transmission.psnr_gain"] > 0


def test_further_measures_are_taken_of_the_saved_layers(sample: Sample) -> None:
    seen = []

    def measure(output: Image8, truth: Image8) -> float:
        seen.append((output.dtype, truth.dtype))
        return 0.5

    scores = score(sample, Layers(to_unit(sample.mixture), sample.mixture), {"half": measure})
    assert scores["transmission.half"] == scores["reflection.half"] == 0.5
    assert seen == [(np.uint8, np.uint8)] * 2


def test_layers_without_truth_are_left_out(sample: Sample) -> None:
    unknown = Sample(sample.name, sample.mixture, sample.transmission)
    scores = score(unknown, Layers(sample.mixture, sample.mixture))
    assert not any(name.startswith("reflection") for name in scores)
    assert "recomposition_error" in scores
    assert "recomposition_error" not in score(unknown, Layers(sample.mixture, None))


def test_interval_covers_the_mean_as_theory_says() -> None:
    values = np.random.default_rng(0).normal(20, 2, 100)
    figure = summarise(list(values), STATED)
    assert figure.mean == pytest.approx(values.mean())
    standard_error = values.std() / 10
    assert figure.low == pytest.approx(values.mean() - 1.96 * standard_error, abs=0.05)
    assert figure.high == pytest.approx(values.mean() + 1.96 * standard_error, abs=0.05)
    assert summarise(list(values), STATED) == figure


def test_the_protocol_says_what_it_does() -> None:
    assert "300" in STATED.describe()
    assert "8-bit" in STATED.describe()
