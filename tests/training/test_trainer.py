"""The loop: resumable to the bit, whole checkpoints, honest about bad steps, one process or two."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pellucid.errors import ConfigError, WeightsError
from pellucid.network.weights import load_weights
from pellucid.training.checkpoint import load_newest_checkpoint
from pellucid.training.config import read_training_config
from pellucid.training.parts import HEARING
from pellucid.training.trainer import Trainer, TrainingError

from ..faults import fault


def weights(folder) -> dict[str, torch.Tensor]:
    found = load_newest_checkpoint(Path(folder))
    assert found is not None
    return {f"{f}/{name}": t for f, group in found[0].items() for name, t in group.items()}


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


@fault("training", "stopped and resumed", "weights to the bit those of a run that was not stopped")
def test_resuming_gives_the_same_bits_as_not_stopping(tiny_run, tmp_path, change):
    whole = change(tiny_run, folder=str(tmp_path / "whole"))
    Trainer(whole).run()
    Trainer(tiny_run).run(until=lambda progress: progress.step == 2)
    progress = Trainer(tiny_run).run()
    assert progress.step == 4
    assert equal(weights(whole.folder), weights(tiny_run.folder))


def test_a_truncated_newest_checkpoint_is_passed_over(tiny_run, tmp_path, change):
    whole = change(tiny_run, folder=str(tmp_path / "whole"))
    Trainer(whole).run()
    newest = Path(whole.folder) / "step-000000004" / "network.safetensors"
    expected = weights(whole.folder)
    newest.write_bytes(newest.read_bytes()[:1000])
    assert Trainer(whole).progress.step == 2
    Trainer(whole).run()
    assert equal(weights(whole.folder), expected)


def test_training_changes_every_part(tiny_run):
    before = {name: p.clone() for name, p in Trainer(tiny_run).network.named_parameters()}
    trainer = Trainer(tiny_run)
    trainer.run()
    parts = {
        name.split(".")[0]
        for name, parameter in trainer.network.named_parameters()
        if not torch.equal(parameter, before[name])
    }
    assert parts == {name.split(".")[0] for name in before}


def test_only_the_parts_named_learn(tiny_run, change):
    trainer = Trainer(change(tiny_run, only=HEARING))
    before = {name: value.clone() for name, value in trainer.network.state_dict().items()}
    trainer.run()
    for network in (trainer.network, trainer.average):
        state = network.state_dict()
        changed = {n.split(".")[0] for n, value in state.items() if not value.equal(before[n])}
        assert changed == set(HEARING)


def test_statistics_of_parts_that_do_not_learn_stay(tiny_run, change):
    paper = change(tiny_run, network=change(tiny_run.network, encoder="resnet50"), only=HEARING)
    trainer = Trainer(paper)
    before = {name: value.clone() for name, value in trainer.network.encoder.state_dict().items()}
    trainer.step()
    after = trainer.network.encoder.state_dict()
    assert all(value.equal(before[name]) for name, value in after.items())


def test_no_part_of_that_name(tiny_run, change):
    with pytest.raises(ConfigError, match="it has encoder"):
        Trainer(change(tiny_run, only=("ears",)))


def test_the_encoder_learns_but_for_its_depthwise_filters(tiny_run):
    trainer = Trainer(tiny_run)
    before = {name: p.clone() for name, p in trainer.network.encoder.named_parameters()}
    trainer.step()
    after = dict(trainer.network.encoder.named_parameters())
    kept = {name for name in before if torch.equal(before[name], after[name])}
    assert kept == {name for name in before if name.endswith("depthwise.weight")}


def test_validation_writes_metrics_best_weights_and_resumes(tiny_run, change):
    told = change(tiny_run, validation=change(tiny_run.validation, every=2), steps=2)
    trainer = Trainer(told)
    trainer.run()
    record = json.loads((Path(told.folder) / "metrics.jsonl").read_text().splitlines()[-1])
    assert record["step"] == 2
    assert record["validation"]["gate accuracy"] >= 0
    best = load_weights(Path(told.folder) / "best.safetensors")
    trainer.network.load_state_dict(best)


@fault("training", "a loss that is NaN", "the step changes no weight")
def test_a_loss_that_is_not_a_number_changes_no_weight(tiny_run):
    trainer = Trainer(tiny_run)
    with torch.no_grad():
        trainer.network.recovery.join.bias[0] = torch.nan
    before = trainer.network.recovery.join.weight.clone()
    losses = trainer.step()
    assert losses["total"] != losses["total"]
    assert torch.equal(before, trainer.network.recovery.join.weight)


@fault("training", "nothing but NaN", "it gives up in one line")
def test_a_run_that_only_has_bad_steps_gives_up(tiny_run, change, monkeypatch):
    monkeypatch.setattr("pellucid.training.trainer.MOST_BAD_STEPS", 2)
    trainer = Trainer(change(tiny_run, steps=100))
    monkeypatch.setattr(trainer, "step", lambda: {"total": float("nan")})
    with pytest.raises(TrainingError, match="learning_rate"):
        trainer.run()


TWO_PROCESSES = """
import sys, torch
torch.set_num_threads(1)
from pathlib import Path
from pellucid.training.config import read_training_config
from pellucid.training.processes import processes
from pellucid.training.trainer import Trainer
with processes():
    Trainer(read_training_config(Path(sys.argv[1]))).run()
"""


@pytest.mark.slow
@fault("training", "one process against two", "the same weights to float rounding")
def test_two_processes_equal_one(tiny_run, tmp_path, change):
    Trainer(change(tiny_run, steps=2, folder=str(tmp_path / "one"))).run()
    table = f"""
photos = "{tiny_run.photos}"
folder = "{tmp_path}/two"
steps = 2
[network]
channels = 16
heads = 2
global_tokens = 3
decoder_widths = [16, 8, 8]
decoder_blocks = [1, 1, 1]
[batch]
group = 2
groups = 2
crop = 64
[optimiser]
warmup = 1
"""
    (tmp_path / "run.toml").write_text(table)
    (tmp_path / "main.py").write_text(TWO_PROCESSES)
    paths = os.pathsep.join(path for path in sys.path if path)
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run(
        [sys.executable, *command, str(tmp_path / "main.py"), str(tmp_path / "run.toml")],
        check=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
    )
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    for name in one:
        torch.testing.assert_close(one[name], two[name], atol=2e-5, rtol=1e-3)


def test_config_file_round_trip(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('photos = "p"\nfolder = "f"\n[batch]\ncrop = 64\n[batch.captions]\nwrong = 0\n')
    told = read_training_config(path)
    assert (told.batch.crop, told.batch.captions.wrong) == (64, 0.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('photos = "p"', "folder"),
        ('photos = "p"\nfolder = "f"\nspeed = 3', "speed"),
        ('photos = "p"\nfolder = "f"\nsteps = "many"', "steps must be of type int"),
        ('photos = "p"\nfolder = "f"\nbatch = 3', "batch must be a table"),
        ('photos = "p"\nfolder = "f"\n[network]\nencoder = "vgg"', "vgg"),
        ("photos = ", "not TOML"),
    ],
)
@fault("training", "a configuration that is wrong", "one line that names file and key")
def test_a_bad_config_names_the_file_and_the_key(tmp_path, text, message):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        read_training_config(path)
    assert "bad.toml" in str(caught.value)


def test_a_missing_config_says_so(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml"):
        read_training_config(tmp_path / "none.toml")


def test_weights_that_are_no_weights_say_so(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match=r"w\.safetensors"):
        load_weights(tmp_path / "w.safetensors")
