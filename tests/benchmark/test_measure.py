import json

import numpy as np
import pytest
from PIL import Image

from pellucid import model
from pellucid.benchmark import measure as module
from pellucid.benchmark.measure import Plan, measure
from pellucid.benchmark.picture import picture_size, write_picture
from pellucid.benchmark.process import Finished
from pellucid.benchmark.warm import WarmJob, command, separate_again_and_again
from pellucid.cli import main


def test_warm_separations_write_both_layers(tiny_weights, tmp_path):
    photo = tmp_path / "photo.jpg"
    write_picture(photo, 0.01)
    job = WarmJob(str(photo), str(tmp_path), 2, str(tiny_weights), 1, "cpu")
    times = separate_again_and_again(job)
    assert len(times) == 2
    assert all(seconds > 0 and busy >= 0 for seconds, busy in times)
    layers = [np.asarray(Image.open(tmp_path / f"{name}.jpg")) for name in ("transmission",)]
    assert layers[0].shape[1::-1] == picture_size(0.01)
    assert json.loads(command(job)[-1])["repetitions"] == 2


@pytest.fixture
def started(monkeypatch):
    """Command lines that would be measured; the photo is not drawn."""
    lines = []

    def run(line):
        lines.append(line[1:])
        warm = [[0.5, 0.9], [0.1, 0.2], [0.2, 0.3]]
        return Finished(0, len(lines), 2.0, 100.0 + len(lines), json.dumps(warm))

    monkeypatch.setattr(module, "run", run)
    monkeypatch.setattr(module, "write_picture", lambda path, megapixels: None)
    return lines


def test_medians_of_times_and_the_largest_peak(started):
    done = []
    row, other = measure(Plan((1, 12)), on_row=lambda: done.append(1))
    assert (row.width, row.height) == picture_size(1)
    assert (row.cold.seconds, row.cold.peak_mb) == (2, 103)  # of the first three commands
    assert (row.warm.seconds, row.warm.cpu_seconds) == (0.2, 0.3)
    assert row.seconds_per_megapixel == pytest.approx(0.2, rel=0.01)
    assert other.megapixels == pytest.approx(12)
    assert len(done) == 2


def test_the_cold_command_is_one_that_separates(started, tiny_weights, monkeypatch, tmp_path):
    monkeypatch.setattr(model, "SHIPPED_WEIGHTS", tiny_weights)
    measure(Plan((0.01,), repetitions=1, threads=1))
    cold, _ = started
    photo = tmp_path / "photo.jpg"
    write_picture(photo, 0.01)
    cold[3] = str(photo)
    assert cold[:3] == ["-m", "pellucid", "separate"]
    with pytest.raises(SystemExit) as stop:
        main(cold[2:])
    assert stop.value.code == 0
    assert (tmp_path / "photo.reflection.jpg").exists()


def test_other_weights_are_measured_warm_only(started, tiny_weights):
    (row,) = measure(Plan((1,), weights=tiny_weights))
    assert row.cold is None
    assert len(started) == 1
