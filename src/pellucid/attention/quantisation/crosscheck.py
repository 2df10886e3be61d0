"""Is the simulation true? The same model, computed by onnxruntime with real 8-bit integers.

The model is exported, quantised statically with the same ranges (one calibration batch, so that the
running minimum and maximum are that batch's), and run. Needs the packages onnx, onnxruntime and
onnxscript. On x86 processors without VNNI onnxruntime's sums of uint8 × int8 products may saturate,
and then differ from the simulation by more than rounding.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.attention.export import export_onnx
from pellucid.attention.quantisation.activations import Noise
from pellucid.attention.quantisation.config import QuantisationConfig
from pellucid.attention.quantisation.handle import quantise
from pellucid.errors import ConfigError

_PRODUCTS = ("MatMul", "Gemm")
_INTEGER_PRODUCTS = ("MatMulIntegerToFloat", "QLinearMatMul", "QGemm", "MatMulInteger")
_FLOAT_PRODUCTS = (*_PRODUCTS, "FusedMatMul")
_NO_OUTPUTS = {"OpTypesToExcludeOutputQuantization": list(_PRODUCTS)}


@dataclass(frozen=True)
class Agreement:
    """A model's output in full precision, simulated in 8 bits, and computed in 8 bits.

    Attributes:
        simulated_db: signal-to-noise of the simulation against full precision, in dB.
        computed_db: the same of onnxruntime's integers.
        agreement_db: signal-to-noise of onnxruntime's integers against the simulation: the more it
            is above the others, the less is left that the simulation does not tell.
        difference: largest absolute difference of the two.
        integer_products: matrix products that onnxruntime computed with integers, by operator.
        float_products: those that it did not.

    """

    simulated_db: float
    computed_db: float
    agreement_db: float
    difference: float
    integer_products: dict[str, int]
    float_products: int


def crosscheck(
    model: nn.Module, inputs: tuple[Tensor, ...], config: QuantisationConfig
) -> Agreement:
    """Compute a model with 8 bits in both ways, calibrated on the inputs themselves.

    Args:
        model: takes tensors and returns one; in evaluation mode.
        inputs: its arguments.
        config: W8A8 with a min-max grid that leaves no linear layer out. With `outputs`, linear
            layers must see (rows, dim): on more axes onnxruntime rounds before it adds the bias.

    Raises:
        ConfigError: it is another configuration, the model cannot be quantised or exported, or
            onnxruntime used no integers.

    """
    if (config.weight_bits, config.activation_bits, config.weight_grid) != (8, 8, "minmax"):
        raise ConfigError(f"onnxruntime computes W8A8 with a min-max grid only, not {config}.")
    with torch.no_grad():
        exact = model(*inputs)
        with quantise(model, [inputs], config):
            simulated = model(*inputs)
    computed, products = _compute(model, inputs, config)
    floats = sum(products.pop(name, 0) for name in _FLOAT_PRODUCTS)
    if not products:
        raise ConfigError("onnxruntime computed no matrix product with integers.")
    return Agreement(
        simulated_db=_decibels(exact, simulated),
        computed_db=_decibels(exact, computed),
        agreement_db=_decibels(simulated, computed),
        difference=float((simulated - computed).abs().max()),
        integer_products=products,
        float_products=floats,
    )


def _decibels(exact: Tensor, rounded: Tensor) -> float:
    noise = Noise()
    noise.add(exact, rounded)
    return noise.decibels


def _compute(
    model: nn.Module, inputs: tuple[Tensor, ...], config: QuantisationConfig
) -> tuple[Tensor, dict[str, int]]:
    """Return the output of onnxruntime's integers, and its matrix products by operator."""
    import onnx
    import onnxruntime

    names = [f"input_{index}" for index in range(len(inputs))]
    feed = {name: tensor.numpy() for name, tensor in zip(names, inputs, strict=True)}
    with tempfile.TemporaryDirectory() as folder:
        plain, integer, fused = (Path(folder) / f"{name}.onnx" for name in ("a", "b", "c"))
        export_onnx(model, inputs, plain, input_names=names, output_names=["output"])
        _quantise_file(plain, integer, feed, config)
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(fused)
        # Processors without 8-bit products sum pairs in 16 bits, which can overflow: not there.
        options.add_session_config_entry("session.x64quantprecision", "1")
        options.log_severity_level = 3  # it warns that the written file is of this machine only
        session = onnxruntime.InferenceSession(
            integer,
            options,
            ["CPUExecutionProvider"],
            # Products with their bias in one are computed in float unless their output is rounded.
            disabled_optimizers=[] if config.outputs else ["MatMulAddFusion"],
        )
        output = torch.from_numpy(session.run(None, feed)[0])
        operators = Counter(node.op_type for node in onnx.load(fused).graph.node)
    wanted = (*_INTEGER_PRODUCTS, *_FLOAT_PRODUCTS)
    return output, {name: operators[name] for name in wanted if operators[name]}


def _quantise_file(
    source: Path, target: Path, feed: Mapping[str, Any], config: QuantisationConfig
) -> None:
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Once(CalibrationDataReader):
        def __init__(self) -> None:
            self._feeds = iter([feed])

        def get_next(self) -> Any:
            return next(self._feeds, None)

    quantize_static(
        source,
        target,
        Once(),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=list(_PRODUCTS),
        per_channel=config.per_channel,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        extra_options=_NO_OUTPUTS if not config.outputs else {},
    )
    _keep_residuals_exact(target)


def _keep_residuals_exact(path: Path) -> None:
    """Give what is no product its exact input back.

    Where a product and a residual sum take one tensor, onnxruntime rounds it for both.
    """
    import onnx

    model = onnx.load(path)
    makers = {output: node for node in model.graph.node for output in node.output}
    for node in model.graph.node:
        if node.op_type in (*_PRODUCTS, "QuantizeLinear", "DequantizeLinear"):
            continue
        for index, name in enumerate(node.input):
            exact = _before_rounding(name, makers)
            if exact is not None and (
                exact not in makers or makers[exact].op_type not in _PRODUCTS
            ):
                node.input[index] = exact
    onnx.save(model, path)


def _before_rounding(name: str, makers: Mapping[str, Any]) -> str | None:
    """Return the tensor that was quantised and dequantised to make this one."""
    for operator in ("DequantizeLinear", "QuantizeLinear"):
        if name not in makers or makers[name].op_type != operator:
            return None
        name = makers[name].input[0]
    return name
