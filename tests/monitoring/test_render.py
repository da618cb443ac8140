import re
from typing import Any

import pytest

from penstock.core import ParameterError
from penstock.monitoring import DriftReport, Limits, check_drift, render_html, render_markdown

MODEL = "fraud"


@pytest.fixture
def report(watched: Any) -> DriftReport:
    watched.answer(watched.table(600, 2, shift=0.8), truth=True)
    return check_drift(MODEL, store=watched.store)


def test_markdown_tells_the_verdict_then_every_column(report: DriftReport) -> None:
    text = render_markdown(report)
    assert text.startswith("# fraud: fraud@1 against its training data\n\n**3 columns drifted")
    for column in ("amount", "age", "country", "prediction", "score"):
        assert f"| {column} |" in text
    assert "| roc_auc |" in text


def test_drifted_columns_stand_on_top(report: DriftReport) -> None:
    features = render_markdown(report).split("## Features")[1]
    assert features.index("| amount |") < features.index("| age |")


def test_bars_in_names_do_not_break_the_table(report: DriftReport) -> None:
    told = report.to_json()
    told["columns"][0]["column"] = "a|b"
    text = render_markdown(DriftReport.from_json(told))
    assert "| a\\|b |" in text


def test_html_stands_alone_and_holds_the_script_once(report: DriftReport) -> None:
    page = render_html(report)
    assert page.count("plotly.js v") == 1
    assert not re.search(r'<(?:script|link|img)[^>]+(?:src|href)="http', page)
    assert "figure-0" in page
    assert "<td>amount</td>" in page


def test_html_shows_names_as_text(report: DriftReport) -> None:
    told = report.to_json()
    told["columns"][1]["column"] = "<script>alert(1)</script>"
    page = render_html(DriftReport.from_json(told))
    assert "<td>&lt;script&gt;alert(1)&lt;/script&gt;</td>" in page
    assert "<td><script>" not in page


def test_figures_show_the_overview_what_drifted_and_performance(report: DriftReport) -> None:
    figures = report.figures()
    assert {"overview", "column:amount", "column:prediction", "column:score", "performance"} == set(
        figures
    )
    amount = figures["column:amount"]
    assert [trace.name for trace in amount.data] == ["training", "now"]
    assert sum(amount.data[1].y) == pytest.approx(1)
    assert list(figures["overview"].data[0].y)[-1] in {"amount", "score", "prediction"}


def test_an_empty_report_has_no_figures_and_still_a_page(watched: Any) -> None:
    empty = check_drift(MODEL, store=watched.store)
    assert empty.figures() == {}
    assert "No row was answered" in render_html(empty)


@pytest.mark.parametrize("wrong", [{"alpha": 0}, {"w1": -1}, {"max_rows": 0}])
def test_limits_out_of_range_are_refused(wrong: dict) -> None:
    with pytest.raises(ParameterError, match=f"{next(iter(wrong))} is "):
        Limits(**wrong)
