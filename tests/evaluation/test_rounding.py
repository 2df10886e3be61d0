from pathlib import Path

from pellucid.evaluation.layouts import read_pairs
from pellucid.evaluation.modes import Mode
from pellucid.evaluation.protocol import PSNR_CEILING, STATED, Figure
from pellucid.evaluation.rounding import Rounded, compare

from ..helpers.tiny_model import write_tiny_model


def test_what_is_lost_and_how_near(tiny_weights: Path, pairs_folder: Path, tmp_path: Path) -> None:
    worse = write_tiny_model(tmp_path / "worse.onnx", share=0.0)
    models = {"same": tiny_weights, "worse": worse}
    found = compare(tiny_weights, models, read_pairs(pairs_folder), Mode.RIGHT, STATED)
    assert found["same"].lost.mean == 0.0
    assert found["same"].distance.mean == PSNR_CEILING
    assert found["worse"].lost.mean > 0.1
    assert found["worse"].distance.mean < 60.0
    assert found["worse"].psnr == found["same"].psnr


def test_as_json() -> None:
    figure = Figure(0.123456, 0.0, 1.0)
    document = Rounded(figure, figure, figure).document()
    assert document["lost"] == {"mean": 0.12346, "low": 0.0, "high": 1.0}
    assert set(document) == {"psnr", "lost", "distance"}
