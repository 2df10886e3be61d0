"""Finding the self-attention layers of a model, and building the gates that they can carry."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from pellucid.attention.gate import Gate, GateSpec
from pellucid.attention.linear import widths
from pellucid.attention.projections import Layout, head_dim_of, layout_of
from pellucid.errors import ConfigError

SUPPORTED = (
    "Supported are the self-attention layers of BERT, GPT-2, OPT, LLaMA, Qwen, Mistral and ViT in "
    "transformers, other layers that name their projections as those do, and "
    "torch.nn.MultiheadAttention inside any module."
)

_CROSS_NAMES = {"crossattention", "cross_attn", "encoder_attn", "encdecattention", "multihead_attn"}


@dataclass(frozen=True)
class ProjectedAttention:
    """A self-attention layer that calls its projections as modules.

    Attributes:
        path: its name in the model.
        module: the layer.
        layout: how it names its projections.
        heads: query heads.
        kv_heads: key-value heads.
        head_dim: width of a head's value.
        input_dim: width of the input states.

    """

    path: str
    module: nn.Module
    layout: Layout
    heads: int
    kv_heads: int
    head_dim: int
    input_dim: int

    def projection(self, name: str) -> nn.Module:
        """Return one of the layer's projections."""
        return getattr(self.module, name)

    def make_gate(self, spec: GateSpec) -> Gate:
        """Build the gate for this layer, on its device and in its dtype.

        Raises:
            ConfigError: the layer's sizes cannot carry this gate.

        """
        try:
            gate = Gate(
                spec,
                heads=self.heads,
                head_dim=self.head_dim,
                kv_heads=self.kv_heads,
                input_dim=self.input_dim,
            )
        except ConfigError as error:
            raise ConfigError(f"{self.path} cannot carry this gate. {error}") from error
        return place_like(gate, next(self.projection(self.layout.value).parameters()))


def find_projected(model: nn.Module) -> tuple[list[ProjectedAttention], list[str]]:
    """Find the self-attention layers that call their projections as modules.

    Returns:
        The layers, and the names of cross-attention layers, which get no gate.

    Raises:
        ConfigError: a layer normalises its values after projecting them, which would undo a gate.

    """
    found: list[ProjectedAttention] = []
    cross: list[str] = []
    for path, module in model.named_modules():
        layout = layout_of(module)
        if layout is None:
            continue
        if is_cross_attention(path, module):
            cross.append(path)
        else:
            found.append(_measure(path, module, layout))
    return found, cross


def is_cross_attention(path: str, module: nn.Module) -> bool:
    """Whether a layer attends to the tokens of another sequence."""
    named_so = not _CROSS_NAMES.isdisjoint(path.lower().split("."))
    return named_so or getattr(module, "is_cross_attention", False) is True


def place_like(gate: Gate, parameter: Tensor) -> Gate:
    """Put a gate on a parameter's device, in its dtype unless that is an integer."""
    dtype = parameter.dtype if parameter.dtype.is_floating_point else None
    return gate.to(device=parameter.device, dtype=dtype)


def _measure(path: str, module: nn.Module, layout: Layout) -> ProjectedAttention:
    if hasattr(module, "v_norm"):
        raise ConfigError(
            f"{path} normalises its values after projecting them, which would undo a gate on the "
            f"projection, so it cannot be retrofitted. {SUPPORTED}"
        )
    head_dim = head_dim_of(module)
    value_widths = widths(getattr(module, layout.value))
    assert head_dim is not None and value_widths is not None
    input_dim, value_dim = value_widths
    value_dim = value_dim // 3 if layout.fused else value_dim
    output = widths(getattr(module, layout.output)) if layout.output else None
    mixed_dim = value_dim if output is None else output[0]
    return ProjectedAttention(
        path, module, layout, mixed_dim // head_dim, value_dim // head_dim, head_dim, input_dim
    )
