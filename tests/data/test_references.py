"""References: values must exist in another data set; polars' anti join is the oracle."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import penstock as ps
from penstock.core import DataError, ExpectationError, NotFoundError, ParameterError
from penstock.data import FileSource, Snapshot, ingest
from penstock.data._references import as_references
from penstock.execution import QuietReporter

CUSTOMERS = Snapshot.of(pl.DataFrame({"id": [1, 2], "region": ["n", "s"]}))


def told(rows, references):
    snapshot = Snapshot.of(pl.DataFrame(rows))
    return [
        (found.level, found.message)
        for reference in as_references(references)
        for found in reference.check(snapshot)
    ]


def test_values_that_are_not_in_the_other_data_set_are_counted_with_examples():
    assert told({"customer": [1, 7, None, 7, 9]}, {"customer": (CUSTOMERS, "id")}) == [
        (
            "fail",
            "3 of 5 rows have a 'customer' that is not in 'id' of 'table', such as 7; 9.",
        )
    ]


def test_missing_values_refer_to_nothing():
    assert told({"id": [None, 2]}, {"id": CUSTOMERS}) == []


def test_a_pair_of_columns_refers_as_a_pair():
    rows = {"customer": [1, 1], "region": ["n", "s"]}
    ((level, message),) = told(
        rows, {("customer", "region"): (CUSTOMERS, ("id", "region"), "warn")}
    )
    assert level == "warn"
    assert message == (
        "1 of 2 rows have a 'customer' and 'region' that is not in 'id' and 'region' of 'table', such as 1, s."
    )


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (pl.Int32, pl.UInt64),
        (pl.Float32, pl.Float64),
        (pl.Categorical, pl.String),
        (pl.Enum(["1", "2"]), pl.String),
    ],
)
def test_columns_of_one_family_are_compared_by_value(ours, theirs):
    known = pl.DataFrame({"id": pl.Series(["1", "2"]).cast(theirs, strict=False)})
    rows = {"id": pl.Series(["1", "2"]).cast(ours, strict=False)}
    assert told(rows, {"id": known}) == []
    assert told(rows, {"id": known.head(1)}) != []


def test_columns_of_two_families_are_a_sentence():
    with pytest.raises(DataError, match=r"'id' is String, and 'id' of 'table' is Int64\."):
        told({"id": ["1"]}, {"id": CUSTOMERS})


@pytest.mark.parametrize(
    ("references", "sentence"),
    [
        ({"customer": "customers"}, "references= of 'customer'"),
        (["customer"], "no dict by column"),
        ({"customer": (CUSTOMERS, ("id", "region"))}, "compares 1 columns with 2"),
        ({"customer": (CUSTOMERS, "id", "wran")}, "wran"),
        ({"customer": (CUSTOMERS, "id", "warn", 1)}, "has 4 parts"),
        ({(): CUSTOMERS}, "is empty"),
    ],
)
def test_what_is_no_reference_is_a_sentence(references, sentence):
    with pytest.raises(ParameterError, match=sentence):
        as_references(references)


def test_columns_that_do_not_exist_are_named():
    with pytest.raises(NotFoundError, match="Did you mean 'id'"):
        told({"customer": [1]}, {"customer": (CUSTOMERS, "idd")})


@given(
    st.lists(st.none() | st.integers(0, 6), max_size=12),
    st.lists(st.none() | st.integers(0, 6), max_size=6),
)
def test_the_count_is_that_of_a_search_row_by_row(ours, theirs):
    missing = sum(value is not None and value not in theirs for value in ours)
    rows = {"id": pl.Series(ours, dtype=pl.Int64)}
    found = told(rows, {"id": pl.DataFrame({"id": pl.Series(theirs, dtype=pl.Int64)})})
    assert [message.split()[0] for _, message in found] == ([str(missing)] if missing else [])


def test_ingest_stores_nothing_when_a_reference_is_broken(tmp_path):
    store = ps.open_store(f"sqlite:///{tmp_path}/penstock.db")
    (tmp_path / "orders.csv").write_text("order,customer\na,1\nb,3\n")
    source = FileSource(tmp_path / "orders.csv")
    with pytest.raises(ExpectationError, match="1 of 2 rows have a 'customer' that is not in 'id'"):
        ingest(source, references={"customer": (CUSTOMERS, "id")}, store=store)
    assert store.metadata.artifacts.last_snapshot("orders") is None
    rows = ingest(source, references={"customer": (CUSTOMERS, "id", "warn")}, store=store)
    assert [found.level for found in rows.findings if found.rule == "expectation"] == ["warn"]


@ps.pipeline
def shop(folder: str, cutoff: date | None = None) -> ps.Snapshot:
    customers = ps.steps.ingest(FileSource(f"{folder}/customers.csv"), cutoff=cutoff)
    return ps.steps.ingest(
        FileSource(f"{folder}/orders.csv"), references={"customer": (customers, "id")}
    )


def test_in_a_pipeline_rows_are_checked_again_when_the_other_data_set_changes(tmp_path):
    store = ps.open_store(f"sqlite:///{tmp_path}/penstock.db")

    def states():
        result = ps.run(shop, folder=str(tmp_path), store=store, reporter=QuietReporter())
        return [step.state for step in result.steps]

    (tmp_path / "customers.csv").write_text("id\n1\n2\n3\n")
    (tmp_path / "orders.csv").write_text("order,customer\na,1\nb,3\n")
    assert states() == ["finished", "finished"]
    assert states() == ["cached", "cached"]
    (tmp_path / "customers.csv").write_text("id\n1\n2\n")
    assert states() == ["finished", "failed"]
