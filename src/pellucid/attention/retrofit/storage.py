"""Gates on disk: a safetensors file with the gates only, and the spec as its metadata."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from pellucid.attention.gate import GateSpec
from pellucid.attention.retrofit.handle import Retrofit, attach
from pellucid.errors import ConfigError, WeightsError
from pellucid.files import appearing_whole
from pellucid.untrusted import parse_json

FORMAT = 1
_KEY = "pellucid.retrofit"


def save_retrofit(handle: Retrofit, target: Path) -> None:
    """Write the gates, not the model, to one safetensors file.

    The file appears only once it is complete. Its metadata `pellucid.retrofit` is JSON: `format`,
    `spec`, `layers` (their names) and `model` (the class, to tell a person).

    Raises:
        ConfigError: the retrofit has been undone.

    """
    if not handle.layers:
        raise ConfigError("This retrofit has been undone, so there are no gates to save.")
    tensors = {
        f"{path}.{name}": tensor.detach().cpu().contiguous()
        for path, gate in handle.gates.items()
        for name, tensor in gate.state_dict().items()
    }
    description = {
        "format": FORMAT,
        "model": type(handle.model).__name__,
        "spec": asdict(handle.spec),
        "layers": list(handle.gates),
    }
    with appearing_whole(target) as part:
        save_file(tensors, part, metadata={_KEY: json.dumps(description)})


def load_retrofit(model: nn.Module, source: Path) -> Retrofit:
    """Put saved gates on a model that has none. Parity is not measured: trained gates change it.

    Raises:
        WeightsError: the file is missing, damaged, of another format, or of another model.
        ConfigError: the model has gates already, or cannot carry gates.

    """
    description, tensors = _read(source)
    try:
        spec = GateSpec(**description["spec"])
        paths = set(description["layers"])
    except (KeyError, TypeError, ConfigError) as error:
        raise WeightsError(f"{source}: its description of the gates is damaged: {error}") from error
    modules = dict(model.named_modules())
    missing = sorted(path for path in paths if path not in modules)
    if missing:
        raise WeightsError(
            f"{source} has gates for a {description.get('model')}; this {type(model).__name__} has "
            f"no layer {missing[0]}."
        )
    handle = attach(model, spec, lambda path: path in paths)
    try:
        _fill(handle, tensors, source)
        if handle.gates.keys() != paths:
            raise WeightsError(f"{source} has gates for layers that cannot carry one here.")
    except BaseException:
        handle.undo()
        raise
    return handle


def _read(source: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(source, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise WeightsError(f"{source} does not exist.") from error
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{source} is not a whole safetensors file: {error}") from error
    try:
        description = parse_json(metadata[_KEY])
        found = description["format"]
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{source} holds no gates: it has no {_KEY} metadata.") from error
    if found != FORMAT:
        raise WeightsError(f"{source} has format {found}, this version reads format {FORMAT}.")
    return description, tensors


def _fill(handle: Retrofit, tensors: dict[str, Tensor], source: Path) -> None:
    for path, gate in handle.gates.items():
        for name, parameter in gate.named_parameters():
            tensor = tensors.get(f"{path}.{name}")
            if tensor is None or tensor.shape != parameter.shape:
                shape = None if tensor is None else tuple(tensor.shape)
                raise WeightsError(
                    f"{source}: {path}.{name} must have the shape {tuple(parameter.shape)}, "
                    f"has {shape}: these gates belong to another model."
                )
            if not torch.isfinite(tensor).all():
                raise WeightsError(f"{source}: {path}.{name} holds numbers that are not finite.")
            with torch.no_grad():
                parameter.copy_(tensor)
