"""A model that was registered in a run reads requests as the run's sources read their files."""

import csv

import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

import penstock as ps
from penstock.core import DataError
from penstock.models import Model


@ps.step
def clean(rows: ps.Snapshot) -> ps.Snapshot:
    return rows.keep(rows.table.unique(maintain_order=True), "copies")


@ps.step
def more(rows: ps.Table) -> ps.Table:
    return rows.with_columns(half=pl.col("amount") / 2)


@ps.step
def train(split: ps.Split) -> Pipeline:
    model = make_pipeline(ps.table_transformer(split.schema), LogisticRegression())
    return model.fit(split.train.X, split.train.y)


def loans_of(path, extra_fields):
    @ps.pipeline
    def loans():
        rows = clean(ps.steps.ingest(ps.FileSource(path)))
        table = more(rows) if extra_fields == "derived" else rows  # type: ignore[arg-type]
        split = ps.steps.split(table, target="late", drop=["id"])
        model = train(split)
        policy = "ignore" if extra_fields == "ignore" else "refuse"
        report = ps.steps.evaluate(model, split, resamples=10)
        return ps.steps.register("loans", model, report, extra_fields=policy)  # type: ignore[arg-type]

    return loans


@pytest.fixture
def loans(tmp_path, store):
    path = tmp_path / "loans.csv"
    lines = [
        f'L{n:03},"€{n * 37 % 5000:,.2f}",{"TRUE" if n % 2 else "FALSE"},{n % 5}%,{int(n * 37 % 5000 > 2500)}'
        for n in range(120)
    ]
    path.write_text("\n".join(["id,amount,married,share,late", *lines]))

    def register(extra_fields="refuse"):
        result = ps.run(loans_of(path, extra_fields), store=store)
        assert result.ok, result.error
        model = Model.load(store.metadata.models.get_version("loans", 1), store=store)
        with path.open(newline="") as file:
            return model, list(csv.DictReader(file)), result

    return register


def test_a_row_of_the_csv_file_as_it_is_is_answered(loans):
    model, rows, _ = loans()
    found = model.predict_rows(rows)
    typed = [
        {
            "amount": float(row["amount"][1:].replace(",", "")),
            "married": row["married"] == "TRUE",
            "share": int(row["share"][:-1]),
        }
        for row in rows
    ]
    assert found.scores == model.predict_rows(typed).scores
    assert set(found.warnings[0]) == {"id, late: not used by this model."}
    with pytest.raises(DataError, match="'session' is not an input"):
        model.predict_rows([{**rows[0], "session": "x"}])


def test_fields_that_nobody_knows_are_ignored_where_that_was_declared(loans):
    model, rows, _ = loans("ignore")
    (warnings,) = model.predict_rows([{**rows[0], "session": "x"}]).warnings
    assert warnings == ("id, late, session: not used by this model.",)


def test_inputs_that_a_step_has_made_are_told_when_the_model_is_registered(loans, store):
    model, _, result = loans("derived")
    assert "half" in model.signature.names
    (step,) = [s for s in store.metadata.steps.list(result.run_id) if s.step == "register"]
    lines = [line.text for line in store.metadata.steps.list_logs(step.step_run_id)]
    assert any("Inputs that no source holds: half" in line for line in lines)


def test_findings_of_a_run_come_the_worst_first_and_each_once(tmp_path, store):
    path = tmp_path / "loans.csv"
    lines = [f"{n},{'N.N.' if n == 7 else n / 4},{n % 2}" for n in range(100)]
    path.write_text("\n".join(["id,amount,late", *lines, lines[3]]))

    @ps.pipeline
    def loans():
        return ps.steps.split(clean(ps.steps.ingest(ps.FileSource(path))), target="late")

    for _ in range(2):  # cached, too
        run = ps.run(loans, store=store)
        found = ps.steps.list_findings(run.run_id, store=store)
        told = [(step, finding.level, finding.rule) for step, finding in found]
        assert told[:2] == [("ingest", "warn", "unreadable"), ("clean", "warn", "removed")]
        assert len(set(found)) == len(found)
        assert "1 of 101 rows were removed: copies." in [finding.message for _, finding in found]
