"""Time and memory of gated attention layers against plain attention, all in one run.

One repetition runs every row once, forward and backward, in an order that changes, and a row's
ratio is taken within the repetition. Whatever else slows the machine so meets all rows alike. The
medians over repetitions are reported, with their quartiles.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata, util
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from pellucid.attention.module import Attention, AttentionConfig
from pellucid.errors import ConfigError
from pellucid.files import appearing_whole

GATES = ("vga-key", "vga-query", "iga", "g1", "bondarenko")
X_TRANSFORMERS: dict[str, dict[str, Any]] = {
    "x-transformers plain": {},
    "x-transformers gate_values": {"gate_values": True},
    "x-transformers gate_value_heads": {"gate_value_heads": True},
    "x-transformers output_gate": {"output_gate": True},
}


@dataclass(frozen=True)
class BenchmarkConfig:
    """What to measure.

    Attributes:
        batch: sequences.
        tokens: tokens in each.
        dim: width of a token.
        heads: heads.
        repetitions: how often every row is run, after one run that does not count.
        threads: torch's threads on the CPU; None: as many as torch takes.
        device: `"cpu"`, `"cuda"` or `"mps"`.
        dtype: name of a torch dtype.

    Raises:
        ConfigError: a number is below 1, or there is no such dtype or device.

    """

    batch: int = 8
    tokens: int = 1024
    dim: int = 768
    heads: int = 12
    repetitions: int = 15
    threads: int | None = None
    device: str = "cpu"
    dtype: str = "float32"

    def __post_init__(self) -> None:
        if min(self.batch, self.tokens, self.repetitions) < 1:
            raise ConfigError("batch, tokens and repetitions must be at least 1.")
        if not isinstance(getattr(torch, self.dtype, None), torch.dtype):
            raise ConfigError(f"torch has no dtype {self.dtype!r}: try float32 or bfloat16.")
        backends = {"cpu": torch.cpu, "cuda": torch.cuda, "mps": torch.mps}
        if self.device not in backends or not backends[self.device].is_available():
            raise ConfigError(f"There is no device {self.device!r} here: use cpu.")


@dataclass(frozen=True)
class Row:
    """One layer's figures.

    Attributes:
        name: the layer.
        seconds: median time of a forward and a backward pass.
        ratio: median over repetitions of its time to the plain layer's in the same repetition.
        ratio_quartiles: first and third quartile of that.
        peak_bytes: the most that the passes had allocated at once, beyond weights and input; None
            where the device cannot tell.
        peak_ratio: `peak_bytes` to the plain layer's.

    """

    name: str
    seconds: float
    ratio: float
    ratio_quartiles: tuple[float, float]
    peak_bytes: int | None
    peak_ratio: float | None


def run_benchmark(
    config: BenchmarkConfig, progress: Callable[[int, int], None] | None = None
) -> list[Row]:
    """Measure every row; the first is plain attention.

    Args:
        config: what to measure.
        progress: called with the repetitions done and their number.

    """
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    layers = build_layers(config)
    torch.manual_seed(0)
    shape = (config.batch, config.tokens, config.dim)
    options: dict[str, Any] = {"device": config.device, "dtype": getattr(torch, config.dtype)}
    states = torch.randn(shape, **options).requires_grad_()
    upstream = torch.randn(shape, **options)
    peaks = {name: _peak_bytes(layer, states, upstream) for name, layer in layers.items()}
    times: dict[str, list[float]] = {name: [] for name in layers}
    order = list(layers)
    for repetition in range(config.repetitions):
        for name in order:
            times[name].append(_time(layers[name], states, upstream))
        order = order[1:] + order[:1]
        if progress is not None:
            progress(repetition + 1, config.repetitions)
    return [_row(name, times, peaks) for name in layers]


def build_layers(config: BenchmarkConfig) -> dict[str, nn.Module]:
    """Build the layers, x-transformers' too if it is installed.

    All are without biases, as x-transformers' layers are.
    """
    torch.manual_seed(0)
    sizes = (config.dim, config.heads)
    layers: dict[str, nn.Module] = {"plain": Attention(AttentionConfig(*sizes, bias=False))}
    for name in GATES:
        layers[name] = Attention(AttentionConfig(*sizes, bias=False, gate=name))
    if util.find_spec("x_transformers") is not None:
        for name, options in X_TRANSFORMERS.items():
            layers[name] = _XTransformersLayer(config, options)
    dtype = getattr(torch, config.dtype)
    return {name: layer.to(config.device, dtype) for name, layer in layers.items()}


def write_result(config: BenchmarkConfig, rows: list[Row], target: Path) -> None:
    """Write configuration, machine and rows as JSON; the file appears only once it is complete."""
    result = {
        "format": 1,
        "config": asdict(config),
        "machine": describe_machine(config),
        "rows": [asdict(row) for row in rows],
    }
    with appearing_whole(target) as part:
        part.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def describe_machine(config: BenchmarkConfig) -> dict[str, Any]:
    """Describe the hardware and software that figures were taken on, and how busy it was."""
    on_cuda = config.device == "cuda"
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if on_cuda else config.device,
        "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "x_transformers": _version("x-transformers"),
    }


class _XTransformersLayer(nn.Module):
    """An attention layer of x-transformers that returns its output alone."""

    def __init__(self, config: BenchmarkConfig, options: dict[str, Any]) -> None:
        super().__init__()
        from x_transformers.x_transformers import (  # pyright: ignore[reportMissingImports]
            Attention as TheirAttention,
        )

        self.layer: nn.Module = TheirAttention(
            config.dim,
            heads=config.heads,
            dim_head=config.dim // config.heads,
            flash=True,
            **options,
        )

    def forward(self, states: Tensor) -> Tensor:
        output = self.layer(states)
        return output[0] if isinstance(output, tuple) else output


def _pass(layer: nn.Module, states: Tensor, upstream: Tensor) -> None:
    layer(states).backward(upstream)


def _clear(layer: nn.Module, states: Tensor) -> None:
    layer.zero_grad(set_to_none=True)
    states.grad = None


def _time(layer: nn.Module, states: Tensor, upstream: Tensor) -> float:
    _clear(layer, states)
    _synchronise(states.device)
    start = time.perf_counter()
    _pass(layer, states, upstream)
    _synchronise(states.device)
    return time.perf_counter() - start


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
    elif device.type == "mps":
        torch.mps.synchronize()


def _peak_bytes(layer: nn.Module, states: Tensor, upstream: Tensor) -> int | None:
    """Measure the peak of what the passes allocate; it also warms the layer up."""
    _pass(layer, states, upstream)
    _clear(layer, states)
    if states.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        _pass(layer, states, upstream)
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    if states.device.type != "cpu":
        return None
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        _pass(layer, states, upstream)
    return _peak_of_allocations(record)


def _peak_of_allocations(record: profile) -> int:
    """Sum allocations and releases in the order of time and return the highest level.

    torch.profiler attributes memory to operators, which hides the level; the trace has every event.
    """
    assert record.profiler is not None and record.profiler.kineto_results is not None
    every_event: list[Any] = record.profiler.kineto_results.events()
    events = [event for event in every_event if event.name() == "[memory]"]
    level = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        level += event.nbytes()
        peak = max(peak, level)
    return peak


def _row(name: str, times: dict[str, list[float]], peaks: dict[str, int | None]) -> Row:
    ratios = [mine / plain for mine, plain in zip(times[name], times["plain"], strict=True)]
    first, _, third = (
        statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    )
    peak, plain_peak = peaks[name], peaks["plain"]
    return Row(
        name,
        statistics.median(times[name]),
        statistics.median(ratios),
        (first, third),
        peak,
        peak / plain_peak if peak and plain_peak else None,
    )


def _processor() -> str:
    """Return the processor's own name where the system tells it."""
    listing = Path("/proc/cpuinfo")
    if listing.is_file():
        for line in listing.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
