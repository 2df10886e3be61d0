from __future__ import annotations

import copy

import pytest
import torch

from pellucid.attention.retrofit import retrofit
from pellucid.attention.retrofit.finetune import Recipe, fine_tune, parameter_groups
from pellucid.attention.retrofit.objectives import (
    CausalObjective,
    DistillationObjective,
    MaskedObjective,
)
from pellucid.errors import ConfigError, DataError

from .models import VOCABULARY, bert, build, gpt2, llama, masked_bert, opt


def blocks(count: int = 12, length: int = 16) -> torch.Tensor:
    """Text that repeats, so that there is something to learn."""
    generator = torch.Generator().manual_seed(1)
    words = torch.randint(1, VOCABULARY, (count, length // 2), generator=generator)
    return words.repeat(1, 2)


def objective_of(make, model):
    if make is masked_bert:
        return MaskedObjective(mask_token=0)
    return DistillationObjective(copy.deepcopy(model)) if make is bert else CausalObjective()


@pytest.mark.parametrize("preset", ["vga-key", "vga-query"])
@pytest.mark.parametrize("make", [gpt2, opt, llama, bert, masked_bert])
def test_training_moves_the_gates(make, preset):
    model = build(make)
    objective = objective_of(make, model)
    handle = retrofit(model, preset)
    recipe = Recipe(steps=6, batch=4, sink=0.1)
    outcome = fine_tune(handle, blocks(), blocks(3), objective, recipe)
    assert outcome.before["gate_moved"] == 0
    assert outcome.after["gate_moved"] > 1e-3
    assert all(gate.weight.abs().max() > 1e-3 for gate in handle.gates.values())
    assert len(outcome.losses) == 6
    assert outcome.before.keys() == outcome.after.keys()
    assert not model.training
    assert model.config._attn_implementation == "sdpa"
    assert all(parameter.grad is None for parameter in model.parameters())


def test_only_gates_are_trained_without_a_learning_rate():
    model = build(llama)
    before = {name: p.clone() for name, p in model.named_parameters()}
    handle = retrofit(model, "vga-key")
    recipe = Recipe(steps=3, batch=2, learning_rate=None)
    outcome = fine_tune(handle, blocks(), blocks(2), CausalObjective(), recipe)
    assert outcome.after["gate_moved"] > 0
    handle.undo()
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())


def test_gates_learn_a_task_that_needs_them():
    """Gates alone lower the loss of a model that is otherwise frozen."""
    model = build(llama)
    handle = retrofit(model, "g1")
    recipe = Recipe(steps=30, batch=8, learning_rate=None, gate_learning_rate=0.05, drain=0, ffn=0)
    outcome = fine_tune(handle, blocks(8), blocks(8), CausalObjective(), recipe)
    assert outcome.after["loss"] < outcome.before["loss"] - 0.01


def test_the_same_seed_gives_the_same_gates():
    runs = []
    for _ in range(2):
        handle = retrofit(build(llama), "vga-key")
        fine_tune(handle, blocks(), blocks(2), CausalObjective(), Recipe(steps=3, batch=2))
        runs.append([gate.weight for gate in handle.gates.values()])
    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))


@pytest.mark.parametrize("penalty", ["drain", "sink", "ffn"])
def test_each_penalty_lowers_what_it_is_for(penalty):
    figure = {"drain": "drain_ratio", "sink": "first_token_attention", "ffn": "ffn_max"}[penalty]
    after = {}
    for factor in (0.0, 30.0):
        handle = retrofit(with_sink(build(llama)), "vga-key")
        factors = {"drain": 0.0, "sink": 0.0, "ffn": 0.0, penalty: factor}
        recipe = Recipe(steps=15, batch=4, learning_rate=3e-3, sink_threshold=0.02, **factors)
        outcome = fine_tune(handle, blocks(), blocks(4), CausalObjective(), recipe)
        after[factor] = outcome.after[figure]
    better = after[0.0] - after[30.0]
    assert (-better if penalty == "drain" else better) > 0.01 * abs(after[0.0])


def with_sink(model):
    """Make token values so unequal that some first tokens are drained."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("v_proj.weight", "down_proj.weight")):
                parameter.mul_(5)
    return model


def test_parameter_groups():
    model = build(gpt2)
    handle = retrofit(model, "vga-key")
    model.transformer.wpe.weight.requires_grad_(False)
    groups = {g["name"]: g for g in parameter_groups(model, handle, learning_rate=1e-4)}
    assert [g["weight_decay"] for g in groups.values()] == [0.0, 0.0, 0.01]
    assert [g["lr"] for g in groups.values()] == [1e-2, 1e-4, 1e-4]
    gates = groups["gates"]["params"]
    assert len(gates) == 2
    assert all(p.ndim < 2 for p in groups["vectors"]["params"])
    grouped = [id(p) for g in groups.values() for p in g["params"]]
    trainable = [id(p) for p in model.parameters() if p.requires_grad]
    assert sorted(grouped) == sorted(trainable)


def test_parameter_groups_of_an_undone_retrofit():
    handle = retrofit(build(gpt2), "vga-key")
    handle.undo()
    with pytest.raises(ConfigError, match="does not have the gates"):
        parameter_groups(handle.model, handle)


def test_an_own_measure_is_used():
    handle = retrofit(build(gpt2), "vga-key")
    outcome = fine_tune(
        handle,
        blocks(),
        blocks(2),
        CausalObjective(),
        Recipe(steps=1, batch=2),
        measure=lambda handle, objective, batches: {"batches": float(len(batches))},
    )
    assert outcome.after == {"batches": 1.0}


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"batch": 0}, {"drain": -1.0}, {"gate_learning_rate": float("nan")}]
)
def test_recipes_that_cannot_be(wrong):
    with pytest.raises(ConfigError):
        Recipe(**wrong)


def test_no_text():
    handle = retrofit(build(gpt2), "vga-key")
    with pytest.raises(DataError, match="no text"):
        fine_tune(handle, blocks(0), blocks(2), CausalObjective())


def test_a_diverging_run_is_said():
    handle = retrofit(build(gpt2), "vga-key")
    recipe = Recipe(steps=20, batch=2, learning_rate=1e30)
    with pytest.raises(DataError, match="lower the learning rates"):
        fine_tune(handle, blocks(), blocks(2), CausalObjective(), recipe)


def test_masks_depend_on_the_tokens_alone():
    model = build(masked_bert)
    objective = MaskedObjective(mask_token=0)
    with torch.no_grad():
        first, again = (objective(model, blocks(4)).loss for _ in range(2))
    assert torch.equal(first, again)


def test_distillation_starts_at_zero():
    model = build(bert)
    objective = DistillationObjective(copy.deepcopy(model))
    retrofit(model, "vga-key")
    with torch.no_grad():
        assert objective(model, blocks(4)).loss == 0
