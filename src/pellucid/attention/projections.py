"""How attention layers of other libraries name their projections, which they call as modules."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from pellucid.attention.linear import widths


@dataclass(frozen=True)
class Layout:
    """How a family of attention layers names its projections.

    Attributes:
        query: the projection to queries.
        value: the projection to values; the same name as `query` where one projection makes
            queries, keys and values, in this order.
        output: the projection of the mixed values; None: the layer ends with the mixing, and its
            first output is the mixed values.

    """

    query: str
    value: str
    output: str | None

    @property
    def fused(self) -> bool:
        """Whether one projection makes queries, keys and values."""
        return self.query == self.value

    def value_of(self, projected: Float[Tensor, "batch tokens width"]) -> Tensor:
        """Return the values in what the projection to values puts out, heads side by side."""
        return projected.chunk(3, dim=-1)[2] if self.fused else projected


_LAYOUTS = (
    Layout("q_proj", "v_proj", "o_proj"),  # LLaMA, Qwen, Mistral, Gemma, ViT
    Layout("q_proj", "v_proj", "out_proj"),  # OPT, BART, CLIP, Whisper
    Layout("query", "value", "dense"),  # ALBERT
    Layout("query", "value", None),  # BERT, RoBERTa, ELECTRA
    Layout("q_lin", "v_lin", "out_lin"),  # DistilBERT
    Layout("c_attn", "c_attn", "c_proj"),  # GPT-2
)


def layout_of(module: nn.Module) -> Layout | None:
    """Tell which layout an attention layer has; None: it is no such layer, or of none of them."""
    if head_dim_of(module) is None:
        return None
    for layout in _LAYOUTS:
        names = [layout.query, layout.value, *([layout.output] if layout.output else [])]
        if all(widths(getattr(module, name, None)) is not None for name in names):
            return layout
    return None


def head_dim_of(module: nn.Module) -> int | None:
    """Return the width of a head as the layer itself tells it; None: it does not."""
    for name in ("head_dim", "attention_head_size"):
        width = getattr(module, name, None)
        if isinstance(width, int):
            return width
    return None
