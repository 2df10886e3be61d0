"""The experiments by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from pellucid.attention.experiments.backcopy_claims import CLAIMS, MECHANISM_CLAIMS, MENDING_CLAIMS
from pellucid.attention.experiments.charts import Panel
from pellucid.attention.experiments.experiment import Experiment
from pellucid.attention.experiments.language import BITS, masked_run, next_run
from pellucid.attention.experiments.language_claims import (
    DECODER_CLAIMS,
    ENCODER_CLAIMS,
    PUBLISHED_DECODER,
    PUBLISHED_ENCODER,
    cost,
)
from pellucid.attention.experiments.mending import MENDINGS, mending_run
from pellucid.attention.experiments.methods import METHODS
from pellucid.attention.experiments.summary import (
    Column,
    Groups,
    at_end,
    at_start,
    change,
    highest,
    panel,
)
from pellucid.attention.experiments.training import backcopy_run, long_run
from pellucid.errors import ConfigError

SEEDS = 4
LONG_SEEDS = 1
LANGUAGE_SEEDS = 2

_METHOD_TITLES = {name: method.title for name, method in METHODS.items()}
_SQUARE = ("vanilla", "iga-key", "vga-key", "iga-query", "vga-query")
_OTHERS = tuple(name for name in METHODS if name not in _SQUARE)

_LANGUAGE_TITLES = {
    name: METHODS[name].title
    for name in (
        *("vanilla", "vga-key", "vga-query", "iga-key", "iga-query"),
        *("learned-sink", "clipped", "bondarenko", "g1", "registers"),
    )
}

# Groups as `backcopy_run` takes them.
_MECHANISM_TITLES = {
    "vanilla": "vanilla",
    "vanilla+no-sink-value-gradient": "vanilla, ∂L/∂V_s × 0",
    "vanilla+value-gradients-tenth": "vanilla, all ∂L/∂V × 0.1",
    "iga-key": "IGA, key",
    "vga-key": "VGA, key",
    "vga-key+detached-gate-signal": "VGA, key, gate's signal detached",
    "iga-query": "IGA, query",
    "vga-query": "VGA, query",
    "vga-query+detached-gate-signal": "VGA, query, gate's signal detached",
}

_OUTCOME = (
    at_end("backcopy", "backcopy risk"),
    at_end("bigram", "bigram risk"),
    highest("attention", "Attn_⟨s⟩, highest"),
    at_end("attention", "Attn_⟨s⟩, end"),
    at_end("value", "‖V_s‖"),
    at_end("drain", "‖V_s‖ / median"),
    at_end("delta_logit", "Δlogit"),
)
_GATES = (
    at_end("gate_sink", "gate at ⟨s⟩"),
    at_end("gate_trigger", "at triggers"),
    at_end("gate_other", "elsewhere"),
)


def _backcopy_panels(groups: Groups) -> Mapping[str, Sequence[Panel]]:
    others = {name: groups[name] for name in ("vanilla", *_OTHERS) if name in groups}
    mass = panel(others, "mass", "sum of weights of non-triggers", _METHOD_TITLES)
    return _square_panels("backcopy-square")(groups) | {"backcopy-others": [*_curves(others), mass]}


def _square_panels(name: str) -> Callable[[Groups], dict[str, Sequence[Panel]]]:
    def panels(groups: Groups) -> dict[str, Sequence[Panel]]:
        square = {name: groups[name] for name in _SQUARE if name in groups}
        gate = panel(
            square, "gate_other", "gate, not ⟨s⟩ nor triggers", _METHOD_TITLES, logarithmic=True
        )
        return {name: [*_curves(square), gate]}

    return panels


def _curves(groups: Groups) -> list[Panel]:
    titles = _METHOD_TITLES
    return [
        panel(groups, "attention", "Attn_⟨s⟩ of non-triggers", titles),
        panel(groups, "value", "‖V_s‖", titles),
        panel(groups, "delta_logit", "Δlogit", titles),
        panel(groups, "backcopy", "backcopy risk, nats", titles, logarithmic=True),
        panel(groups, "bigram", "bigram risk, nats", titles, logarithmic=True),
    ]


def _mechanism_panels(groups: Groups) -> Mapping[str, Sequence[Panel]]:
    plain = {group: groups[group] for group in _MECHANISM_TITLES if group in groups}
    titles = _MECHANISM_TITLES
    panels = [
        panel(plain, "attention", "Attn_⟨s⟩ of non-triggers", titles),
        panel(plain, "value", "‖V_s‖", titles),
        panel(plain, "gate_sink", "gate at ⟨s⟩", titles, logarithmic=True),
        panel(plain, "gate_other", "gate elsewhere, no triggers", titles, logarithmic=True),
        panel(plain, "grad_value", "‖∂L/∂V_s‖", titles, logarithmic=True),
        panel(plain, "grad_score", "|∂L/∂s_i0|", titles, logarithmic=True),
    ]
    return {"mechanism": panels}


_MECHANISM_COLUMNS: tuple[Column, ...] = (
    highest("attention", "Attn_⟨s⟩, highest"),
    at_end("attention", "Attn_⟨s⟩, end"),
    at_end("drain", "‖V_s‖ / median"),
    at_end("mixed_drain", "after a key-side gate"),
    at_end("grad_value", "‖∂L/∂V_s‖"),
    highest("grad_value", "‖∂L/∂V_s‖, highest"),
    at_end("grad_score", "abs ∂L/∂s_i0"),
    highest("grad_score", "abs ∂L/∂s_i0, highest"),
    *_GATES,
    at_end("backcopy", "backcopy risk"),
)

_MENDING_COLUMNS: tuple[Column, ...] = (
    at_start("first_token_attention", "attention on ⟨s⟩, before"),
    at_end("first_token_attention", "attention on ⟨s⟩, after"),
    at_start("drain_ratio", "‖V_s‖ / median, before"),
    at_end("drain_ratio", "‖V_s‖ / median, after"),
    at_end("gate_first_token", "gate at ⟨s⟩"),
    at_end("gate_mean", "mean gate"),
    change("loss", "loss, change"),
    at_end("backcopy", "backcopy risk"),
)


_MASK_PEAK = at_end("peak_mask", "max abs h, [MASK]")
_LANGUAGE_COLUMNS: tuple[Column, ...] = (
    at_end("perplexity", "perplexity"),
    at_end("inf_norm", "max inf norm"),
    at_end("kurtosis", "kurtosis"),
    at_end("sink_first", "sink rate, first token"),
    at_end("sink_any", "sink rate, any"),
    at_end("drain_first", "‖V_s‖ / median"),
    at_end("peak_first", "max abs h, first token"),
    at_end("peak_other", "other tokens"),
    *(Column(f"{bits}, Δ", lambda run, bits=bits: cost(run, bits)) for bits in BITS),
)


def _language_panels(name: str, peak: str) -> Callable[[Groups], Mapping[str, Sequence[Panel]]]:
    def panels(groups: Groups) -> Mapping[str, Sequence[Panel]]:
        titles = _LANGUAGE_TITLES
        return {
            name: [
                panel(groups, "inf_norm", "max inf norm", titles, logarithmic=True),
                panel(groups, "kurtosis", "kurtosis", titles),
                panel(groups, f"peak_{peak}", f"max abs h, {peak} token", titles, logarithmic=True),
                panel(groups, "first_attention", "attention on the first token", titles),
                panel(groups, "drain_first", "‖V_s‖ / median", titles),
                panel(groups, "loss", "held-out loss, nats", titles),
            ]
        }

    return panels


def _no_panels(_: Groups) -> Mapping[str, Sequence[Panel]]:
    return {}


EXPERIMENTS: Mapping[str, Experiment] = MappingProxyType(
    {
        "backcopy": Experiment(
            name="backcopy",
            folder="backcopy",
            groups=_METHOD_TITLES,
            seeds=SEEDS,
            make_run=backcopy_run,
            columns=(*_OUTCOME, *_GATES),
            panels=_backcopy_panels,
            claims=CLAIMS,
        ),
        "backcopy-long": Experiment(
            name="backcopy-long",
            folder="backcopy-long",
            groups={name: _METHOD_TITLES[name] for name in _SQUARE},
            seeds=LONG_SEEDS,
            make_run=long_run,
            columns=(*_OUTCOME, *_GATES),
            panels=_square_panels("backcopy-long"),
            claims=CLAIMS,
        ),
        "mechanism": Experiment(
            name="mechanism",
            folder="backcopy",
            groups=_MECHANISM_TITLES,
            seeds=SEEDS,
            make_run=backcopy_run,
            columns=_MECHANISM_COLUMNS,
            panels=_mechanism_panels,
            claims=MECHANISM_CLAIMS,
        ),
        "retrofit": Experiment(
            name="retrofit",
            folder="retrofit",
            groups={name: mending.title for name, mending in MENDINGS.items()},
            seeds=SEEDS,
            make_run=mending_run,
            columns=_MENDING_COLUMNS,
            panels=_no_panels,
            claims=MENDING_CLAIMS,
        ),
        "language": Experiment(
            name="language",
            folder="language",
            groups=_LANGUAGE_TITLES,
            seeds=LANGUAGE_SEEDS,
            make_run=next_run,
            columns=_LANGUAGE_COLUMNS,
            panels=_language_panels("language", "first"),
            claims=DECODER_CLAIMS,
            published=PUBLISHED_DECODER,
        ),
        "masked": Experiment(
            name="masked",
            folder="masked",
            groups=_LANGUAGE_TITLES,
            seeds=LANGUAGE_SEEDS,
            make_run=masked_run,
            columns=(*_LANGUAGE_COLUMNS, _MASK_PEAK),
            panels=_language_panels("masked", "mask"),
            claims=ENCODER_CLAIMS,
            published=PUBLISHED_ENCODER,
        ),
    }
)


def experiment(name: str) -> Experiment:
    """Return an experiment by name.

    Raises:
        ConfigError: there is none of that name.

    """
    if name not in EXPERIMENTS:
        raise ConfigError(f"There is no experiment {name!r}: choose from {', '.join(EXPERIMENTS)}.")
    return EXPERIMENTS[name]
