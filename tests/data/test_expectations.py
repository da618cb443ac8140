"""Declared expectations: each kind holds, fails with a sentence, or cannot be declared."""

from datetime import UTC, datetime

import polars as pl
import pytest

from penstock.core import ExpectationError, NotFoundError, ParameterError
from penstock.data import Expectations, FileSource, Snapshot, ingest

ROWS = pl.DataFrame(
    {
        "id": [1, 2, 2, None],
        "kind": ["a", "b", None, "zz"],
        "tip": [0.5, -1.0, float("nan"), None],
        "at": [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3, 4)],
        "n": [1, 2, 3, 4],
    }
)


def told(**expected):
    return [
        (one.level, one.column, one.message)
        for one in Expectations(**expected).check(Snapshot.of(ROWS, time="at", cutoff="2026-01-08"))
    ]


@pytest.mark.parametrize(
    ("expected", "column", "message"),
    [
        ({"not_null": ["kind"]}, "kind", "1 of 4 rows have no 'kind'."),
        ({"missing": {"tip": 0.1}}, "tip", "25.0% of the rows have no 'tip', more than 10.0%."),
        ({"unique": ["id"]}, "id", "2 of 4 rows share their id with another."),
        ({"unique": [("id", "n")], "rows": (5, None)}, "", "There are 4 rows, fewer than 5."),
        ({"rows": (None, 3)}, "", "There are 4 rows, more than 3."),
        ({"between": {"tip": (0, None)}}, "tip", "2 of 4 rows have a 'tip' outside of 0 to …, such as -1.0, nan."),
        ({"between": {"n": (2, 3)}}, "n", "2 of 4 rows have a 'n' outside of 2 to 3, such as 1, 4."),
        ({"between": {"at": (datetime(2026, 1, 2, tzinfo=UTC), None)}}, "at", "1 of 4 rows have an 'at' outside"),
        ({"one_of": {"kind": ["a", "b"]}}, "kind", "1 of 4 rows have a 'kind' that is not allowed, such as zz."),
        ({"matches": {"kind": "[a-z]"}}, "kind", "1 of 4 rows have a 'kind' that does not match [a-z], such as zz."),
        ({"types": {"tip": "integer"}}, "tip", "Column 'tip' is Float64, not integer."),
        ({"fresh": "2d"}, "", "The newest row is of 2026-01-04 00:00, more than 2d before 2026-01-08 00:00."),
    ],
)  # fmt: skip
def test_what_is_not_as_expected_is_told_with_figures(expected, column, message):
    [(level, name, text)] = told(**expected)
    assert (level, name) == ("fail", column)
    assert text.startswith(message)
    assert told(**expected, on_failure="warn")[0][0] == "warn"


def test_what_is_as_expected_gives_no_finding():
    assert told(
        not_null=["n"], missing={"tip": 0.25}, unique=["n", ("id", "n")], between={"n": (1, 4)},
        one_of={"kind": {"a", "b", "zz"}}, matches={"kind": "[a-z]+"},
        types={"n": "number", "kind": "text", "at": "datetime"}, rows=(4, 4), fresh="4d",
    ) == []  # fmt: skip


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ({"on_failure": "halt"}, "on_failure is 'halt'"),
        ({"types": {"n": "int"}}, r"types= of 'n' is 'int'"),
        ({"matches": {"kind": "["}}, r"matches= of 'kind' is no regular expression"),
        ({"between": {"n": (4, 1)}}, r"between= of 'n' is 4 to 1, which no value meets"),
        ({"missing": {"n": 50}}, r"missing= of 'n' is 50"),
        ({"fresh": "soon"}, "soon"),
    ],
)
def test_an_expectation_without_sense_is_refused(expected, words):
    with pytest.raises(ParameterError, match=words):
        Expectations(**expected)


def test_a_column_that_does_not_exist_is_named():
    with pytest.raises(NotFoundError, match=r"no column 'tipp' in the rows.*Did you mean 'tip'"):
        told(between={"tipp": (0, 1)})


def test_rows_that_are_not_as_expected_stop_the_reading(tmp_path):
    (tmp_path / "a.csv").write_text("id,tip\n1,2.5\n1,900\n")
    source = FileSource(tmp_path / "a.csv")
    with pytest.raises(
        ExpectationError, match=r"rows of 'a' are not as expected. 2 of 2 rows share"
    ):
        ingest(source, expect=[Expectations(unique=["id"]), Expectations(rows=(0, 9))])
    snapshot = ingest(source, expect=Expectations(between={"tip": (0, 500)}, on_failure="warn"))
    assert "outside of 0 to 500" in next(
        f.message for f in snapshot.findings if f.rule == "expectation"
    )


@pytest.mark.parametrize("value", ["learn", 3, [Expectations(), "x"]])
def test_what_is_no_expectation_is_named(tmp_path, value):
    (tmp_path / "a.csv").write_text("id\n1\n")
    with pytest.raises(ParameterError, match="expect is"):
        ingest(FileSource(tmp_path / "a.csv"), expect=value)


@pytest.mark.parametrize(
    "expected",
    [{"between": {"kind": (0, 1)}}, {"one_of": {"n": ["a"]}}, {"between": {"at": ("x", None)}}],
)
def test_limits_of_another_type_are_refused_with_a_sentence(expected):
    with pytest.raises(ParameterError, match=r"cannot be compared with its values"):
        told(**expected)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"not_null": 3}, "not_null= of Expectations is 3, an int"),
        ({"not_null": [3]}, "A column in not_null= of Expectations is 3"),
        ({"unique": [("id", 3)]}, "A column in unique= of Expectations is 3"),
        ({"missing": 3}, "missing= of Expectations is 3"),
        ({"types": "text"}, "types= of Expectations is 'text'"),
        ({"between": {"a": 5}}, "between= of 'a' is 5"),
        ({"between": {"a": (0,)}}, "between= of 'a' is (0,)"),
        ({"between": {"a": (0, "x")}}, "between= of 'a' is 0 to 'x'"),
        ({"between": {"a": (5, 1)}}, "between= of 'a' is 5 to 1, which no value meets"),
        ({"between": {"a": (float("nan"), None)}}, "between= of 'a' is nan to None, which no"),
        ({"rows": 5}, "rows= is 5"),
        ({"rows": (5, 2)}, "rows= is 5 to 2, which no value meets"),
        ({"rows": ("a", None)}, "rows= is 'a'"),
        ({"matches": {"a": 3}}, "matches= of 'a' is 3"),
        ({"matches": {"a": "(?=x)x"}}, "matches= of 'a' is no regular expression: look-around"),
    ],
)
def test_an_expectation_without_sense_is_refused_when_it_is_written(options, words):
    with pytest.raises(ParameterError) as raised:
        Expectations(**options)
    assert words in str(raised.value)


def test_a_single_column_needs_no_list():
    rows = Snapshot.of(pl.DataFrame({"id": [1, 1, None], "l": [[1], [2], [3]]}))
    found = Expectations(not_null="id", unique="id").check(rows)
    assert [finding.column for finding in found] == ["id", "id"]
    listed = Expectations(one_of={"l": [[1]]}).check(rows)
    assert listed[0].message == "2 of 3 rows have a 'l' that is not allowed, such as [2], [3]."
    with pytest.raises(ParameterError, match="matches= of 'l' cannot be compared"):
        Expectations(matches={"l": "x"}).check(rows)
