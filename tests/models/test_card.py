"""The model card: what is recorded is there, what is not is said so, bytes are stable."""

import random
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from penstock.models import Signature, model_card
from penstock.tables import Column

AGE = Column("age", "integer", "Int64", minimum=17, maximum=90)
DAY = Column("day", "date", "Date", minimum=1_293_840_000, maximum=1_344_297_600)
CITY = Column("city|town", "category", "String", True, levels=tuple("abcdefg"))
VERSION = {
    "model": "big-tips",
    "version": 3,
    "created_at": datetime(2026, 5, 1, 12, tzinfo=UTC),
    "run_id": "run7",
    "trained_by": "ada",
    "content_digest": "sha256:aa",
    "signature": Signature(
        (AGE, DAY, CITY), "tip", "binary", ("no", "yes"), positive="yes"
    ).to_json(),
    "gates": [{"gate": "roc_auc >= 0.7", "state": "passed", "reason": "roc_auc is 0.81 | fine"}],
    "note": "Suggests tips.\nNot for pay.",
}
REPORT = {
    "rows": {"train": 12000, "validation": 0, "test": 3000},
    "metrics": {
        "roc_auc": {"value": 0.812345, "low": 0.79, "high": 0.83},
        "rmse": {"value": 12345.6},
    },
    "baseline": {"roc_auc": 0.5},
    "slices": {"city": [{"value": None, "rows": 40, "metrics": {"roc_auc": {"value": 0.7}}}]},
    "fairness": {"city": {"demographic_parity_difference": 0.1, "gap": {"recall": 0.25}}},
    "calibration": {"expected_calibration_error": 0.02, "bins": [1, 2]},
    "leakage": [{"level": "warn", "rule": "L5", "column": "fare", "message": "knows <too> much"}],
}
PROVENANCE = {
    "data": [
        {
            "source": "rides",
            "rows": 15000,
            "first_time": datetime(2016, 1, 1, tzinfo=UTC),
            "last_time": "2016-06-30",
            "ordered_digest": "sha256:01",
            "order_free_digest": "sha256:02",
        }
    ],
    "commit": "abc123",
    "dirty": True,
    "seed": 0,
    "pipeline": "big_tips",
    "environment": {"python": "3.11.7", "packages": {"numpy": "2.0", "polars": "1.0"}},
}

SECTIONS = [
    "Intended use", "Data", "Inputs", "Metrics", "Slices", "Fairness", "Calibration", "Leakage",
    "Gates", "Provenance",
]  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "# Model card: big-tips, version 3",
        "| Task | binary |",
        "| Positive class | yes |",
        "| Registered | 2026-05-01T12:00:00+00:00 |",
        "Not for pay.",
        "| rides | 15,000 | 2016-01-01T00:00:00+00:00 | 2016-06-30 | sha256:01 | sha256:02 |",
        "| test | 3,000 |",
        "| age | integer | Int64 | 17 to 90 | no |",
        "| day | date | Date | 2011-01-01 to 2012-08-07 | no |",
        "| city\\|town | category | String | 7 categories: a, b, c, d, e, … | yes |",
        "| roc_auc | 0.8123 | 0.79 to 0.83 | 0.5 |",
        "| rmse | 12,346 | not recorded | not recorded |",
        "### By city",
        "| (missing) | 40 | 0.7 |",
        "| city | demographic parity difference | 0.1 |",
        "| city | gap recall | 0.25 |",
        "| expected calibration error | 0.02 |",
        "| warn | L5 | fare | knows &lt;too&gt; much |",
        "| roc_auc &gt;= 0.7 | passed | roc_auc is 0.81 \\| fine |",
        "| Run | run7 |",
        "| Seed | 0 |",
        "| Uncommitted changes | yes |",
        "| Packages | 2 recorded with versions |",
    ],
)
def test_what_is_recorded_is_on_the_card(line):
    assert line in model_card(VERSION, REPORT, PROVENANCE).splitlines()


def test_every_section_of_an_empty_card_says_not_recorded():
    card = model_card({"model": "m", "version": 1})
    assert re.findall("^## (.*)$", card, re.MULTILINE) == SECTIONS
    for section in card.split("\n## ")[1:]:
        assert "ot recorded" in section


def test_checked_data_without_findings_is_told_from_unchecked():
    assert "Checked; nothing found." in model_card(VERSION, {"leakage": []})


def test_a_regression_has_no_classes():
    signature = Signature((AGE,), "fare", "regression").to_json()
    card = model_card({"model": "m", "version": 1, "signature": signature})
    assert "Classes" not in card
    assert "| Target | fare |" in card


def test_long_tables_are_cut_and_say_so():
    fields = tuple(Column(f"c{index}", "number", "Float64") for index in range(60))
    card = model_card({"model": "m", "version": 1, "signature": Signature(fields).to_json()})
    assert "And 10 more columns." in card
    assert "c50" not in card


def shuffled(value, chance):
    if isinstance(value, dict):
        items = list(value.items())
        if "value" not in value:
            return {key: shuffled(item, chance) for key, item in items}
        chance.shuffle(items)
        return dict(items)
    return [shuffled(item, chance) for item in value] if isinstance(value, list) else value


def test_equal_facts_give_equal_bytes():
    first = model_card(VERSION, REPORT, PROVENANCE)
    again = model_card(VERSION, shuffled(REPORT, random.Random(1)), dict(PROVENANCE))
    assert first.encode() == again.encode()
    assert first.endswith("\n")
    assert "\n\n\n" not in first


def test_every_table_row_has_the_cells_of_its_head():
    widths: list[Any] = []
    for line in model_card(VERSION, REPORT, PROVENANCE).splitlines():
        if not line.startswith("|"):
            widths = []
            continue
        widths.append(len(re.findall(r"(?<!\\)\|", line)))
        assert widths[0] == widths[-1], line
