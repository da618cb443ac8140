"""Tables of databases as targets of a batch: all of its rows in one transaction, or none."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.serving.batch.conftest import Batches, write_rows

from penstock.core import ConflictError, DataError, ParameterError
from penstock.data import SqlSource
from penstock.serving import predict
from penstock.serving.batch import _tables
from penstock.serving.batch._table_target import TableTarget, _as_columns

ROWS = 40


@dataclass
class Database:
    url: str

    def out(self, more: str = "") -> str:
        return f"{self.url}{'&' if '?' in self.url else '?'}table=scores{more}"

    def rows(self) -> pl.DataFrame:
        return SqlSource(self.url, table="scores").read().sort("key")


@pytest.fixture(params=["sqlite", "duckdb", "postgresql", "mariadb"])
def database(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Database:
    monkeypatch.setenv("PENSTOCK_PROJECT", str(tmp_path))  # parts wait in its .penstock
    monkeypatch.chdir(tmp_path)
    if request.param in {"sqlite", "duckdb"}:
        return Database(f"{request.param}:///{tmp_path}/shop.db")
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
    else:
        server = request.getfixturevalue("mariadb_server")
    return Database(server.url(server.empty_database()))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    frame = write_rows(tmp_path / "rows.csv", ROWS, seed=3)
    bad = pl.col("key") == "k00004"
    broken = frame.with_columns(share=pl.when(bad).then(pl.lit("half")).otherwise("share"))
    broken.write_csv(tmp_path / "rows.csv")
    return tmp_path / "rows.csv"


@pytest.fixture
def run(batches: Batches, source: Path) -> Callable[..., Any]:
    def predicting(out: object) -> Any:
        return predict("boosted", data=str(source), out=out, part_rows=7, store=batches.store)

    return predicting


def test_a_table_has_the_rows_of_the_file(
    database: Database, run: Callable[..., Any], tmp_path: Path
) -> None:
    done, local = run(database.out()), run(tmp_path / "here.parquet")
    columns = ["key", "prediction", "score"]
    here = pl.read_parquet(tmp_path / "here.parquet", columns=columns).sort("key")
    there = database.rows()
    assert there.select(columns).to_dicts() == here.to_dicts()
    assert (done.predicted, done.refused) == (local.predicted, local.refused) == (ROWS - 1, 1)
    assert there["prediction_id"].str.starts_with(f"{done.batch_id}-").all()
    assert "k00004" in (tmp_path / str(done.refused_out)).read_text()
    with pytest.raises(ConflictError, match="overwrites no table"):
        run(database.out())
    assert database.rows().height == ROWS - 1


def test_batches_are_appended_and_other_columns_refused(
    database: Database, run: Callable[..., Any], batches: Batches, source: Path
) -> None:
    first, second = run(database.out("&mode=append")), run(database.out("&mode=append"))
    assert first.batch_id != second.batch_id
    assert database.rows().height == 2 * (ROWS - 1)
    with pytest.raises(
        DataError, match="other columns than the predictions: it lacks none, and has key"
    ):
        predict(
            "boosted",
            data=str(source),
            out=database.out("&mode=append"),
            keep=[],
            store=batches.store,
        )
    assert database.rows().height == 2 * (ROWS - 1)


@pytest.mark.parametrize("mode", ["", "&mode=append"])
def test_a_batch_that_breaks_off_leaves_no_row_and_is_resumed(
    database: Database, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    if mode:
        run(database.out(mode))
    kind = type(TableTarget.of(database.out())._open())
    write_all = kind.write_all

    def broken(self: Any, frames: Any, form: pl.DataFrame, *, create: bool) -> None:
        def some() -> Any:
            yield next(frames)
            yield next(frames)
            raise OSError("the line was cut")

        write_all(self, some(), form, create=create)

    before = ROWS - 1 if mode else 0
    monkeypatch.setattr(kind, "write_all", broken)
    with pytest.raises(
        DataError, match=r"does not take the predictions: the line was cut.*\n?.*Nothing"
    ):
        run(database.out(mode))
    with TableTarget.of(database.out())._open() as table:
        assert table.exists() == bool(mode)
    assert not mode or database.rows().height == before
    monkeypatch.setattr(kind, "write_all", write_all)
    assert run(database.out(mode)).resumed == 6
    assert database.rows().height == before + ROWS - 1


def test_a_batch_killed_after_its_transaction_is_not_written_twice(
    database: Database, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("penstock.serving.batch._predict._Batch._record", killed)
        with pytest.raises(KeyboardInterrupt):
            run(database.out("&mode=append"))
    assert database.rows().height == ROWS - 1
    assert run(database.out("&mode=append")).resumed == 6
    assert database.rows().height == ROWS - 1


@pytest.mark.parametrize(
    ("out", "what"),
    [
        ("postgresql://host/shop", "names a database, and no table"),
        ("postgresql://host/shop?table=a&mode=replace", "mode='replace' of out is not known"),
        ("postgresql://ada:secret@host/shop?table=a", "secret|password"),
        ("snowflake://host/shop?table=a", "cannot be written to Snowflake"),
        ("sqlite:///a.db?table=a&schema=b", "no schemas"),
    ],
)
def test_what_cannot_be_written_is_refused_at_once(out: str, what: str) -> None:
    with pytest.raises(ParameterError, match=what):
        TableTarget.of(out)


def test_names_are_quoted_and_odd_types_become_texts(tmp_path: Path) -> None:
    target = TableTarget.of(f'sqlite:///{tmp_path}/a.db?table=a"b; DROP')
    frame = pl.DataFrame({"prediction_id": ["r-0"], 'x"y': [1.5], "day": ["2026-01-01"]})
    with target._open() as table:
        table.write(iter([frame]), frame, create=True)
        assert table.columns() == frame.columns
        assert table.has("r")
        assert not table.has("q")
    with sqlite3.connect(tmp_path / "a.db") as raw:
        assert raw.execute('SELECT * FROM "a""b; DROP"').fetchall() == frame.rows()


def test_types_that_no_table_has_become_text_or_are_refused() -> None:
    zoned = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    given = {"price": [Decimal("1.10")], "at": [zoned], "n": [None], "warnings": [["a", "b"]]}
    made = _as_columns(pl.DataFrame(given))
    assert made.row(0) == ("1.10", zoned.astimezone(UTC).replace(tzinfo=None), None, "a b")
    with pytest.raises(DataError, match="Column 'tags' is List"):
        _as_columns(pl.DataFrame({"tags": [["a"]]}))
    with pytest.raises(DataError, match="integers beyond 64 bits, such as 9223372036854775808"):
        _as_columns(pl.DataFrame({"n": pl.Series([2**63], dtype=pl.UInt64)}))


def test_numbers_that_a_database_cannot_hold_are_refused() -> None:
    frame = pl.DataFrame({"a": [1.0, float("nan")]})
    with pytest.raises(DataError, match="infinite numbers or NaN, which SQLite cannot hold"):
        _tables.require_finite(frame, "SQLite")
    _tables.require_finite(pl.DataFrame({"a": [1.0, None]}), "SQLite")
