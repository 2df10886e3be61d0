"""Weights files of unknown origin, wherever one is read."""

from __future__ import annotations

import os

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pellucid.errors import WeightsError
from pellucid.model import SeparationModel
from pellucid.separator import Separator
from pellucid.text import NO_DESCRIPTION

from ..helpers.tiny_model import write_tiny_model
from . import fault
from .attacks import weights

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from pellucid.attention import retrofit  # noqa: E402
from pellucid.network.export import load_shipped_network  # noqa: E402
from pellucid.network.separation import NetworkConfig  # noqa: E402
from pellucid.network.weights import fit_weights, load_weights  # noqa: E402
from pellucid.training.checkpoint import (  # noqa: E402
    Progress,
    load_newest_checkpoint,
    save_checkpoint,
)

REFUSED = "refused in one line by every reader of weights"


def every_reader_refuses(path):
    """Read a file as weights of training, of the network and of a retrofit, and as the model."""
    readers = (
        load_weights,
        lambda path: load_shipped_network(path, NetworkConfig.lite()),
        lambda path: retrofit.load_retrofit(nn.Linear(2, 2), path),
        lambda path: SeparationModel.load(path, threads=1),
    )
    for read in readers:
        with pytest.raises(WeightsError) as refusal:
            read(path)
        assert path.name in str(refusal.value)
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(content, id=name, marks=fault("weights", f"safetensors: {name}", REFUSED))
        for name, content in weights.headers().items()
    ],
)
def test_a_header_that_lies(tmp_path, content):
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    every_reader_refuses(path)


