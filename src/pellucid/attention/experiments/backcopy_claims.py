"""The claims that Bigram-Backcopy can decide."""

from __future__ import annotations

from pellucid.attention.experiments.claims import (
    DRAIN,
    SINK,
    Claim,
    Seed,
    has_sink,
    is_drained,
)
from pellucid.attention.experiments.runs import end, peak, start

PAPER, LOOP = "VGA paper", "VGA paper, §3"


def _pathology(runs: Seed) -> bool:
    run = runs["vanilla"]
    rises = end(run, "delta_logit") > start(run, "delta_logit") + 1
    return has_sink(run) and rises and is_drained(run)


def _lower(name: str, one: str, other: str):
    return lambda runs: end(runs[one], name) < end(runs[other], name)


def _no_sink(group: str):
    return lambda runs: peak(runs[group], "attention") <= SINK


def _placement_matters_more(runs: Seed) -> bool:
    attention = {group: end(run, "attention") for group, run in runs.items()}
    between_placements = abs(
        (attention["iga-key"] + attention["vga-key"])
        - (attention["iga-query"] + attention["vga-query"])
    )
    between_signals = abs(
        (attention["iga-key"] + attention["iga-query"])
        - (attention["vga-key"] + attention["vga-query"])
    )
    return between_placements > between_signals


CLAIMS = (
    Claim(
        f"vanilla: Attn_⟨s⟩ ends above {SINK}, Δlogit rises, ‖V_s‖ falls below half the median",
        "Guo et al., VGA paper",
        _pathology,
        ("vanilla",),
    ),
    Claim(
        "IGA, key: a smaller sink than vanilla",
        PAPER,
        _lower("attention", "iga-key", "vanilla"),
        ("vanilla", "iga-key"),
    ),
    Claim(
        "VGA, key: a larger Δlogit than vanilla",
        "this library",
        lambda runs: end(runs["vga-key"], "delta_logit") > end(runs["vanilla"], "delta_logit"),
        ("vga-key", "vanilla"),
    ),
    Claim(f"VGA, key: Attn_⟨s⟩ never above {SINK}", PAPER, _no_sink("vga-key"), ("vga-key",)),
    Claim(f"VGA, query: Attn_⟨s⟩ never above {SINK}", PAPER, _no_sink("vga-query"), ("vga-query",)),
    Claim(
        "VGA, key: ‖V_s‖ is not drained",
        PAPER,
        lambda runs: not is_drained(runs["vga-key"]),
        ("vga-key",),
    ),
    Claim(
        "VGA, query: ‖V_s‖ is not drained",
        PAPER,
        lambda runs: not is_drained(runs["vga-query"]),
        ("vga-query",),
    ),
    Claim(
        "VGA, key: a smaller sink than IGA, key",
        PAPER,
        _lower("attention", "vga-key", "iga-key"),
        ("vga-key", "iga-key"),
    ),
    Claim(
        "VGA, query: a smaller sink than IGA, query",
        PAPER,
        _lower("attention", "vga-query", "iga-query"),
        ("vga-query", "iga-query"),
    ),
    Claim(
        "VGA, query: a smaller sink than VGA, key",
        "this library",
        _lower("attention", "vga-query", "vga-key"),
        ("vga-query", "vga-key"),
    ),
    Claim(
        "VGA, key: backcopy risk no higher than vanilla's",
        PAPER,
        lambda runs: end(runs["vga-key"], "backcopy") <= end(runs["vanilla"], "backcopy"),
        ("vga-key", "vanilla"),
    ),
    Claim(
        "VGA, query: backcopy risk no higher than vanilla's",
        PAPER,
        lambda runs: end(runs["vga-query"], "backcopy") <= end(runs["vanilla"], "backcopy"),
        ("vga-query", "vanilla"),
    ),
    Claim(
        "placement moves Attn_⟨s⟩ more than the gate's signal does",
        "this library",
        _placement_matters_more,
        ("iga-key", "vga-key", "iga-query", "vga-query"),
    ),
    Claim(
        f"off-by-one: Attn_⟨s⟩ never above {SINK}",
        "Miller 2023",
        _no_sink("off-by-one"),
        ("off-by-one",),
    ),
    Claim(
        f"learned sink: Attn_⟨s⟩ never above {SINK}",
        "its purpose",
        _no_sink("learned-sink"),
        ("learned-sink",),
    ),
    Claim(
        "registers: a smaller sink at ⟨s⟩ than vanilla",
        "Darcet et al. 2023",
        _lower("attention", "registers", "vanilla"),
        ("registers", "vanilla"),
    ),
)


