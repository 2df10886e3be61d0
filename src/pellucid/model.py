"""The shipped network as an onnxruntime session: load once, run often, no torch.

The ONNX file and the manifest beside it are written by `pellucid.network.export`; the names, shapes
and ranges below are the contract between the two.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pellucid.bands import usable_threads
from pellucid.errors import ConfigError, WeightsError
from pellucid.untrusted import parse_json

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnxruntime import InferenceSession

    from pellucid.text import Description

SHIPPED_WEIGHTS = Path(__file__).parent / "weights" / "lite.onnx"

FORMAT = "1"
"""Of the ONNX file: weights and program of another format do not go together."""

MAP_STRIDE = 8
"""Pixels of the working resolution to one cell of a word map."""

Device = Literal["cpu", "cuda"]
_PROVIDERS: dict[Device, str] = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}

INPUTS = (
    "mixture",
    "transmission_tokens",
    "transmission_mask",
    "reflection_tokens",
    "reflection_mask",
)
OUTPUTS = ("transmission", "reflection", "gates", "transmission_map", "reflection_map")


@dataclass(frozen=True, eq=False)
class ModelOutput:
    """What the network says of one picture of height H and width W.

    Attributes:
        transmission, reflection: (H, W, 3) float32 linear light.
        gates: (2,) float32 in [0, 1], how far the description of the transmission and of the
            reflection was followed; 0 = ignored or missing.
        transmission_map, reflection_map: (N, H / 8, W / 8) float32 weight of each token.
    """

    transmission: NDArray[np.float32]
    reflection: NDArray[np.float32]
    gates: NDArray[np.float32]
    transmission_map: NDArray[np.float32]
    reflection_map: NDArray[np.float32]


@dataclass(frozen=True)
class WeightsInfo:
    """What is known of a weights file.

    Attributes:
        path: the ONNX file.
        sha256: hex digest of the file.
        weights_id, architecture: names the training side gave them.
        manifest: the JSON object beside the file, empty where there is none.
    """

    path: Path
    sha256: str
    weights_id: str
    architecture: str
    manifest: dict[str, Any]


class SeparationModel:
    """A loaded network; `run` may be called from several threads at once."""

    def __init__(self, session: InferenceSession, info: WeightsInfo) -> None:
        """Use `load` instead."""
        self._session = session
        self.info = info

    @classmethod
    def load(
        cls, weights: Path | None = None, threads: int | None = None, device: Device = "cpu"
    ) -> SeparationModel:
        """Load a weights file, by default the shipped one.

        Args:
            weights: an ONNX file of this project. The manifest `NAME.json` beside it, which the
                shipped file must have, holds its SHA-256: files → NAME.onnx → sha256.
            threads: processor threads of one call; by default all this process may use, 8 at most.
            device: where the network runs; "cuda" needs the package onnxruntime-gpu.

        Raises:
            WeightsError: the file is missing, damaged, or of another model.
            ConfigError: onnxruntime cannot use the device.
        """
        path = SHIPPED_WEIGHTS if weights is None else Path(weights)
        content = _read(path)
        manifest = read_manifest(path)
        digest = hashlib.sha256(content).hexdigest()
        if manifest is None and weights is None:
            raise WeightsError(f"{path.with_suffix('.json')} is missing: {_REINSTALL}")
        if manifest is not None and _promised_digest(manifest, path) != digest:
            raise WeightsError(
                f"{path} is damaged or was replaced (its SHA-256 is not the one in "
                f"{path.with_suffix('.json').name}): install the package or export the model again"
            )
        session = _open_session(content, path, threads, device)
        names = _check_contract(session, path)
        return cls(session, WeightsInfo(path, digest, *names, manifest or {}))

    def run(
        self,
        mixture: NDArray[np.float32],
        transmission: Description,
        reflection: Description,
    ) -> ModelOutput:
        """Separate one picture: the mean of what the network says of it and of its mirror image.

        The network learnt from photos either way round: its two answers are equally good, err
        differently, and their mean is better than both (docs/lab-notes.md, "Seen both ways").
        Source: Timofte et al., "Seven ways to improve example-based single image super resolution",
        CVPR 2016, "enhanced prediction".

        Args:
            mixture: (H, W, 3) float32, sRGB-encoded in [0, 1], H and W multiples of 32.
            transmission: description of the layer behind the glass, or `NO_DESCRIPTION`.
            reflection: description of the mirrored layer, or `NO_DESCRIPTION`.

        Raises:
            WeightsError: the network cannot be run, or gave values that are not finite or not of
                the shapes above.
        """
        as_it_is = self._answer(model_inputs(mixture, transmission, reflection))
        other_way = self._answer(model_inputs(mixture[:, ::-1], transmission, reflection))
        return _mean(as_it_is, _mirror(other_way))

    def _answer(self, feed: dict[str, NDArray[Any]]) -> ModelOutput:
        outputs = self._run(feed)
        for output, shape in zip(outputs, _output_shapes(feed), strict=True):
            if output.shape != shape or output.dtype != np.float32:
                raise WeightsError(
                    f"{self.info.path} gave {output.dtype} of shape {output.shape} where float32 "
                    f"of {shape} belongs: use an ONNX file that this project exported"
                )
            if not np.isfinite(output).all():
                raise WeightsError(
                    f"{self.info.path} gave values that are not numbers: the weights are damaged "
                    "or their training failed"
                )
        first, second, gates, *maps = (output[0] for output in outputs)
        return ModelOutput(first.transpose(1, 2, 0), second.transpose(1, 2, 0), gates, *maps)

    def _run(self, feed: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        try:
            return [np.asarray(output) for output in self._session.run(OUTPUTS, feed)]
        except Exception as error:  # onnxruntime's own errors derive from Exception only
            raise WeightsError(
                f"{self.info.path} could not be run ({_reason(error)}): use an ONNX file that this "
                "project exported, or a smaller picture if memory is short"
            ) from error


def _mirror(output: ModelOutput) -> ModelOutput:
    """Return what is said of a picture as it is said of its mirror image, left for right."""
    return ModelOutput(
        output.transmission[:, ::-1],
        output.reflection[:, ::-1],
        output.gates,
        output.transmission_map[..., ::-1],
        output.reflection_map[..., ::-1],
    )


def _mean(one: ModelOutput, other: ModelOutput) -> ModelOutput:
    pairs = ((getattr(one, part.name), getattr(other, part.name)) for part in fields(ModelOutput))
    return ModelOutput(*(np.float32(0.5) * (first + second) for first, second in pairs))


def _output_shapes(feed: dict[str, NDArray[Any]]) -> list[tuple[int, ...]]:
    """Return the shapes that the outputs have for these inputs, in the order of `OUTPUTS`."""
    _, channels, height, width = feed["mixture"].shape
    layer = (1, channels, height, width)
    first, second = (feed[name].shape[1] for name in ("transmission_mask", "reflection_mask"))
    cells = (height // MAP_STRIDE, width // MAP_STRIDE)
    return [layer, layer, (1, 2), (1, first, *cells), (1, second, *cells)]


def model_inputs(
    mixture: NDArray[np.float32], transmission: Description, reflection: Description
) -> dict[str, NDArray[Any]]:
    """Return the inputs of the network by name, from the arguments of `SeparationModel.run`."""
    return {
        "mixture": np.ascontiguousarray(mixture.transpose(2, 0, 1)[None]),
        "transmission_tokens": transmission.tokens[None],
        "transmission_mask": transmission.mask[None],
        "reflection_tokens": reflection.tokens[None],
        "reflection_mask": reflection.mask[None],
    }


_REINSTALL = "reinstall pellucid (in a checkout of the source: export the model, see CONTRIBUTING)"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        remedy = _REINSTALL if path == SHIPPED_WEIGHTS else "check the name of the weights file"
        raise WeightsError(f"{path} cannot be read ({error.strerror}): {remedy}") from error


def read_manifest(weights: Path) -> dict[str, Any] | None:
    """Return the JSON object in the manifest beside a weights file, None where there is none.

    Raises:
        WeightsError: the manifest cannot be read.
    """
    path = weights.with_suffix(".json")
    try:
        manifest = parse_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read ({error}): {_REINSTALL}") from error
    if not isinstance(manifest, dict):
        raise WeightsError(f"{path} is no manifest: {_REINSTALL}")
    return manifest


def _promised_digest(manifest: dict[str, Any], weights: Path) -> str:
    try:
        return manifest["files"][weights.name]["sha256"]
    except (KeyError, TypeError) as error:
        raise WeightsError(
            f"{weights.with_suffix('.json')} holds no sha256 of {weights.name}: {_REINSTALL}"
        ) from error


def usable_devices() -> tuple[Device, ...]:
    """Return the devices that the installed onnxruntime can use."""
    import onnxruntime

    found = onnxruntime.get_available_providers()
    return tuple(device for device, provider in _PROVIDERS.items() if provider in found)


def _open_session(
    content: bytes, path: Path, threads: int | None, device: Device
) -> InferenceSession:
    import onnxruntime

    if device not in usable_devices():
        raise ConfigError(
            f"onnxruntime cannot use {device!r} here: use 'cpu', or install onnxruntime-gpu and "
            "its CUDA libraries"
        )

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or usable_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Pictures differ in size: an arena would keep the largest call's memory for good.
    options.enable_cpu_mem_arena = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Of 8-bit models: processors without 8-bit products sum pairs in 16 bits, which can overflow.
    options.add_session_config_entry("session.x64quantprecision", "1")
    try:
        # From bytes, so that what was checked is what is run and no side file is opened.
        return onnxruntime.InferenceSession(content, options, providers=[_PROVIDERS[device]])
    except Exception as error:  # onnxruntime's own errors derive from Exception only
        raise WeightsError(
            f"{path} is not a model that can be run ({_reason(error)}): use an ONNX file that this "
            "project exported"
        ) from error


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _check_contract(session: InferenceSession, path: Path) -> tuple[str, str]:
    """Return weights id and architecture of a model that obeys the contract."""
    notes = session.get_modelmeta().custom_metadata_map
    inputs = {node.name for node in session.get_inputs()}
    outputs = {node.name for node in session.get_outputs()}
    if inputs != set(INPUTS) or not outputs.issuperset(OUTPUTS):
        raise WeightsError(
            f"{path} is another program's model: use an ONNX file that this project exported"
        )
    if notes.get("pellucid.format") != FORMAT:
        raise WeightsError(
            f"{path} has format {notes.get('pellucid.format')}, this version reads {FORMAT}: "
            "use weights and pellucid of the same release"
        )
    return notes.get("pellucid.weights_id", path.stem), notes.get("pellucid.architecture", "?")
