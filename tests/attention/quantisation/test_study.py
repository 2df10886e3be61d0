from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import nn

from pellucid.attention import gate_preset
from pellucid.attention.estimates import Estimate
from pellucid.attention.quantisation import QuantisationConfig, QuantisationReport, study
from pellucid.attention.quantisation.study import over_seeds
from pellucid.attention.quantisation.table import part_table, scheme_table, site_table
from pellucid.attention.retrofit import retrofit
from pellucid.errors import ConfigError, DataError

from ..retrofit.models import build, gpt2

jsonschema = pytest.importorskip("jsonschema")


def batches(count: int) -> list[dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(1, 50, (count, 2, 10), generator=generator)
    return [{"input_ids": ids, "labels": ids} for ids in tokens]


@pytest.fixture(scope="module")
def report() -> QuantisationReport:
    model = build(gpt2)
    retrofit(model, gate_preset("bondarenko"))
    every = batches(5)
    configs = [QuantisationConfig.of(name) for name in ("W8A8", "W4A4-channel")]
    return study(model, every[:4], every[4:], configs, calibration=2, seeds=2, name="tiny")


def test_the_report_is_whole(report):
    assert (report.cost, report.samples, report.calibration_batches) == ("kl", 2, 2)
    few, fewer = report.schemes
    assert few.figures.keys() == report.definitions.keys()
    assert {"kl", "top1_agreement", "perplexity", "perplexity_exact"} == report.definitions.keys()
    assert fewer.figures["kl"].mean > 10 * few.figures["kl"].mean
    assert all(estimate.samples == 2 for estimate in few.figures.values())
    assert few.figures["kl"].half_width > 0  # calibrations differ
    assert few.parts["weights"].half_width == 0  # weights do not
    assert list(few.parts) == ["weights", "activations", "attention", "gate", "linear", "rest"]
    # Gates are in full precision unless they are asked for.
    assert few.parts["rest"].mean == few.figures["kl"].mean
    assert 0 < fewer.parts["gate"].mean < fewer.parts["rest"].mean
    kinds = {site.kind for site in few.sites}
    assert kinds == {"linear", "attention", "gate"}
    for site in few.sites:
        assert math.isnan(site.weight_db) == (site.kind == "attention")
        if site.kind != "gate":
            assert 10 < site.output_db < 60
            assert all(10 < value < 80 for value in site.activation_db.values())
    assert few.costliest()[0].cost.mean == max(site.cost.mean for site in few.sites)


def test_the_report_comes_back_and_keeps_its_schema(report, tmp_path):
    report.save(tmp_path / "report.json")
    text = (tmp_path / "report.json").read_text()
    assert QuantisationReport.from_json(text).to_json() + "\n" == text
    examples = Path(__file__).parents[3] / "results" / "attention"
    for path in (tmp_path / "report.json", *examples.glob("quantise-*/report.json")):
        jsonschema.validate(json.loads(path.read_text("utf-8")), QuantisationReport.schema())
    with pytest.raises(DataError, match="version"):
        QuantisationReport.from_json(text.replace('"version": 1', '"version": 0'))


def test_tables_name_what_costs_most(report):
    console = Console(width=200, record=True)
    console.print(scheme_table(report), part_table(report), site_table(report, report.schemes[1]))
    text = console.export_text()
    assert report.schemes[1].costliest()[0].path in text
    assert "W4A4-channel" in text


def test_an_outlier_is_found():
    """A channel of huge activations in one layer makes that layer the costliest."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 16), nn.Linear(16, 16)).eval()
    with torch.no_grad():
        model[0].weight *= 3
        model[2].weight[5] *= 300
        model[3].weight[:, 5] /= 300
    every = list(torch.randn(6, 2, 7, 16))
    config = QuantisationConfig(kinds=("linear",))
    found = study(model, every[:4], every[4:], [config], calibration=2, seeds=2)
    assert found.cost == "cosine_distance"
    assert {site.path for site in found.schemes[0].costliest()[:2]} == {"2", "3"}


def test_intervals_are_student_s():
    assert over_seeds([1.0, 3.0]) == Estimate(2.0, pytest.approx(12.706), 2)
    assert over_seeds([1.0, 2.0, 3.0]).half_width == pytest.approx(4.303 / 3**0.5)
    assert math.isnan(over_seeds([1.0]).half_width)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"calibration": 5}, "5 to calibrate"), ({"seeds": 0}, "1 to 10"), ({}, "one configuration")],
)
def test_impossible_studies(options, message):
    every = batches(2)
    with pytest.raises(ConfigError, match=message):
        study(build(gpt2), every, every, [], **{"calibration": 1} | options)
