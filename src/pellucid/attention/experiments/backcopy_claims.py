"""The claims that Bigram-Backcopy can decide."""

from __future__ import annotations

from pellucid.attention.experiments.claims import (
    DRAIN,
    SINK,
    Claim,
    Seed,
    has_sink,
    is_drained,
    lower,
    of_one,
)
from pellucid.attention.experiments.runs import Run, end, peak, start

PAPER, LOOP, OURS = "VGA paper", "VGA paper, §3", "this library"
_SQUARE = ("iga-key", "vga-key", "iga-query", "vga-query")


def _has_pathology(run: Run) -> bool:
    rises = end(run, "delta_logit") > start(run, "delta_logit") + 1
    return has_sink(run) and rises and is_drained(run)


def _never_sinks(title: str, source: str, group: str) -> Claim:
    return of_one(
        f"{title}: Attn_⟨s⟩ never above {SINK}",
        source,
        group,
        lambda run: peak(run, "attention") <= SINK,
    )


def _not_drained(title: str, group: str) -> Claim:
    return of_one(f"{title}: ‖V_s‖ is not drained", PAPER, group, lambda run: not is_drained(run))


def _as_good(title: str, group: str) -> Claim:
    return Claim(
        f"{title}: backcopy risk no higher than vanilla's",
        PAPER,
        lambda runs: end(runs[group], "backcopy") <= end(runs["vanilla"], "backcopy"),
        (group, "vanilla"),
    )


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
    of_one(
        f"vanilla: Attn_⟨s⟩ ends above {SINK}, Δlogit rises, ‖V_s‖ falls below half the median",
        "Guo et al., VGA paper",
        "vanilla",
        _has_pathology,
    ),
    lower("IGA, key: a smaller sink than vanilla", PAPER, "attention", "iga-key", "vanilla"),
    lower("VGA, key: a larger Δlogit than vanilla", OURS, "delta_logit", "vanilla", "vga-key"),
    _never_sinks("VGA, key", PAPER, "vga-key"),
    _never_sinks("VGA, query", PAPER, "vga-query"),
    _not_drained("VGA, key", "vga-key"),
    _not_drained("VGA, query", "vga-query"),
    lower("VGA, key: a smaller sink than IGA, key", PAPER, "attention", "vga-key", "iga-key"),
    lower(
        "VGA, query: a smaller sink than IGA, query", PAPER, "attention", "vga-query", "iga-query"
    ),
    lower("VGA, query: a smaller sink than VGA, key", OURS, "attention", "vga-query", "vga-key"),
    _as_good("VGA, key", "vga-key"),
    _as_good("VGA, query", "vga-query"),
    Claim(
        "placement moves Attn_⟨s⟩ more than the gate's signal does",
        OURS,
        _placement_matters_more,
        _SQUARE,
    ),
    _never_sinks("off-by-one", "Miller 2023", "off-by-one"),
    _never_sinks("learned sink", "its purpose", "learned-sink"),
    lower(
        "registers: a smaller sink at ⟨s⟩ than vanilla",
        "Darcet et al. 2023",
        "attention",
        "registers",
        "vanilla",
    ),
)


def _closed(title: str, source: str, group: str) -> Claim:
    return Claim(
        f"{title}: ‖∂L/∂V_s‖ ends below a tenth of vanilla's",
        source,
        lambda runs: end(runs[group], "grad_value") < end(runs["vanilla"], "grad_value") / 10,
        (group, "vanilla"),
    )


def _drained_if_detached(title: str, group: str) -> Claim:
    return of_one(
        f"{title}: without the gradient through the gate's signal there is a drain",
        LOOP,
        f"{group}+detached-gate-signal",
        is_drained,
    )


MECHANISM_CLAIMS = (
    of_one(
        "the drain needs ∂L/∂V_s: without it, and without a gate, ‖V_s‖ is not drained",
        LOOP,
        "vanilla+no-sink-value-gradient",
        lambda run: not is_drained(run),
    ),
    of_one(
        f"the sink needs ∂L/∂V_s: without it, and without a gate, Attn_⟨s⟩ ends below {SINK}",
        LOOP,
        "vanilla+no-sink-value-gradient",
        lambda run: not has_sink(run),
    ),
    of_one(
        "with a tenth of all value gradients the sink stays",
        "V-scale, arXiv:2603.17771",
        "vanilla+value-gradients-tenth",
        has_sink,
    ),
    of_one(
        "VGA, key: the gate at ⟨s⟩ ends below .05",
        LOOP,
        "vga-key",
        lambda run: end(run, "gate_sink") < 0.05,
    ),
    _closed("VGA, key", LOOP, "vga-key"),
    _closed("VGA, query", OURS, "vga-query"),
    lower("VGA, key: abs ∂L/∂s_i0 ends below vanilla's", OURS, "grad_score", "vga-key", "vanilla"),
    lower(
        "VGA, query: abs ∂L/∂s_i0 ends below key-side VGA's",
        OURS,
        "grad_score",
        "vga-query",
        "vga-key",
    ),
    _drained_if_detached("VGA, key", "vga-key"),
    _drained_if_detached("VGA, query", "vga-query"),
)


def _drain_ends(text: str, source: str, group: str) -> Claim:
    return of_one(text, source, group, lambda run: end(run, "drain_ratio") >= DRAIN)


def _sink_ends(text: str, source: str, group: str) -> Claim:
    return of_one(text, source, group, lambda run: end(run, "first_token_attention") <= SINK)


MENDING_CLAIMS = (
    _drain_ends("VGA, key, put on afterwards ends the drain", PAPER, "key"),
    _drain_ends("VGA, query, put on afterwards ends the drain", PAPER, "query"),
    _sink_ends(f"VGA, key, put on afterwards brings attention on ⟨s⟩ to {SINK}", PAPER, "key"),
    _sink_ends(f"VGA, query, put on afterwards brings attention on ⟨s⟩ to {SINK}", PAPER, "query"),
    _drain_ends("the recipe's penalties end the drain without a gate", OURS, "none-recipe"),
    _sink_ends(
        f"the sink penalty brings attention on ⟨s⟩ to {SINK} without a gate", OURS, "none-sink"
    ),
    lower(
        "recipe + sink: a lower loss with VGA, key, than without a gate",
        OURS,
        "loss",
        "key-sink",
        "none-sink",
    ),
    lower(
        "recipe + sink: a lower loss with VGA, query, than without a gate",
        OURS,
        "loss",
        "query-sink",
        "none-sink",
    ),
)
