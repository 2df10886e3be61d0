from __future__ import annotations

import json
from dataclasses import asdict

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from pellucid.attention import GateSpec
from pellucid.attention.retrofit import load_retrofit, retrofit, save_retrofit
from pellucid.attention.retrofit.parity import compare, default_probe, run_probe
from pellucid.errors import ConfigError, WeightsError

from ...faults import fault
from .models import bert, build, encoder, gpt2, llama


def moved(make, spec="vga-query"):
    handle = retrofit(build(make), spec)
    with torch.no_grad():
        for gate in handle.gates.values():
            for parameter in gate.parameters():
                parameter.normal_()
    return handle


@pytest.mark.parametrize(
    "spec", ["vga-query", "bondarenko-finetune", GateSpec("input", "key", features="all", rank=2)]
)
@pytest.mark.parametrize("make", [bert, gpt2, llama, encoder])
def test_round_trip(make, spec, tmp_path):
    if make is llama and spec == "bondarenko-finetune":
        spec = "bondarenko-all"
    handle = moved(make, spec)
    probe = default_probe(handle.model)
    path = tmp_path / "gates.safetensors"
    save_retrofit(handle, path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]

    other = build(make)
    loaded = load_retrofit(other, path)
    assert loaded.spec == handle.spec
    same = compare(run_probe(handle.model, probe), run_probe(other, probe))
    assert same.bit_identical
    loaded.undo()
    assert not compare(run_probe(handle.model, probe), run_probe(other, probe)).bit_identical


def test_only_the_gates_and_the_spec_are_stored(tmp_path):
    handle = moved(llama)
    save_retrofit(handle, tmp_path / "g.safetensors")
    with safe_open(tmp_path / "g.safetensors", framework="pt") as file:
        description = json.loads(file.metadata()["pellucid.retrofit"])
        assert set(file.keys()) == {f"model.layers.{i}.self_attn.weight" for i in (0, 1)}
    assert description["spec"] == asdict(handle.spec)
    assert description["layers"] == list(handle.gates)
    assert description["format"] == 1


def test_a_selection_is_restored(tmp_path):
    handle = retrofit(build(bert), "vga-key", select=lambda name: ".1." in name)
    save_retrofit(handle, tmp_path / "g.safetensors")
    assert list(load_retrofit(build(bert), tmp_path / "g.safetensors").gates) == list(handle.gates)


@fault("weights", "saved gates of another model", "refused; the model unchanged")
def test_gates_of_another_model(tmp_path):
    save_retrofit(moved(bert), tmp_path / "g.safetensors")
    with pytest.raises(WeightsError, match=r"gates for a BertModel; this GPT2LMHeadModel"):
        load_retrofit(build(gpt2), tmp_path / "g.safetensors")


def damaged(tmp_path, change):
    """A stored file with its tensors or its metadata changed."""
    path = tmp_path / "g.safetensors"
    save_retrofit(moved(bert), path)
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in list(file.keys())}
        description = json.loads(file.metadata()["pellucid.retrofit"])
    metadata = change(tensors, description) or {"pellucid.retrofit": json.dumps(description)}
    save_file(tensors, path, metadata=metadata)
    return path


def shape(tensors, description):
    tensors["encoder.layer.0.attention.self.weight"] = torch.zeros(3, 3)


def missing(tensors, description):
    del tensors["encoder.layer.0.attention.self.weight"]


def not_finite(tensors, description):
    tensors["encoder.layer.0.attention.self.weight"][0] = torch.nan


def newer(tensors, description):
    description["format"] = 2


def wrong_spec(tensors, description):
    description["spec"]["signal"] = "moon"


def no_metadata(tensors, description):
    return {"other": "1"}


def no_layer(tensors, description):
    description["layers"].append("encoder.layer.0.output")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (shape, "must have the shape"),
        (missing, "must have the shape"),
        (not_finite, "not finite"),
        (newer, "format 2"),
        (wrong_spec, "damaged"),
        (no_metadata, "holds no gates"),
        (no_layer, "cannot carry one"),
    ],
)
@fault(
    "weights", "saved gates: missing, wrong, NaN, of another format", "refused; the model unchanged"
)
def test_damaged_files(tmp_path, change, message):
    model = build(bert)
    with pytest.raises(WeightsError, match=message):
        load_retrofit(model, damaged(tmp_path, change))
    assert not any(hasattr(module, "pellucid_gate") for module in model.modules())


def test_files_that_are_none(tmp_path):
    with pytest.raises(WeightsError, match="does not exist"):
        load_retrofit(build(bert), tmp_path / "none.safetensors")
    (tmp_path / "text.safetensors").write_text("no")
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        load_retrofit(build(bert), tmp_path / "text.safetensors")


def test_an_undone_retrofit_has_nothing_to_save(tmp_path):
    handle = moved(bert)
    handle.undo()
    with pytest.raises(ConfigError, match="undone"):
        save_retrofit(handle, tmp_path / "g.safetensors")
    assert list(tmp_path.iterdir()) == []
