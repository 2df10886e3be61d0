"""The commands that make data, weights and shipped files."""

from __future__ import annotations

import json

import pytest

from pellucid.cli import main


def run(*args: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(arg) for arg in args])
    return int(ended.value.code or 0)


@pytest.fixture
def config_file(photo_folder, tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(
        f"""
photos = "{photo_folder}"
folder = "{tmp_path}/run"
steps = 1
threads = 1
[network]
channels = 16
heads = 2
decoder_widths = [16, 8, 8]
decoder_blocks = [1, 1, 1]
[batch]
group = 2
crop = 64
"""
    )
    return path


def test_train_then_export(config_file, tmp_path, capsys):
    assert run("train", config_file) == 0
    assert "step 1" in capsys.readouterr().out
    weights = tmp_path / "run" / "step-000000001" / "average.safetensors"
    out = tmp_path / "shipped"
    assert run("export", weights, out, "--config", config_file, "--name", "tiny") == 0
    assert {file.name for file in out.iterdir()} == {"tiny.onnx", "tiny.safetensors", "tiny.json"}


def test_train_with_a_bad_file_is_one_line(tmp_path, capsys):
    assert run("train", tmp_path / "none.toml") == 1
    error = capsys.readouterr().err.strip()
    assert "none.toml" in error
    assert "\n" not in error


def test_synthesise(photo_folder, tmp_path):
    assert run("synthesise", photo_folder, tmp_path / "out", "--count", 2, "--size", 64) == 0
    rows = [json.loads(line) for line in (tmp_path / "out" / "pairs.jsonl").open()]
    assert len(rows) == 2
    assert all((tmp_path / "out" / row["mixture"]).is_file() for row in rows)
    assert rows[0]["transmission_text"]


def test_synthesise_at_an_impossible_size_is_one_line(photo_folder, tmp_path, capsys):
    assert run("synthesise", photo_folder, tmp_path / "out", "--size", 50) == 1
    assert "multiple of 32" in capsys.readouterr().err
