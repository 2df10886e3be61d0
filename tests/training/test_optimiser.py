import pytest
import torch
from torch import nn

from pellucid.training.optimiser import Optimiser, OptimiserConfig, learning_rate_scale


def _named() -> dict[torch.Tensor, str]:
    torch.manual_seed(0)
    shapes = {
        "network.encoder.project.weight": (6, 4, 1, 1),
        "network.interaction.query.weight": (6, 4),
        "network.recovery.join.weight": (6, 4, 1, 1),
        "network.recovery.depthwise.weight": (6, 1, 3, 3),
        "network.recovery.join.bias": (6,),
        "objective.visual.weight": (6, 4),
    }
    named = ((torch.randn(shape), name) for name, shape in shapes.items())
    return {value.requires_grad_(): name for value, name in named}


def _give_gradients(names: dict[torch.Tensor, str], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in names:
        parameter.grad = torch.randn(parameter.shape, generator=generator)


def _by_name(names: dict[torch.Tensor, str]) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for parameter, name in names.items()}


def test_learning_rate_warms_up_stays_and_falls():
    config = OptimiserConfig(warmup=10, decay_from=50)
    scales = [learning_rate_scale(step, config, 100) for step in (0, 4, 9, 30, 50, 75, 100)]
    assert scales == pytest.approx([0.1, 0.5, 1.0, 1.0, 1.0, 0.5, 0.0], abs=1e-6)


def test_every_parameter_moves_and_matrices_by_an_orthogonal_step():
    names = _named()
    before = _by_name(names)
    optimiser = Optimiser(names, OptimiserConfig(weight_decay=0.0, clip=1e9))
    _give_gradients(names, 1)
    assert optimiser.step(1.0)
    moved = {name: after - before[name] for name, after in _by_name(names).items()}
    assert all(bool(step.abs().max() > 0) for step in moved.values())
    values = torch.linalg.svdvals(moved["network.recovery.join.weight"].flatten(1))
    assert values.max() / values.min() < 2.5  # Newton–Schulz stops near 1, not at it
    values = torch.linalg.svdvals(moved["objective.visual.weight"])
    assert values.max() / values.min() > 2.5  # AdamW's first step: signs


def test_a_channels_last_matrix_is_stepped_in_its_own_memory():
    weight = nn.Parameter(torch.randn(6, 4, 1, 1).to(memory_format=torch.channels_last))
    before = weight.detach().clone()
    bias = nn.Parameter(torch.zeros(6))
    names: dict[torch.Tensor, str] = {
        weight: "network.recovery.join.weight",
        bias: "network.recovery.join.bias",
    }
    optimiser = Optimiser(names, OptimiserConfig())
    _give_gradients(names, 1)
    optimiser.step(1.0)
    assert not torch.equal(weight, before)


def test_rates_differ_by_the_part_of_the_network():
    names = _named()
    config = OptimiserConfig(
        learning_rate=1e-2, guidance_learning_rate=1e-9, encoder_learning_rate=1e-9
    )
    before = _by_name(names)
    optimiser = Optimiser(names, config)
    _give_gradients(names, 1)
    optimiser.step(1.0)
    moved = {
        name: float((after - before[name]).abs().max()) for name, after in _by_name(names).items()
    }
    slow = {name for name, step in moved.items() if step < 1e-6}
    assert slow == {"network.encoder.project.weight", "network.interaction.query.weight"}


def test_moments_restored_go_on_to_the_bit():
    names, again = _named(), _named()
    config = OptimiserConfig()
    optimiser = Optimiser(names, config)
    _give_gradients(names, 1)
    optimiser.step(1.0)
    for parameter, name in again.items():
        parameter.data.copy_(_by_name(names)[name])
    resumed = Optimiser(again, config)
    resumed.restore({name: value.clone() for name, value in optimiser.tensors().items()})
    for one, part in ((optimiser, names), (resumed, again)):
        _give_gradients(part, 2)
        one.step(0.5)
    for name, value in _by_name(names).items():
        assert torch.equal(value, _by_name(again)[name]), name


def test_a_gradient_that_is_not_a_number_changes_nothing():
    names = _named()
    before = _by_name(names)
    optimiser = Optimiser(names, OptimiserConfig())
    _give_gradients(names, 1)
    next(iter(names)).grad = torch.full((6, 4, 1, 1), torch.nan)
    assert not optimiser.step(1.0)
    assert all(torch.equal(value, before[name]) for name, value in _by_name(names).items())
