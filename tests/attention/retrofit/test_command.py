"""`pellucid attention retrofit`, run in this process."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from pellucid.attention.retrofit import load_retrofit
from pellucid.cli.attention import app
from pellucid.errors import ConfigError, PellucidError

from .models import bert, build, llama
from .saved import save_model, write_text


def run(*args):
    result = CliRunner().invoke(app, ["retrofit", *map(str, args)])
    if result.exception is not None and isinstance(result.exception, PellucidError):
        raise result.exception
    return result


@pytest.fixture
def folder(tmp_path):
    return save_model(build(llama), tmp_path / "model")


@pytest.fixture
def text(tmp_path):
    return write_text(tmp_path / "text.txt", 400)


SMALL = ("--steps", 3, "--batch", 2, "--length", 16)


def test_trains_and_writes_gates_model_and_report(folder, text, tmp_path):
    output = tmp_path / "out"
    result = run(folder, "--gate", "vga-query", "--text", text, "-o", output, *SMALL)
    assert result.exit_code == 0, result.output
    assert "first_token_attention" in result.stdout
    assert "\nparity: outputs are bit-identical" in result.stderr
    report = json.loads((output / "report.json").read_text())
    assert report["parity"]["max_difference"] == 0
    assert report["before"]["gate_moved"] == 0 < report["after"]["gate_moved"]
    assert len(report["losses"]) == 3

    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(output / "model").eval()
    handle = load_retrofit(model, output / "gates.safetensors")
    assert list(handle.gates) == report["layers"]
    assert all(gate.weight.abs().max() > 0 for gate in handle.gates.values())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model", "out", "text.txt"]


def test_gates_only(folder, text, tmp_path):
    run(folder, "--text", text, "--lr", 0, "-o", tmp_path / "out", *SMALL)
    names = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert names == ["gates.safetensors", "report.json"]


def test_without_text_it_checks_parity_only(folder, tmp_path):
    result = run(folder, "-o", tmp_path / "out")
    assert "parity: outputs are bit-identical" in result.stdout
    assert "before" not in json.loads((tmp_path / "out" / "report.json").read_text())


def test_a_model_without_a_head_keeps_its_outputs(tmp_path, text):
    folder = save_model(build(bert), tmp_path / "model")
    result = run(folder, "--text", text, *SMALL)
    assert result.exit_code == 0, result.output
    loss = next(line for line in result.stdout.splitlines() if line.startswith("loss"))
    assert float(loss.split()[1]) == 0


def test_errors_come_before_any_work(folder, tmp_path):
    with pytest.raises(ConfigError, match="exists: name a new folder"):
        run(folder, "-o", tmp_path)
    with pytest.raises(ConfigError, match="no gate preset 'vga'"):
        run(folder, "--gate", "vga")
    with pytest.raises(ConfigError, match="cannot be loaded"):
        run(tmp_path / "none")


def test_nothing_is_left_of_a_failed_write(folder, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr("pellucid.attention.retrofit.save_retrofit", fail)
    assert isinstance(run(folder, "-o", tmp_path / "out").exception, OSError)
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_seeds(folder, text, tmp_path):
    gates = []
    for name in ("a", "b"):
        run(folder, "--text", text, "-o", tmp_path / name, "--seed", 7, *SMALL)
        gates.append((tmp_path / name / "gates.safetensors").read_bytes())
    assert gates[0] == gates[1]
