"""Inspect a model while it runs: hooks on, statistics out, hooks off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor, nn

from pellucid.attention.diagnostics import activations, metrics, summary
from pellucid.attention.diagnostics.activations import first_tensor, measure_activations
from pellucid.attention.diagnostics.gather import ActivationGather, LayerGather
from pellucid.attention.diagnostics.metrics import measure
from pellucid.attention.diagnostics.report import Report
from pellucid.attention.diagnostics.silent import silent_layers
from pellucid.attention.diagnostics.sources import (
    FusedWatch,
    HuggingfaceSource,
    MultiheadSource,
    OwnSource,
    PackedSource,
    ProtocolSource,
    Source,
)
from pellucid.attention.diagnostics.states import AttentionStates, InspectionError, Unmeasurable
from pellucid.attention.diagnostics.summary import BatchSummary, Summary
from pellucid.attention.passes import call_model, evaluation_mode

SOURCES: tuple[Source, ...] = (ProtocolSource(), OwnSource(), MultiheadSource(), PackedSource())


@dataclass
class _Pass:
    """The forward pass that is running.

    Attributes:
        running: the modules that are being called, the innermost last, each with the layers and
            blocks that had been measured when it began.
        calls: how many calls of a layer were recorded.
        recorded: how many of all layers.
        blocks: how many blocks' outputs were measured.
        summary: the metrics so far.
        valid: (batch, tokens) of the last self-attention, False at padding.
        sequence_first: the last layer's tokens are (tokens, batch, dim).
        hidden: the fused kernel is called by what is recorded anyhow.
        token_ids: (batch, tokens), what the model was called with, if it was that.

    """

    running: list[tuple[nn.Module, int, int]] = field(default_factory=list)
    calls: Counter[nn.Module] = field(default_factory=Counter)
    recorded: int = 0
    blocks: int = 0
    summary: BatchSummary = field(default_factory=BatchSummary)
    valid: Tensor | None = None
    sequence_first: bool = False
    hidden: bool = False
    token_ids: Tensor | None = None


class Inspector:
    """Measures the attention of every forward pass that a model makes inside the context.

        with Inspector(model) as inspector:
            for batch in batches:
                model(**batch)
        report = inspector.report()

    Only hooks and watches are added, and all are gone when the context ends, however it ends. The
    passes run as the user runs them: put the model in `eval()` if dropout should be off. Attention
    is measured before dropout.

    Args:
        model: the model; any that `sources` can read.
        epsilon: ε, the threshold above which a key's mean attention makes it a sink. Gu et al.
            take 0.3 with sequences of 64 tokens.
        name: the model's name in the report; None: its class.

    Raises:
        InspectionError: epsilon is not between 0 and 1.

    """

    def __init__(self, model: nn.Module, *, epsilon: float = 0.3, name: str | None = None) -> None:
        if not 0.0 < epsilon < 1.0:
            raise InspectionError(f"epsilon must be between 0 and 1; got {epsilon}.")
        self.model, self.epsilon = model, epsilon
        self.name = type(model).__name__ if name is None else name
        self._paths = {module: path for path, module in model.named_modules()}
        self._parents = {child: module for module in self._paths for child in module.children()}
        self._layers: dict[nn.Module, LayerGather] = {}
        self._blocks: dict[nn.Module, ActivationGather] = {}
        self._unmeasured: dict[str, str] = {}
        self._ran: set[nn.Module] = set()
        self._claimed: set[nn.Module] = set()
        self._summary = Summary()
        self._samples = self._batches = self._passes = 0
        self._stack = ExitStack()
        self._pass = _Pass()

    def __enter__(self) -> Self:
        """Put the hooks on."""
        with ExitStack() as stack:
            self._attach(stack)
            self._stack = stack.pop_all()
        self._pass = _Pass()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the hooks off; the statistics stay."""
        self._stack.close()
        self._pass = _Pass()

    def report(self) -> Report:
        """Return what was found so far.

        Raises:
            InspectionError: no attention was measured; the message says why.

        """
        known = [*(layer.path for layer in self._layers.values()), *self._unmeasured]
        self._unmeasured |= silent_layers(self._paths, self._ran, known)
        if not self._layers:
            raise InspectionError(self._nothing_found())
        return Report(
            model=self.name,
            epsilon=self.epsilon,
            samples=self._samples,
            batches=self._batches,
            summary=self._summary.estimates(self._layers.values(), self._blocks.values()),
            layers=[layer.report() for layer in self._layers.values()],
            activations=[block.report() for block in self._blocks.values()],
            unmeasured=dict(self._unmeasured),
            notes=self._notes(),
            definitions={**metrics.DEFINITIONS, **activations.DEFINITIONS, **summary.DEFINITIONS},
        )

    # What sources call.

    def record(self, module: nn.Module, found: AttentionStates | Unmeasurable) -> None:
        """Measure one call of an attention layer."""
        self._pass.calls[module] += 1
        path = self._paths[module]
        if isinstance(found, Unmeasurable):
            self._unmeasured[path] = found.reason
            return
        if 0 in found.query.shape or 0 in found.key.shape:
            self._unmeasured[path] = "it was called without samples or tokens"
            return
        measurement = measure(found, self.epsilon)
        if module not in self._layers:
            self._layers[module] = LayerGather(path, type(module).__name__, found)
        self._layers[module].add(found, measurement, self._aligned_ids(found, measurement.valid))
        self._pass.summary.add(path, measurement.values)
        self._pass.valid = measurement.valid if found.self_attention else self._pass.valid
        self._pass.sequence_first = (
            isinstance(module, nn.MultiheadAttention) and not module.batch_first
        )
        self._pass.recorded += 1

    def parent(self, module: nn.Module) -> nn.Module | None:
        """Return the module that this one is a part of."""
        return self._parents.get(module)

    def path(self, module: nn.Module) -> str | None:
        """Return the module's name in the model, None for a foreign module."""
        return self._paths.get(module)

    def calls(self, module: nn.Module) -> int:
        """Return how many calls of this layer were recorded in this batch."""
        return self._pass.calls[module]

    # Hooks.

    def _attach(self, stack: ExitStack) -> None:
        self._claimed.clear()
        huggingface = HuggingfaceSource(self, self._hide)

        def keep(*handles: Any) -> None:
            for handle in handles:
                stack.callback(handle.remove)

        keep(self.model.register_forward_pre_hook(self._on_start, with_kwargs=True))
        for module in self._paths:
            if _is_leaf(module):
                continue
            # Before and after the sources' hooks, so that a source's record is inside the call.
            keep(module.register_forward_pre_hook(self._on_enter))
            source = next((source for source in SOURCES if source.claims(module)), None)
            if source is not None:
                keep(*source.attach(module, self))
                if source.exclusive:
                    self._claimed.add(module)
            keep(*huggingface.watch_gate(module))
            keep(module.register_forward_hook(self._on_leave, always_call=True))
        keep(self.model.register_forward_hook(self._on_end))
        stack.enter_context(huggingface.watch())
        stack.enter_context(FusedWatch(self, self._owner))

    def _on_start(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._pass = _Pass()
        self._passes += 1
        ids = kwargs.get("input_ids", args[0] if args else None)
        if isinstance(ids, Tensor) and ids.ndim == 2 and not ids.is_floating_point():
            self._pass.token_ids = ids.detach()

    def _on_enter(self, module: nn.Module, _: Any) -> None:
        self._pass.running.append((module, self._pass.recorded, self._pass.blocks))
        self._ran.add(module)

    def _on_leave(self, module: nn.Module, _: Any, output: Any) -> None:
        while self._pass.running:
            entered, recorded, blocks = self._pass.running.pop()
            if entered is module:
                # The innermost module of a list of modules that holds attention is a block.
                repeated = isinstance(self._parents.get(module), (nn.ModuleList, nn.Sequential))
                if repeated and self._pass.recorded > recorded and self._pass.blocks == blocks:
                    self._add_block(module, output)
                return

    def _on_end(self, *_: Any) -> None:
        self._batches += 1
        self._samples += self._pass.summary.samples()
        self._summary.add(self._pass.summary)
        self._pass.summary = BatchSummary()

    def _add_block(self, module: nn.Module, output: Any) -> None:
        hidden = first_tensor(output)
        if hidden is None or hidden.ndim != 3:
            return
        self._pass.blocks += 1
        if self._pass.sequence_first:
            hidden = hidden.transpose(0, 1)
        valid = self._pass.valid
        if valid is None or valid.shape != hidden.shape[:2]:
            valid = torch.ones(hidden.shape[:2], dtype=torch.bool, device=hidden.device)
        found = measure_activations(hidden.detach(), valid)
        if module not in self._blocks:
            path = self._paths[module]
            self._blocks[module] = ActivationGather(path, type(module).__name__)
        self._blocks[module].add(found)
        self._pass.summary.add_activations(self._paths[module], found.values)

    @contextmanager
    def _hide(self) -> Iterator[None]:
        """Keep the watch of the fused kernel from seeing what is recorded anyhow."""
        before, self._pass.hidden = self._pass.hidden, True
        try:
            yield
        finally:
            self._pass.hidden = before

    def _owner(self) -> nn.Module | None:
        if self._pass.hidden or not self._pass.running:
            return None
        if any(module in self._claimed for module, _, _ in self._pass.running):
            return None
        return self._pass.running[-1][0]

    def _aligned_ids(self, states: AttentionStates, valid: Tensor) -> Tensor | None:
        """Move each sample's first real token to index 0, as positions are counted."""
        ids = self._pass.token_ids
        tokens = states.key.shape[-2] - states.prefix
        if ids is None or not states.self_attention or ids.shape != valid.shape:
            return None
        if ids.shape[1] != tokens:  # older tokens are in a cache
            return None
        first = valid.int().argmax(dim=-1, keepdim=True)
        index = torch.arange(ids.shape[1], device=ids.device) + first.to(ids.device)
        return ids.gather(-1, index.clamp(max=ids.shape[1] - 1))

    # What could not be measured.

    def _nothing_found(self) -> str:
        if not self._passes:
            return "Nothing was inspected: the model made no forward pass inside the context."
        reasons = "; ".join(
            f"{path or 'the model'}: {why}" for path, why in self._unmeasured.items()
        )
        return f"No attention could be measured in {self.name}. " + (
            reasons or "No module in it calls an attention that the diagnostics can read."
        )

    def _notes(self) -> list[str]:
        notes = [
            "Half widths are 95 % normal confidence intervals over samples; a layer that runs "
            "several times on a sample counts as several samples.",
            "Padding is told from the attention masks and left out; in cross-attention every query "
            "counts.",
        ]
        if self._blocks:
            names = ", ".join(block.path for block in self._blocks.values())
            notes.append(
                f"Kurtosis, inf norm and massive activations are of the outputs of: {names}."
            )
        else:
            notes.append(
                "Kurtosis, inf norm and massive activations were not measured: no attention layer "
                "lies in a repeated block that puts out (batch, tokens, dim)."
            )
        return notes


def inspect(
    model: nn.Module, batch: object, *, epsilon: float = 0.3, name: str | None = None
) -> Report:
    """Run a model once, in evaluation mode and without gradients, and report on its attention.

    Args:
        model: see `Inspector`. It comes back bit-identical, in the mode it was in.
        batch: keyword arguments as a mapping, positional arguments as a tuple, or one argument.
        epsilon: see `Inspector`.
        name: see `Inspector`.

    Raises:
        InspectionError: no attention was measured, or epsilon is not between 0 and 1.

    """
    with (
        evaluation_mode(model),
        torch.no_grad(),
        Inspector(model, epsilon=epsilon, name=name) as inspector,
    ):
        call_model(model, batch)
    return inspector.report()


def _is_leaf(module: nn.Module) -> bool:
    """Tell modules that hold no attention: torch's own layers without children."""
    return not any(module.children()) and type(module).__module__.startswith("torch.nn")
