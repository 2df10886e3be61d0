from pathlib import Path

import pytest

from pellucid.errors import DataError
from pellucid.evaluation.checks import Check, CheckPlan, write_checks
from pellucid.evaluation.modes import Mode
from pellucid.evaluation.protocol import Figure
from pellucid.evaluation.report import write_report
from pellucid.evaluation.results import Summary, write_summary
from pellucid.evaluation.run import OVER_NONE, Run
from pellucid.evaluation.tables import TextTable, summary_table

SUMMARY = Summary(
    "little-set",
    3,
    "as stated",
    [
        Run("untouched", Mode.NONE, {"transmission.psnr": Figure(18.0, 17.0, 19.0)}),
        Run(
            "pellucid",
            Mode.RIGHT,
            {
                "transmission.psnr": Figure(22.345, 21.0, 23.0),
                OVER_NONE: Figure(0.7, -0.1, 1.5),
            },
        ),
    ],
)


def test_a_row_a_run_and_no_empty_column() -> None:
    table = summary_table(SUMMARY)
    assert table.titles == ["method", "words", "T PSNR", "over no words"]
    assert table.rows[0] == ["untouched input", "none", "18.00 [17.00, 19.00]", "–"]
    assert table.rows[1][2:] == ["22.34 [21.00, 23.00]", "+0.70 [-0.10, +1.50]"]
    assert summary_table(SUMMARY, intervals=False).rows[1][2:] == ["22.34", "+0.70"]


def test_a_pipe_opens_no_column() -> None:
    assert TextTable(["a|b"], [["c"]]).markdown() == "| a\\|b |\n| --- |\n| c |\n"


def test_report_holds_sets_checks_and_published_figures(tmp_path: Path) -> None:
    write_summary(tmp_path / "results" / "little" / "summary.json", SUMMARY)
    checks = [Check("clean photos", "dB", Figure(39.5, 39.0, 40.0), 5, 38.0, 45.0)]
    write_checks(tmp_path / "results" / "checks.json", checks, CheckPlan())
    target = tmp_path / "docs" / "results.md"
    write_report(tmp_path / "results", target)
    text = target.read_text(encoding="utf-8")
    assert "## little-set, 3 photos\n\nProtocol: as stated." in text
    assert "| clean photos | 5 | 39.50 [39.00, 40.00] dB | 38 | 45 | yes |" in text
    assert "24.05 / 0.824" in text
    assert "1.5 dB" in text
    assert str(tmp_path) not in text


def test_nothing_to_report(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no summary\.json"):
        write_report(tmp_path, tmp_path / "results.md")