@fault("weights", "safetensors: header of 150 MB", "refused in one line, not read")
def test_a_header_that_is_huge(tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes((150_000_000).to_bytes(8, "little") + b"{")
    os.truncate(path, 160_000_000)  # with a hole, where the system can
    with pytest.raises(WeightsError, match=r"w\.safetensors"):
        load_weights(path)


@fault("weights", "safetensors: same name twice", "read as one tensor")
def test_a_name_that_comes_twice(tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(weights.same_name_twice())
    assert {name: tensor.tolist() for name, tensor in load_weights(path).items()} == {"w": [0, 0]}


@fault("weights", "a pickle renamed", "refused; nothing in it is run")
def test_a_renamed_pickle_is_not_run(tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(weights.renamed_pickle(tmp_path / "made"))
    every_reader_refuses(path)
    assert not (tmp_path / "made").exists()


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(2, 3)
        self.b = nn.Linear(3, 1)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(
            change, says, id=tried, marks=fault("weights", tried, "refused; the network unchanged")
        )
        for tried, change, says in [
            ("a tensor is missing", lambda w: w.pop("b.bias"), "no tensor b.bias"),
            ("a tensor too many", lambda w: w.update(c=torch.ones(1)), "c is no tensor"),
            ("a tensor of another shape", lambda w: w.update({"b.bias": torch.ones(2)}), "shape"),
            ("a tensor with NaN", lambda w: w["a.weight"].fill_(torch.nan), "not finite"),
            ("another model's file", dict.clear, "another network"),
        ]
    ],
)
def test_tensors_that_do_not_fit(change, says):
    network, other = Pair(), Pair()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    given = {name: tensor.clone() for name, tensor in other.state_dict().items()}
    change(given)
    with pytest.raises(WeightsError, match=says):
        fit_weights(network, given, "w.safetensors")
    assert all(torch.equal(before[name], now) for name, now in network.state_dict().items())


def checkpoint(folder, step: int) -> None:
    tensors = {name: {"w": torch.full((3,), float(step))} for name in ("network", "average")}
    save_checkpoint(folder, {**tensors, "training": {"m": torch.zeros(1)}}, Progress(step=step))


@fault("weights", "a checkpoint replaced while its tensors are in use", "they do not change")
def test_tensors_outlive_their_file(tmp_path):
    checkpoint(tmp_path, 1)
    found = load_newest_checkpoint(tmp_path)
    assert found is not None
    file = tmp_path / "step-000000001" / "network.safetensors"
    file.write_bytes(bytes(file.stat().st_size))
    assert found[0]["network"]["w"].tolist() == [1, 1, 1]


@fault("training", "newest checkpoint truncated, or a file of it missing", "the one before is used")
@pytest.mark.parametrize("missing", [False, True])
def test_the_newest_checkpoint_is_torn(tmp_path, missing):
    for step in (1, 2):
        checkpoint(tmp_path, step)
    file = tmp_path / "step-000000002" / "average.safetensors"
    if missing:
        file.unlink()
    else:
        os.truncate(file, 20)
    found = load_newest_checkpoint(tmp_path)
    assert found is not None
    assert found[1].step == 1


@fault("training", "all checkpoints damaged", "refused: it does not start anew over them")
def test_no_checkpoint_is_whole(tmp_path):
    checkpoint(tmp_path, 1)
    os.truncate(tmp_path / "step-000000001" / "network.safetensors", 20)
    with pytest.raises(WeightsError, match="none of its checkpoints is whole"):
        load_newest_checkpoint(tmp_path)


@fault("training", "killed while a checkpoint was written", "the torn folder is hidden, then gone")
def test_torn_checkpoints_go(tmp_path):
    torn = tmp_path / ".step-000000001.99999"
    torn.mkdir()
    (torn / "network.safetensors").write_bytes(b"half")
    assert load_newest_checkpoint(tmp_path) is None
    checkpoint(tmp_path, 2)
    assert {path.name for path in tmp_path.iterdir()} == {"step-000000002"}


MIXTURE = np.full((32, 64, 3), 0.5, np.float32)


def changed_model(path, change):
    """The tiny model with another graph, and a manifest that agrees with it."""
    model = onnx.load(write_tiny_model(path))
    change(model.graph)
    path.write_bytes(model.SerializeToString())
    path.with_suffix(".json").unlink()
    return path


def share(value):
    def change(graph):
        constant = next(one for one in graph.initializer if one.name == "share")
        constant.CopyFrom(numpy_helper.from_array(np.asarray(value, np.float32), "share"))

    return change


def half_size(graph):
    """Give a transmission of half the size: a convolution would; a pooling does."""
    node = next(one for one in graph.node if one.output[0] == "transmission")
    node.output[0] = "whole"
    pool = helper.make_node(
        "AveragePool", ["whole"], ["transmission"], kernel_shape=[2, 2], strides=[2, 2]
    )
    graph.node.append(pool)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(change, says, id=tried, marks=fault("weights", tried, "refused in one line"))
        for tried, change, says in [
            ("ONNX that gives NaN", share(np.nan), "not numbers"),
            ("ONNX that gives infinity", share(np.inf), "not numbers"),
            ("ONNX that gives layers of half the size", half_size, "of shape"),
            ("ONNX with a constant of a shape that fails", share(np.ones((1, 5, 1, 1))), "be run"),
        ]
    ],
)
def test_a_model_that_gives_nonsense(tmp_path, change, says):
    path = changed_model(tmp_path / "own.onnx", change)
    with pytest.raises(WeightsError, match=says) as refusal:
        Separator.load(path, threads=1).separate((MIXTURE * 255).astype(np.uint8))
    assert "own.onnx" in str(refusal.value)
    assert "\n" not in str(refusal.value)


@fault("weights", "ONNX whose tensors lie in another file of the machine", "refused at load")
def test_a_model_cannot_name_other_files(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(4))

    def outside(graph):
        constant = next(one for one in graph.initializer if one.name == "share")
        constant.ClearField("raw_data")
        constant.ClearField("float_data")
        constant.data_location = TensorProto.EXTERNAL
        entry = constant.external_data.add()
        entry.key, entry.value = "location", str(tmp_path / "secret")

    with pytest.raises(WeightsError, match="not a model that can be run"):
        SeparationModel.load(changed_model(tmp_path / "own.onnx", outside), threads=1)


@fault("weights", "ONNX replaced while it is in use", "what was checked is what runs")
def test_a_model_replaced_while_loaded(tmp_path):
    path = write_tiny_model(tmp_path / "own.onnx")
    model = SeparationModel.load(path, threads=1)
    before = model.run(MIXTURE, NO_DESCRIPTION, NO_DESCRIPTION).transmission
    path.write_bytes(bytes(path.stat().st_size))
    after = model.run(MIXTURE, NO_DESCRIPTION, NO_DESCRIPTION).transmission
    np.testing.assert_array_equal(before, after)
