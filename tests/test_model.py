import numpy as np
import pytest

from pellucid import model as model_module
from pellucid.errors import ConfigError, WeightsError
from pellucid.model import SeparationModel, usable_devices
from pellucid.photo.colour import srgb_to_linear
from pellucid.text import NO_DESCRIPTION, word_table

from .faults import fault
from .helpers.tiny_model import write_tiny_model


@pytest.fixture(scope="module")
def model(tiny_weights) -> SeparationModel:
    return SeparationModel.load(tiny_weights, threads=1)


@pytest.fixture
def own_weights(tmp_path):
    return write_tiny_model(tmp_path / "own.onnx")


def test_run_gives_layers_gates_and_maps(model):
    mixture = np.random.default_rng(0).random((64, 96, 3)).astype(np.float32)
    words = word_table().encode("a red car")
    output = model.run(mixture, words, NO_DESCRIPTION)
    np.testing.assert_allclose(output.transmission, 0.8 * srgb_to_linear(mixture), atol=1e-6)
    np.testing.assert_allclose(output.reflection, 0.2 * srgb_to_linear(mixture), atol=1e-6)
    np.testing.assert_allclose(output.gates, [0.5, 0])
    assert output.transmission_map.shape == (3, 8, 12)
    np.testing.assert_allclose(output.transmission_map, 1 / 3, atol=1e-6)
    assert not output.reflection_map.any()


def test_a_mirrored_picture_gives_mirrored_layers():
    mixture = np.random.default_rng(1).random((32, 64, 3)).astype(np.float32)
    words = word_table().encode("a red car")
    model = SeparationModel.load(threads=1)
    output = model.run(mixture, NO_DESCRIPTION, words)
    mirrored = model.run(mixture[:, ::-1], NO_DESCRIPTION, words)
    for layer in ("transmission", "reflection"):
        np.testing.assert_array_equal(getattr(mirrored, layer)[:, ::-1], getattr(output, layer))
    np.testing.assert_array_equal(mirrored.reflection_map[..., ::-1], output.reflection_map)
    np.testing.assert_array_equal(mirrored.gates, output.gates)


def test_info_names_the_weights(model, tiny_weights):
    assert model.info.path == tiny_weights
    assert model.info.weights_id == "tiny"
    assert model.info.architecture == "tiny"
    assert model.info.manifest["files"]["tiny.onnx"]["sha256"] == model.info.sha256


def test_a_device_that_is_not_there(tiny_weights, monkeypatch):
    assert "cpu" in usable_devices()
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ConfigError, match="onnxruntime-gpu"):
        SeparationModel.load(tiny_weights, device="cuda")


def test_missing_shipped_weights_name_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setattr(model_module, "SHIPPED_WEIGHTS", tmp_path / "lite.onnx")
    with pytest.raises(WeightsError, match=r"lite\.onnx cannot be read .*reinstall pellucid"):
        SeparationModel.load()


@fault("weights", "shipped weights without their manifest", "refused in one line")
def test_shipped_weights_need_their_manifest(monkeypatch, own_weights):
    own_weights.with_suffix(".json").unlink()
    monkeypatch.setattr(model_module, "SHIPPED_WEIGHTS", own_weights)
    with pytest.raises(WeightsError, match=r"own\.json is missing"):
        SeparationModel.load()


def test_own_weights_load_without_a_manifest(own_weights):
    own_weights.with_suffix(".json").unlink()
    assert SeparationModel.load(own_weights, threads=1).info.manifest == {}


def test_other_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"none\.onnx cannot be read .*check the name"):
        SeparationModel.load(tmp_path / "none.onnx")


@fault(
    "weights", "a flipped bit in the model's file", "refused: its SHA-256 is not the promised one"
)
def test_a_flipped_bit_is_noticed(own_weights):
    content = bytearray(own_weights.read_bytes())
    content[len(content) // 2] ^= 1
    own_weights.write_bytes(content)
    with pytest.raises(WeightsError, match="damaged or was replaced"):
        SeparationModel.load(own_weights)


@pytest.mark.parametrize("kept", [0, 1, 100, 1000])
@fault("weights", "truncated model", "refused in one line")
def test_a_truncated_model_without_manifest_is_refused(own_weights, kept):
    own_weights.with_suffix(".json").unlink()
    own_weights.write_bytes(own_weights.read_bytes()[:kept])
    with pytest.raises(WeightsError, match=r"not a model that can be run|another program's"):
        SeparationModel.load(own_weights)


@pytest.mark.parametrize(
    "manifest",
    ["", "[]", "{}", '{"files": {}}', '{"files": []}', '{"files": {"own.onnx": 3}}', "\udcff"],
)
@fault("weights", "damaged manifest", "refused in one line")
def test_a_damaged_manifest_is_refused(own_weights, manifest):
    content = manifest.encode("utf-8", "surrogateescape")
    own_weights.with_suffix(".json").write_bytes(content)
    with pytest.raises(WeightsError, match=r"own\.json"):
        SeparationModel.load(own_weights)


@fault("weights", "another program's ONNX file", "refused in one line")
def test_another_programs_model_is_refused(tmp_path):
    import onnx
    from onnx import TensorProto, helper

    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value], [out])
    opset = helper.make_opsetid("", 18)
    other = tmp_path / "other.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=9), str(other))
    with pytest.raises(WeightsError, match="another program's model"):
        SeparationModel.load(other)


@fault("weights", "weights of another release", "refused in one line")
def test_another_format_is_refused(tmp_path):
    future = write_tiny_model(tmp_path / "future.onnx", format="2")
    with pytest.raises(WeightsError, match="format 2, this version reads 1"):
        SeparationModel.load(future)


def test_values_that_are_no_numbers_are_refused(tmp_path):
    broken = write_tiny_model(tmp_path / "broken.onnx", share=float("nan"))
    model = SeparationModel.load(broken, threads=1)
    with pytest.raises(WeightsError, match="not numbers"):
        model.run(np.ones((32, 32, 3), np.float32), NO_DESCRIPTION, NO_DESCRIPTION)
