from __future__ import annotations

import json

import pytest
import torch
from typer.testing import CliRunner

from pellucid.attention.benchmark import GATES, BenchmarkConfig, run_benchmark, write_result
from pellucid.cli.attention import app
from pellucid.errors import ConfigError

TINY = BenchmarkConfig(batch=2, tokens=64, dim=32, heads=2, repetitions=2)


def test_rows_and_file(tmp_path):
    calls = []
    rows = run_benchmark(TINY, lambda done, total: calls.append((done, total)))
    names = [row.name for row in rows]
    assert names[: 1 + len(GATES)] == ["plain", *GATES]
    assert rows[0].ratio == rows[0].peak_ratio == 1.0
    assert calls == [(1, 2), (2, 2)]
    target = tmp_path / "result.json"
    write_result(TINY, rows, target)
    result = json.loads(target.read_text())
    assert [row["name"] for row in result["rows"]] == names
    assert result["machine"]["torch"] == torch.__version__
    assert list(tmp_path.iterdir()) == [target]


def test_peak_memory_of_the_gates():
    """Memory, unlike time, can be tested on a busy machine."""
    config = BenchmarkConfig(batch=2, tokens=512, dim=256, heads=4, repetitions=1)
    ratios = {row.name: row.peak_ratio for row in run_benchmark(config)}
    assert ratios["vga-key"] <= 1.05
    assert ratios["vga-query"] <= 1.05
    assert ratios["iga"] <= 1.05


def test_command(tmp_path):
    target = tmp_path / "b.json"
    sizes = ["--batch", "1", "--tokens", "8", "--dim", "16", "--heads", "2", "--repetitions", "1"]
    result = CliRunner().invoke(app, ["benchmark", "-o", str(target), *sizes])
    assert result.exit_code == 0, result.output
    assert "vga-query" in result.output
    assert json.loads(target.read_text())["config"]["tokens"] == 8


@pytest.mark.parametrize("fields", [{"batch": 0}, {"dtype": "float31"}, {"device": "abacus"}])
def test_wrong_configurations_are_errors(fields):
    with pytest.raises(ConfigError):
        BenchmarkConfig(**fields)
