"""Learned expectations: faults in new rows are found, clean rows pass, and people may accept."""

import random
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

import penstock as ps
from penstock.core import ParameterError
from penstock.data import FileSource, LearnedExpectations, Snapshot, accept_rows, get_dataset
from penstock.execution import QuietReporter
from penstock.stores import open_store

MONTHS = [datetime(2026, month, 1, tzinfo=UTC) for month in range(1, 9)]


def month(place, seed=0):
    draw = random.Random(place * 1000 + seed)
    days = (MONTHS[place + 1] - MONTHS[place]).days
    rows = [
        {
            "id": place * 100_000 + n,
            "at": MONTHS[place] + timedelta(days=days * n / 900),
            "city": draw.choice(["Bonn", "Köln", "Jena"]),
            "miles": round(draw.lognormvariate(1, 0.6), 3),
            "fare": round(20 + place + draw.gauss(0, 4), 2),  # a slow trend is no fault
            "note": None if draw.random() < 0.3 else "x",
        }
        for n in range(900)
    ]
    return pl.DataFrame(rows)


@pytest.fixture
def store(tmp_path):
    return open_store(f"sqlite:///{tmp_path}/s.db")


@pytest.fixture
def read(tmp_path, store):
    """Run a pipeline that ingests a month with learned expectations; gives the result."""
    path = tmp_path / "rides.parquet"
    source = FileSource(path, time="at", name="rides")

    @ps.pipeline
    def job(since: datetime, cutoff: datetime):
        return ps.steps.ingest(source, since=since, cutoff=cutoff, expect="learned")

    def run(place, table=None):
        (month(place) if table is None else table).write_parquet(path)
        return ps.run(
            job,
            since=MONTHS[place],
            cutoff=MONTHS[place + 1],
            store=store,
            reporter=QuietReporter(),
        )

    return run


@pytest.fixture
def three(read):
    assert all(read(place).ok for place in range(3))
    return read


def expectations(result):
    return [one.message for one in result.output().findings if one.rule == "expectation"]


def lost(table, name, share):
    draw = random.Random(3)
    keep = pl.Series([draw.random() > share for _ in range(table.height)])
    return table.with_columns(pl.when(keep).then(pl.col(name)).alias(name))


FAULTS = {
    "nulls": (lambda t: lost(t, "miles", 0.2), "have no 'miles'"),
    "all missing": (lambda t: lost(t, "city", 1.1), "100.0% of the rows have no 'city'"),
    "unit": (lambda t: t.with_columns(pl.col("fare") * 100), "'fare' moved"),
    "swapped": (lambda t: t.rename({"miles": "fare", "fare": "miles"}), "look swapped"),
    "day twice": (
        lambda t: pl.concat([t, t.filter(pl.col("at").dt.day() == 9)]).sort("at"),
        "exact copies of another",
    ),
    "truncated": (lambda t: t.head(500), "days before the cutoff"),
    "new value": (
        lambda t: t.with_columns(city=pl.when(pl.col("id") % 4 == 0).then(pl.lit("Ulm")).otherwise("city")),
        "no accepted version had: 'Ulm'",
    ),
    "repeated ids": (lambda t: t.with_columns(pl.col("id") // 2), "repeat one"),
    "twice the rows": (
        lambda t: pl.concat([t, t.with_columns(pl.col("id") + 50_000, pl.col("miles") + 0.001)] * 2).sort("at"),
        "rows a day, more than",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_stops_the_reading_and_is_explained(three, store, fault):
    make, words = FAULTS[fault]
    columns = month(3).columns
    result = three(3, make(month(3)).select(columns))
    assert not result.ok
    error = result.steps[0].error
    assert "ExpectationError" in error
    assert words in error
    assert len(get_dataset("rides", store=store).versions) == 3


def test_clean_months_pass_and_count_as_normal(three):
    for place in range(3, 7):
        result = three(place)
        assert result.ok
        assert expectations(result) == []


def test_with_few_versions_nothing_is_compared_and_that_is_said(read):
    result = read(0, month(0).with_columns(pl.col("fare") * 100))
    assert result.ok
    assert expectations(result) == [
        "Learned expectations need 3 accepted versions; there are 0, so nothing was compared."
    ]


def test_refused_rows_pass_once_they_are_accepted_and_only_these(three, store):
    strange = month(3).with_columns(pl.col("fare") * 100)
    error = three(3, strange).steps[0].error
    digest = error.partition("penstock data accept rides ")[2].split()[0]
    accept_rows("rides", digest, "new currency", actor="ada", store=store)
    other = three(3, strange.with_columns(pl.col("fare") * 2))
    assert not other.ok
    result = three(3, strange)
    assert result.ok
    [message] = expectations(result)
    assert message.endswith("Accepted by ada: new currency")
    # Accepted rows are normal: the next month in the new currency passes.
    assert three(4, month(4).with_columns(pl.col("fare") * 100)).ok


def test_a_changed_schema_can_be_accepted_too(three, store):
    retyped = month(3).with_columns(pl.col("miles").cast(pl.String))
    result = three(3, retyped)
    assert "SchemaError" in result.steps[0].error
    digest = result.steps[0].error.partition("penstock data accept rides ")[2].split()[0]
    accept_rows("rides", digest, "texts from now on", store=store)
    assert three(3, retyped).ok
    assert three(4, month(4).with_columns(pl.col("miles").cast(pl.String))).ok


def test_a_warning_does_not_stop(three, store):
    gentle = LearnedExpectations(on_failure="warn")
    versions = get_dataset("rides", store=store).versions
    strange = Snapshot.of(month(3).with_columns(pl.col("fare") * 100), time="at")
    findings = gentle.check(strange, versions, store=store)
    assert {finding.level for finding in findings} == {"warn"}
    with pytest.raises(ParameterError, match="on_failure"):
        LearnedExpectations(on_failure="no")
    with pytest.raises(ParameterError, match="max_versions"):
        LearnedExpectations(min_versions=5, max_versions=4)


@pytest.mark.parametrize(
    ("digest", "reason", "words"),
    [("12", "why", "no digest of rows"), ("5a414644adcf", " ", "reason")],
)
def test_an_acceptance_needs_rows_and_a_reason(store, digest, reason, words):
    with pytest.raises(ParameterError, match=words):
        accept_rows("rides", digest, reason, store=store)
