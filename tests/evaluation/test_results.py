import json
from pathlib import Path

import pytest

from pellucid.errors import DataError
from pellucid.evaluation.modes import Mode
from pellucid.evaluation.protocol import Figure
from pellucid.evaluation.results import (
    Summary,
    read_summary,
    replacing,
    write_images,
    write_summary,
)
from pellucid.evaluation.run import Run, Score

SUMMARY = Summary(
    "little-set", 3, "as stated", [Run("model", Mode.RIGHT, {"psnr": Figure(20.5, 19.0, 22.0)})]
)


def test_summary_round_trip(tmp_path: Path) -> None:
    write_summary(tmp_path / "new" / "summary.json", SUMMARY)
    assert read_summary(tmp_path / "new" / "summary.json") == SUMMARY


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 1}', '{"format": 2, "runs": []}'])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "summary.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"summary\.json"):
        read_summary(path)


def test_a_line_an_image(tmp_path: Path) -> None:
    scores = [Score("model", Mode.NONE, name, {"psnr": 1 / 3}) for name in "ab"]
    write_images(tmp_path / "images.jsonl", scores)
    lines = [json.loads(line) for line in (tmp_path / "images.jsonl").read_text().splitlines()]
    assert lines[1] == {"method": "model", "mode": "none", "image": "b", "psnr": 0.33333}


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")

    def interrupted() -> None:
        with replacing(path) as file:
            file.write("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
