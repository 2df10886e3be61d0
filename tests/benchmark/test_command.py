import json

import pytest
from typer.testing import CliRunner

from pellucid.cli.benchmark import app
from pellucid.evaluation.report import write_report


@pytest.fixture
def command(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *args: CliRunner().invoke(app, [str(arg) for arg in args])


def test_a_result_file_a_table_and_a_section_of_the_report(command, tiny_weights, tmp_path):
    output = tmp_path / "results" / "speed.json"
    sizes = ("--sizes", ".01,.02", "--repetitions", 1, "--weights", tiny_weights)
    result = command("-o", output, *sizes)
    assert result.exit_code == 0, result.output
    document = json.loads(output.read_text())
    assert document["weights_id"] == "tiny"
    assert [row["cold"] for row in document["rows"]] == [None, None]
    assert all(row["warm"]["peak_mb"] > 30 for row in document["rows"])
    assert "0.01 Mpx" in result.output
    write_report(output.parent, tmp_path / "results.md")
    text = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "## Speed" in text
    assert "| 0.01 Mpx | – |" in text
    assert "| RAGNet | 6.7 |" in text


@pytest.mark.parametrize("sizes", ["big", "0", "1,999"])
def test_sizes_are_numbers(command, sizes):
    result = command("--sizes", sizes)
    assert result.exit_code == 2
    assert "--sizes" in result.output
