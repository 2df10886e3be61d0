from __future__ import annotations

from torch import nn

from pellucid.attention.diagnostics.silent import silent_layers


class OddAttention(nn.Sequential):
    pass


def test_only_what_looks_like_attention_and_is_not_known_is_named():
    model = nn.Sequential(
        OddAttention(nn.Linear(2, 2)), OddAttention(OddAttention()), nn.Linear(2, 2), OddAttention()
    )
    paths = {module: path for path, module in model.named_modules()}
    found = silent_layers(paths, {model, model[0]}, ["3"])
    assert list(found) == ["0", "1"]  # not "1.0", which is inside "1"
    assert found["0"].startswith("OddAttention ran, but")
    assert found["1"] == "OddAttention did not run"


def test_what_is_inside_or_around_a_known_layer_is_known():
    model = nn.Sequential(OddAttention(OddAttention()))
    paths = {module: path for path, module in model.named_modules()}
    assert silent_layers(paths, set(), ["0"]) == silent_layers(paths, set(), ["0.0"]) == {}
    assert silent_layers(paths, set(), [""]) == {}
