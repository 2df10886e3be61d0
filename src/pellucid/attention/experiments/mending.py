"""A trained model with a sink, fine-tuned with gates put on afterwards, and without.

The model is GPT-2 of transformers in the sizes of `BackcopyConfig`, so that `retrofit` and its
`fine_tune` run as users run them. "No gate" is a gate that is never trained: it stays at exactly 1.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pellucid.attention.experiments.backcopy import Batch, sonnet_task
from pellucid.attention.experiments.runs import Run
from pellucid.attention.experiments.training import (
    BackcopyConfig,
    optimiser_of,
    training_batches,
)
from pellucid.attention.retrofit import Retrofit, retrofit
from pellucid.attention.retrofit.finetune import Recipe, fine_tune
from pellucid.attention.retrofit.measures import simple_measures
from pellucid.attention.retrofit.objectives import CausalObjective, Objective


@dataclass(frozen=True)
class Mending:
    """One way to fine-tune.

    Attributes:
        title: its name in tables.
        gate: a preset.
        recipe: rates and penalties.

    """

    title: str
    gate: str
    recipe: Recipe


_PLAIN = Recipe(steps=150, batch=16, learning_rate=1e-4, drain=0.0, ffn=0.0)
_PENALTIES = replace(_PLAIN, drain=0.1, ffn=1e-3)
_SINK = replace(_PENALTIES, sink=1.0, sink_threshold=0.1)
_UNGATED = {"gate_learning_rate": 0.0}

MENDINGS: Mapping[str, Mending] = MappingProxyType(
    {
        "none": Mending("no gate", "vga-key", replace(_PLAIN, **_UNGATED)),
        "none-recipe": Mending("no gate, recipe", "vga-key", replace(_PENALTIES, **_UNGATED)),
        "none-sink": Mending("no gate, recipe + sink", "vga-key", replace(_SINK, **_UNGATED)),
        "key": Mending("VGA key", "vga-key", _PLAIN),
        "key-recipe": Mending("VGA key, recipe", "vga-key", _PENALTIES),
        "key-sink": Mending("VGA key, recipe + sink", "vga-key", _SINK),
        "query": Mending("VGA query", "vga-query", _PLAIN),
        "query-recipe": Mending("VGA query, recipe", "vga-query", _PENALTIES),
        "query-sink": Mending("VGA query, recipe + sink", "vga-query", _SINK),
    }
)


def mending_run(group: str, seed: int, quick: bool) -> Run:
    """Fine-tune the model of a seed in a way of `MENDINGS`, and measure before and after."""
    mending = MENDINGS[group]
    base = BackcopyConfig("vanilla", seed)
    recipe = replace(mending.recipe, seed=seed)
    if quick:
        base = replace(base, length=32, batch=4, steps=2, points=1, held_out=8)
        recipe = replace(recipe, steps=2, batch=4)
    handle = retrofit(copy.deepcopy(trained_gpt2(base)), mending.gate)
    task = sonnet_task()
    blocks = task.sample(recipe.steps * recipe.batch, base.length - 1, seed, 1_000_000).tokens
    held_out = task.sample(base.held_out, base.length - 1, seed, 2_000_000).tokens
    outcome = fine_tune(handle, blocks, held_out, CausalObjective(), recipe, measure=measure)
    points = [{"step": 0, **outcome.before}, {"step": recipe.steps, **outcome.after}]
    config = {"base": asdict(base), "gate": mending.gate, "recipe": asdict(recipe)}
    del config["base"]["seed"], config["recipe"]["seed"]
    return Run(group, seed, config, points)


@lru_cache(maxsize=1)
def trained_gpt2(config: BackcopyConfig) -> nn.Module:
    """Train a plain GPT-2 on Bigram-Backcopy; the caller must not change it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = _gpt2(config)
    optimiser = optimiser_of(model, config)
    for step, batch in enumerate(training_batches(sonnet_task(), config)):
        if step == config.steps:
            break
        logits = model(input_ids=batch.inputs, use_cache=False).logits
        loss = F.cross_entropy(logits.flatten(0, 1), batch.targets.flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.eval()


def measure(handle: Retrofit, objective: Objective, batches: list[Tensor]) -> dict[str, float]:
    """Return the retrofit's own figures and the two risks."""
    figures = dict(simple_measures(handle, objective, batches))
    task = sonnet_task()
    risks = []
    with torch.no_grad():
        for tokens in batches:
            batch = Batch(tokens)
            logits = handle.model(input_ids=batch.inputs, use_cache=False).logits
            risks.append(torch.stack(task.risks(logits, batch)))
    backcopy, bigram = torch.stack(risks).mean(0).tolist()
    return figures | {"backcopy": backcopy, "bigram": bigram}


def _gpt2(config: BackcopyConfig) -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=sonnet_task().vocabulary,
            n_positions=config.length,
            n_embd=config.dim,
            n_layer=1,
            n_head=1,
            activation_function="relu",
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            tie_word_embeddings=False,
            bos_token_id=0,
            eos_token_id=0,
        )
    )
    # As in `Transformer`; with GPT-2's own .02 the sink takes longer to grow than these runs last.
    for table in (model.transformer.wte, model.transformer.wpe):
        nn.init.normal_(table.weight)
    return model
