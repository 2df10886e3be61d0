from __future__ import annotations

import pytest
import torch

from pellucid.attention import GateSpec
from pellucid.attention.retrofit import retrofit
from pellucid.attention.retrofit.parity import default_probe, run_probe
from pellucid.attention.retrofit.recording import Recorder, feed_forward_outputs

from .models import TORCH, TRANSFORMERS, albert, bert, build, encoder_layer, gpt2, llama


@pytest.mark.parametrize("make", TRANSFORMERS + TORCH)
def test_every_family_shows_values_gates_and_feed_forward_outputs(make):
    handle = retrofit(build(make), "vga-key")
    probe = default_probe(handle.model)
    expected = run_probe(handle.model, probe)
    with Recorder(handle) as recorder:
        actual = run_probe(handle.model, probe)
    assert all(torch.equal(a, b) for a, b in zip(actual, expected, strict=True))
    passes = 1 if make is encoder_layer else 2
    assert len(recorder.values) == len(recorder.gates) == passes
    for value, gate in zip(recorder.values, recorder.gates, strict=True):
        assert value.shape[:3] == gate.shape
    assert len(feed_forward_outputs(handle)) == (1 if make in (albert, encoder_layer) else 2)
    assert len(recorder.ffn_outputs) == passes
    assert {output.shape[-1] for output in recorder.ffn_outputs} == {32}
    recorder.clear()
    run_probe(handle.model, probe)
    assert not recorder.values  # the hooks are gone


@pytest.mark.parametrize("make", [bert, gpt2, llama])
def test_values_are_those_before_the_gate(make):
    handle = retrofit(build(make), GateSpec())
    probe = default_probe(handle.model)
    with Recorder(handle) as recorder:
        run_probe(handle.model, probe)
    halved = recorder.values[0]
    handle.undo()
    handle = retrofit(handle.model, "vga-key")
    with Recorder(handle) as recorder:
        run_probe(handle.model, probe)
    assert torch.equal(halved, recorder.values[0])
