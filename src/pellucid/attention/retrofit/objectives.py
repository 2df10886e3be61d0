"""What a model is trained on while its gates learn: its own task, or its own former outputs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

Tokens = Int[Tensor, "batch tokens"]


class Pass(NamedTuple):
    """One pass of a model.

    Attributes:
        loss: the task's loss.
        maps: every layer's attention map, (batch, heads, queries, keys); empty if not asked for.

    """

    loss: Float[Tensor, ""]
    maps: tuple[Tensor, ...]


class Objective(Protocol):
    """Runs a model on tokens and returns its loss."""

    def __call__(self, model: nn.Module, tokens: Tokens, *, maps: bool = False) -> Pass:
        """Run one pass; maps need eager attention."""
        ...


class CausalObjective:
    """Mean cross-entropy of the next token, in nats."""

    def __call__(self, model: nn.Module, tokens: Tokens, *, maps: bool = False) -> Pass:
        """Run one pass."""
        output = model(input_ids=tokens, labels=tokens, use_cache=False, output_attentions=maps)
        return Pass(output.loss, _maps(output, maps))


class MaskedObjective:
    """Mean cross-entropy of masked tokens, in nats; 15 % are masked, and not the first and last.

    Which ones depends on the tokens alone, so that two measurements see the same blanks.

    Args:
        mask_token: id of the mask token.

    """

    def __init__(self, mask_token: int) -> None:
        self.mask_token = mask_token

    def __call__(self, model: nn.Module, tokens: Tokens, *, maps: bool = False) -> Pass:
        """Run one pass."""
        output = model(**self.blank(tokens), output_attentions=maps)
        return Pass(output.loss, _maps(output, maps))

    def blank(self, tokens: Tokens) -> dict[str, Tokens]:
        """Return `input_ids` with masks in them, and `labels`, which are −100 elsewhere."""
        generator = torch.Generator().manual_seed(int(tokens.sum()))
        masked = (torch.rand(tokens.shape, generator=generator) < 0.15).to(tokens.device)
        masked[:, 0] = masked[:, -1] = False
        masked[:, tokens.shape[1] // 2] = True  # never none at all
        return {
            "input_ids": tokens.masked_fill(masked, self.mask_token),
            "labels": tokens.masked_fill(~masked, -100),
        }


class DistillationObjective:
    """Mean square distance of the last hidden state to a teacher's, over the teacher's variance.

    For models without a head: 0 means unchanged, 1 as far as predicting the teacher's mean.

    Args:
        teacher: the model as it was before the retrofit.

    """

    def __init__(self, teacher: nn.Module) -> None:
        self.teacher = teacher.eval().requires_grad_(False)

    def __call__(self, model: nn.Module, tokens: Tokens, *, maps: bool = False) -> Pass:
        """Run one pass."""
        with torch.no_grad():
            target = self.teacher(input_ids=tokens).last_hidden_state
        output = model(input_ids=tokens, output_attentions=maps)
        loss = F.mse_loss(output.last_hidden_state, target) / target.var()
        return Pass(loss, _maps(output, maps))


@contextmanager
def eager_attention(model: Any) -> Iterator[None]:
    """Let a transformers model compute attention maps, and set it back afterwards."""
    implementation = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(implementation)


def _maps(output: Any, wanted: bool) -> tuple[Tensor, ...]:
    return tuple(output.attentions) if wanted else ()
