from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from pellucid.attention.diagnostics import InspectionError, Report
from pellucid.cli.attention import app
from pellucid.errors import DataError
from tests.attention.diagnostics.models import transformers_model


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model and its tokeniser."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghij"]
    (folder / "vocab.txt").write_text("\n".join(words))
    model, _ = transformers_model("bert", "sdpa")
    model.save_pretrained(folder)
    transformers.BertTokenizer(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("a b c\n\nd e f g h\ni j\n")
    return path


def test_text(bert: Path, text: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    command = ["inspect", str(bert), "--text", str(text), "-o", str(output), "--name", "tiny"]
    result = CliRunner().invoke(app, [*command, "--batch", "2", "--alarm", "kurtosis=1000"])
    assert result.exit_code == 0, result.output
    report = Report.from_json((output / "report.json").read_text())
    assert (report.model, report.samples, report.batches) == ("tiny", 3, 2)
    assert report.layers[0].tokens == (4, 7)
    names = {path.name for path in output.iterdir()}
    assert {"report.json", "report.html", "strongest-map.png", "channels.png"} <= names
    assert "first_attention" in result.output


def test_alarm_sets_the_exit_code(bert: Path, text: Path) -> None:
    command = ["inspect", str(bert), "--text", str(text), "--alarm", "first-attention=0"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 3
    assert "alarm: first-attention" in result.output


def test_images(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    model, _ = transformers_model("vit", "sdpa")
    model.save_pretrained(tmp_path / "vit")
    processor = transformers.ViTImageProcessorPil(size={"height": 8, "width": 8})
    processor.save_pretrained(tmp_path / "vit")
    (tmp_path / "photos").mkdir()
    for index in range(3):
        picture = Image.new("RGB", (20, 10), (80 * index, 0, 0))
        picture.save(tmp_path / "photos" / f"{index}.png")
    command = ["inspect", str(tmp_path / "vit"), "--images", str(tmp_path / "photos")]
    result = CliRunner().invoke(app, [*command, "-o", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    report = Report.from_json((tmp_path / "out" / "report.json").read_text())
    assert report.samples == 3
    assert report.layers[0].tokens == (17, 17)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "either --text"),
        (["--text", "{text}", "--alarm", "sink"], "name=number"),
        (["--text", "{empty}"], "holds no text"),
        (["--images", "{folder}"], "holds no images"),
    ],
)
def test_mistakes(bert: Path, text: Path, arguments: list[str], message: str) -> None:
    empty = text.with_name("empty.txt")
    empty.write_text("\n \n")
    places = {"text": text, "empty": empty, "folder": text.parent}
    filled = [argument.format(**places) for argument in arguments]
    result = CliRunner().invoke(app, ["inspect", str(bert), *filled])
    assert isinstance(result.exception, InspectionError)
    assert message in str(result.exception)


def test_a_text_that_is_not_utf_8(bert: Path, tmp_path: Path) -> None:
    latin = tmp_path / "latin.txt"
    latin.write_bytes("Glück".encode("latin-1"))
    result = CliRunner().invoke(app, ["inspect", str(bert), "--text", str(latin)])
    assert isinstance(result.exception, DataError)
    assert f"{latin} cannot be read as text" in str(result.exception)


def test_missing_model(text: Path) -> None:
    pytest.importorskip("transformers")
    result = CliRunner().invoke(app, ["inspect", str(text.parent), "--text", str(text)])
    assert isinstance(result.exception, InspectionError)
    assert "cannot be loaded" in str(result.exception)
    assert not torch.overrides._len_torch_function_stack()  # pyright: ignore
