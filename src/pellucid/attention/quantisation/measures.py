"""How far a quantised model's outputs are from its own in full precision."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from pellucid.attention.quantisation.activations import real_tokens
from pellucid.errors import ConfigError

DEFINITIONS: Mapping[str, str] = MappingProxyType(
    {
        "perplexity": "exp of the model's own mean loss, where the batches hold labels",
        "perplexity_exact": "the same in full precision",
        "kl": "KL(full precision ‖ quantised) of the output distributions, mean over real tokens, "
        "in nats",
        "top1_agreement": "share of real tokens with the same most probable output",
        "cosine_distance": "1 − cosine of the mean-pooled last hidden states, mean over samples",
        "cosine_distance_worst": "the same of the worst sample",
    }
)


class Comparison:
    """Compares outputs batch by batch.

    Which figures there are depends on what the model puts out: logits give `kl` and
    `top1_agreement`, and `perplexity` if there is a loss too; hidden states give `cosine_distance`.
    """

    def __init__(self) -> None:
        self._sums: dict[str, float] = defaultdict(float)
        self._weights: dict[str, int] = defaultdict(int)
        self._worst = -math.inf

    @torch.no_grad()
    def add(self, exact: Any, quantised: Any, real: Tensor | None) -> None:
        """Add one batch.

        Args:
            exact: what the model put out in full precision: an output of transformers, or hidden
                states of shape (batch, tokens, dim).
            quantised: what it put out quantised.
            real: (batch, tokens), False at padding; None: there is none.

        Raises:
            ConfigError: the output is none of these.

        """
        logits = getattr(exact, "logits", None)
        if logits is not None:
            self._add_logits(real_tokens(logits, real), real_tokens(quantised.logits, real))
            if exact.loss is not None:
                self._add("loss_exact", exact.loss.reshape(1), len(logits))
                self._add("loss", quantised.loss.reshape(1), len(logits))
            return
        self._add_states(_states(exact), _states(quantised), real)

    def figures(self) -> dict[str, float]:
        """Return the figures, as `DEFINITIONS` has them."""
        means = {name: total / self._weights[name] for name, total in self._sums.items()}
        if "loss" in means:
            means["perplexity_exact"] = math.exp(means.pop("loss_exact"))
            means["perplexity"] = math.exp(means.pop("loss"))
        if "cosine_distance" in means:
            means["cosine_distance_worst"] = self._worst
        return means

    def _add(self, name: str, values: Tensor, weight: int = 1) -> None:
        self._sums[name] += weight * float(values.sum(dtype=torch.float64))
        self._weights[name] += weight * values.numel()

    def _add_logits(self, exact: Tensor, quantised: Tensor) -> None:
        log_p, log_q = exact.float().log_softmax(-1), quantised.float().log_softmax(-1)
        self._add("kl", F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1))
        self._add("top1_agreement", exact.argmax(-1) == quantised.argmax(-1))

    def _add_states(self, exact: Tensor, quantised: Tensor, real: Tensor | None) -> None:
        mask = exact.new_ones(exact.shape[:2]) if real is None else real.to(exact.dtype)
        # The mean's denominator does not change a cosine.
        pooled = [(states * mask[..., None]).sum(1).double() for states in (exact, quantised)]
        distance = 1 - F.cosine_similarity(pooled[0], pooled[1], dim=-1)
        self._add("cosine_distance", distance)
        self._worst = max(self._worst, float(distance.max()))


def _states(output: Any) -> Tensor:
    states = getattr(output, "last_hidden_state", output)
    if isinstance(states, Tensor) and states.ndim == 3:
        return states
    raise ConfigError(
        f"A {type(output).__name__} has neither logits nor hidden states (batch, tokens, dim), so "
        "there is nothing to compare: wrap the model."
    )
