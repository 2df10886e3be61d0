from __future__ import annotations

import pytest
import torch
from typer.testing import CliRunner

from pellucid.attention import gate_preset
from pellucid.attention.quantisation import QuantisationReport
from pellucid.attention.quantisation.texts import text_batches
from pellucid.attention.retrofit import retrofit, save_retrofit
from pellucid.attention.retrofit.language import load_language_model
from pellucid.cli.attention import app
from pellucid.errors import ConfigError, DataError

from ..retrofit.models import bert, build, llama, masked_bert
from ..retrofit.saved import save_model, write_text

SMALL = ("--calibration", 2, "--seeds", 2, "--batch", 2, "--length", 16)


def run(*arguments):
    result = CliRunner().invoke(app, ["quantise", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_model(build(llama), tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    return write_text(tmp_path_factory.mktemp("text") / "text.txt", 200)


def test_a_decoder_with_gates(folder, text, tmp_path):
    model = build(llama)
    save_retrofit(retrofit(model, gate_preset("bondarenko")), tmp_path / "gates.safetensors")
    options = ("--bits", "W8A8", "--bits", "w4a4-channel-mse", "--name", "tiny", *SMALL)
    gates = ("--gates", tmp_path / "gates.safetensors")
    result = run(folder, "--text", text, "-o", tmp_path / "out", *gates, *options)
    assert result.exit_code == 0, result.output
    report = QuantisationReport.from_json((tmp_path / "out" / "report.json").read_text())
    assert [str(scheme.config) for scheme in report.schemes] == ["W8A8", "W4A4-channel-mse"]
    assert (report.model, report.cost, report.seeds) == ("tiny", "kl", 2)
    assert "perplexity" in report.definitions
    assert "gate" in report.schemes[0].parts
    assert "W8A8: what costs most" in result.output


def test_lines_for_a_model_without_a_head(tmp_path):
    folder = save_model(build(bert), tmp_path / "bert")
    lines = tmp_path / "lines.txt"
    lines.write_text("w1 w2 w3\n\nw4 w5\nw6 w7 w8 w9\nw1 w3\nw2\nw5 w9 w8\n", encoding="utf-8")
    pool, held_out = text_batches(load_language_model(str(folder)), lines, size=2, length=16)
    assert [len(batch["input_ids"]) for batch in (*pool, *held_out)] == [2, 2, 2]
    assert not held_out[0]["attention_mask"].all()
    result = run(folder, "--text", lines, *SMALL)
    assert "cosine_distance" in result.output


def test_a_masked_model_is_measured_behind_its_masks(text, tmp_path):
    language = load_language_model(str(save_model(build(masked_bert), tmp_path / "bert")))
    pool, held_out = text_batches(language, text, size=2, length=16)
    for batch in (*pool, *held_out):
        masked = batch["input_ids"] == language.tokenizer.mask_token_id
        assert torch.equal(masked, batch["labels"] != -100)
        assert masked.any(dim=1).all()


def test_mistakes(folder, text, tmp_path):
    with pytest.raises(ConfigError, match="100 to calibrate"):
        run(folder, "--text", text, "--calibration", 100, "--length", 16)
    with pytest.raises(ConfigError, match="names no quantisation"):
        run(folder, "--text", text, "--bits", "int8")
    with pytest.raises(DataError, match="cannot be read as text"):
        run(folder, "--text", tmp_path / "missing.txt")