def _closed(group: str):
    return lambda runs: end(runs[group], "grad_value") < end(runs["vanilla"], "grad_value") / 10


MECHANISM_CLAIMS = (
    Claim(
        "the drain needs ∂L/∂V_s: without it, and without a gate, ‖V_s‖ is not drained",
        LOOP,
        lambda runs: not is_drained(runs["vanilla+no-sink-value-gradient"]),
        ("vanilla+no-sink-value-gradient",),
    ),
    Claim(
        f"the sink needs ∂L/∂V_s: without it, and without a gate, Attn_⟨s⟩ ends below {SINK}",
        LOOP,
        lambda runs: not has_sink(runs["vanilla+no-sink-value-gradient"]),
        ("vanilla+no-sink-value-gradient",),
    ),
    Claim(
        "with a tenth of all value gradients the sink stays",
        "V-scale, arXiv:2603.17771",
        lambda runs: has_sink(runs["vanilla+value-gradients-tenth"]),
        ("vanilla+value-gradients-tenth",),
    ),
    Claim(
        "VGA, key: the gate at ⟨s⟩ ends below .05",
        LOOP,
        lambda runs: end(runs["vga-key"], "gate_sink") < 0.05,
        ("vga-key",),
    ),
    Claim(
        "VGA, key: ‖∂L/∂V_s‖ ends below a tenth of vanilla's",
        LOOP,
        _closed("vga-key"),
        ("vga-key", "vanilla"),
    ),
    Claim(
        "VGA, query: ‖∂L/∂V_s‖ ends below a tenth of vanilla's",
        "this library",
        _closed("vga-query"),
        ("vga-query", "vanilla"),
    ),
    Claim(
        "VGA, key: abs ∂L/∂s_i0 ends below vanilla's",
        "this library",
        _lower("grad_score", "vga-key", "vanilla"),
        ("vga-key", "vanilla"),
    ),
    Claim(
        "VGA, query: abs ∂L/∂s_i0 ends below key-side VGA's",
        "this library",
        _lower("grad_score", "vga-query", "vga-key"),
        ("vga-query", "vga-key"),
    ),
    Claim(
        "VGA, key: without the gradient through the gate's signal there is a drain",
        LOOP,
        lambda runs: is_drained(runs["vga-key+detached-gate-signal"]),
        ("vga-key+detached-gate-signal",),
    ),
    Claim(
        "VGA, query: without the gradient through the gate's signal there is a drain",
        LOOP,
        lambda runs: is_drained(runs["vga-query+detached-gate-signal"]),
        ("vga-query+detached-gate-signal",),
    ),
)


def _mended_drain(group: str):
    return lambda runs: end(runs[group], "drain_ratio") >= DRAIN


def _mended_sink(group: str):
    return lambda runs: end(runs[group], "first_token_attention") <= SINK


MENDING_CLAIMS = (
    Claim("VGA, key, put on afterwards ends the drain", PAPER, _mended_drain("key"), ("key",)),
    Claim(
        "VGA, query, put on afterwards ends the drain", PAPER, _mended_drain("query"), ("query",)
    ),
    Claim(
        f"VGA, key, put on afterwards brings attention on ⟨s⟩ to {SINK}",
        PAPER,
        _mended_sink("key"),
        ("key",),
    ),
    Claim(
        f"VGA, query, put on afterwards brings attention on ⟨s⟩ to {SINK}",
        PAPER,
        _mended_sink("query"),
        ("query",),
    ),
    Claim(
        "the recipe's penalties end the drain without a gate",
        "this library",
        _mended_drain("none-recipe"),
        ("none-recipe",),
    ),
    Claim(
        f"the sink penalty brings attention on ⟨s⟩ to {SINK} without a gate",
        "this library",
        _mended_sink("none-sink"),
        ("none-sink",),
    ),
    Claim(
        "recipe + sink: a lower loss with VGA, key, than without a gate",
        "this library",
        _lower("loss", "key-sink", "none-sink"),
        ("key-sink", "none-sink"),
    ),
    Claim(
        "recipe + sink: a lower loss with VGA, query, than without a gate",
        "this library",
        _lower("loss", "query-sink", "none-sink"),
        ("query-sink", "none-sink"),
    ),
)
