"""Evaluation reports as tables: importance with intervals on one scale, and each label's figures."""

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier

import penstock as ps
from penstock.data import split_table


def register_tagger(store):
    draw = np.random.default_rng(0)
    table = pl.DataFrame({"x": draw.normal(size=500), "<i>z": draw.normal(size=500)})
    table = table.with_columns(
        pl.Series("big", draw.normal(size=500) < table["x"].to_numpy()),
        pl.Series("rare", draw.normal(size=500) > 2),
    )
    split = split_table(table, target=["big", "rare"])
    model = MultiOutputClassifier(LogisticRegression()).fit(split.train.X, split.train.Y)
    with ps.start_run(store=store) as run:
        report = ps.steps.evaluate(model, split, resamples=20)
        ps.steps.register("tagger", model, report)
        run.log_artifact(report, name="report")
    return report


def test_pages_of_versions_show_importance_and_labels_with_intervals(client, store):
    report = register_tagger(store)
    page = client.get("/models/tagger").text
    assert "Importance of columns" in page
    assert "loss of micro_f1 when a column is shuffled" in page
    assert "&lt;i&gt;z" in page
    assert "These rows do not show that the model uses the column" in page
    assert "By label" in page
    assert page.count('<th class="cut">rare') == 1
    assert "few rows" in page
    twin = client.get("/models/tagger?format=json").json()
    assert str(report.labels[0].rows) in str(twin)


def test_a_loss_is_placed_on_the_scale_of_all_losses():
    from penstock.server.ui._reports import _importance

    def item(*ends):
        return {"columns": ["a"], "loss": dict(zip(("value", "low", "high"), ends, strict=True))}

    found = _importance(
        {"metric": "mae", "rows": 9, "repeats": 5, "columns": [item(10, 5, 15), item(0, -5, 5)]}
    )
    first, second = found.losses
    assert first.places["baseline"] == second.places["value"] == second.places["baseline"]
    assert second.places["low"] < second.places["baseline"] < first.places["low"]
    assert first.places["high"] < 150
    assert _importance(None) is None
