"""A batch has the server's answers, bit for bit, whatever the source, and loses no row."""

import json
import signal
import tempfile
import time
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingRegressor
from tests.hunting import SEED, length
from tests.ray_nodes import run_script
from tests.serving.batch import killed_calls
from tests.serving.batch.conftest import Batches, write_rows

from penstock.core import ConflictError, DataError, NotFoundError, ParameterError
from penstock.lineage import get_lineage
from penstock.models import Model, infer_signature
from penstock.registry import Registry
from penstock.serving import predict
from penstock.stores import open_store

KILLS = length(1, 200, name="PENSTOCK_KILLS")
CELLS = {
    "size": st.sampled_from(["", "3.25", "1e3", " 4 ", "n/a", "x", "-0.0"]),
    "share": st.sampled_from(["7 %", "12 %", "100 %", "300 %", "", "?", "half"]),
    "count": st.sampled_from(["3", "12", "900", "", "2.5"]),
    "city": st.sampled_from(["Bonn", "Köln", "Ulm", "Trier", "", "NA"]),
    "day": st.sampled_from(["2024-03-05", "1999-12-31", "", "tomorrow"]),
}
VALUES = {
    "size": st.one_of(st.none(), st.floats(0, 6), st.floats(allow_nan=False, allow_infinity=False)),
    "share": st.one_of(st.none(), st.integers(-10, 400)),
    "count": st.one_of(st.none(), st.integers(-3, 60)),
    "city": st.sampled_from([None, "Bonn", "Köln", "Ulm", "Trier"]),
    "day": st.one_of(st.none(), st.dates(date(1990, 1, 1), date(2030, 1, 1))),
}


def answer(batches: Batches, model: str, row: dict[str, Any]) -> tuple[Any, ...] | str:
    body = json.dumps({"row": row}, default=lambda value: value.isoformat())
    reply = batches.client.post(f"/models/{model}/predict", content=body).json()
    if "predictions" not in reply:
        return str(reply["error"])
    one = reply["predictions"][0]
    return one["prediction"], one["score"], tuple(one["warnings"])


def rows_of(out: Path) -> dict[int, tuple[Any, ...]]:
    table = pl.read_parquet(out)
    return {
        int(row["prediction_id"].rpartition("-")[2]): (
            row["prediction"],
            row["score"],
            tuple(row["warnings"]),
        )
        for row in table.iter_rows(named=True)
    }


def check_answers(
    batches: Batches, model: str, data: Any, sent: list[dict[str, Any]], part: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.parquet"
        done = predict(model, data=data, out=out, part_rows=part, store=batches.store)
        found = rows_of(out)
        refused = {}
        if done.refused_out:
            lines = map(json.loads, Path(done.refused_out).read_text().splitlines())
            refused = {line["row"]: line["reason"] for line in lines}
    assert sorted([*found, *refused]) == list(range(len(sent)))
    assert (done.predicted, done.refused) == (len(found), len(refused))
    for number, row in enumerate(sent):
        expected = answer(batches, model, row)
        if isinstance(expected, str):
            assert refused[number] in expected
        else:
            assert found[number] == expected


@pytest.mark.parametrize("model", ["linear", "boosted", "network"])
@settings(max_examples=3)
@given(
    rows=st.lists(st.fixed_dictionaries(VALUES), min_size=1, max_size=30), part=st.integers(1, 12)
)
def test_values_have_the_servers_answers(
    model: str, rows: list[dict[str, Any]], part: int, batches: Batches
) -> None:
    kinds = {"size": pl.Float64, "share": pl.Int64, "count": pl.Int64, "city": pl.String}
    frame = pl.DataFrame(rows, schema={**kinds, "day": pl.Date})
    check_answers(batches, model, frame, rows, part)


@settings(max_examples=5)
@given(
    rows=st.lists(st.fixed_dictionaries(CELLS), min_size=1, max_size=30), part=st.integers(1, 12)
)
def test_texts_of_a_file_have_the_servers_answers(
    rows: list[dict[str, str]], part: int, batches: Batches
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        lines = [",".join(row[name] for name in CELLS) for row in rows]
        path.write_text("\n".join([",".join(CELLS), *lines]) + "\n")
        check_answers(batches, "linear", path, [_sent(row) for row in rows], part)


MIXED = {
    "size": [3.25, 1, None, "3.25", True, "", -0.0, [1.5], {"a": 1}],
    "share": [7, 7.0, 7.5, "7", "7 %", None, False],
    "count": [3, 12.0, "3", None, True],
    "city": ["Bonn", "Köln", "7", 7, None, True, ""],
    "day": ["2024-03-05", "1999-12-31", None, 20240305, "tomorrow", False],
}


@pytest.mark.parametrize("large", [False, True])  # files too large for memory are read in blocks
@settings(max_examples=3, report_multiple_bugs=False)
@given(data=st.data())
def test_values_of_several_types_have_the_servers_answers(
    large: bool, data: Any, batches: Batches
) -> None:
    cells = {name: st.sampled_from(values) for name, values in MIXED.items()}
    rows = data.draw(st.lists(st.fixed_dictionaries(cells), min_size=2, max_size=25))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        if large:
            patch.setattr("penstock.data.sources._formats._LARGE_TEXT", 100)
            patch.setattr("penstock.data.sources._blocks.BLOCK_BYTES", 200)
        halves = rows[: len(rows) // 2], rows[len(rows) // 2 :]
        for name, half in zip("ab", halves, strict=True):
            Path(folder, f"{name}.jsonl").write_text("\n".join(map(json.dumps, half)) + "\n")
        check_answers(batches, "linear", Path(folder), rows, data.draw(st.integers(1, 12)))


def test_one_number_in_quotes_refuses_its_row_alone(plain, tmp_path):
    lines = [{"a": 0.5, "b": 3}, {"a": "0.5", "b": 3}, {"a": True, "b": 3}, {"a": 1, "b": 3}]
    (tmp_path / "new.jsonl").write_text("\n".join(map(json.dumps, lines)))
    values, reasons = predicted(plain, tmp_path / "new.jsonl", tmp_path)
    assert sorted(values) == [0, 3]
    assert reasons[1].startswith("Field 'a' is '0.5', not a number. Send the number without quotes")
    assert reasons[2].startswith("Field 'a' is True, not a number.")


def _sent(row: dict[str, str]) -> dict[str, Any]:
    """Return the row of a file as its reader sends it: numbers without quotes where they are."""
    return {name: text or None for name, text in row.items()}


def test_columns_that_are_no_inputs_are_kept(batches: Batches, tmp_path: Path) -> None:
    frame = write_rows(tmp_path / "new.csv", 50, seed=3)
    out = tmp_path / "out.parquet"
    data = str(tmp_path / "new.csv")
    done = predict("linear", data=data, out=out, part_rows=20, store=batches.store)
    table = pl.read_parquet(out)
    assert table["key"].to_list() == frame["key"].to_list()
    assert table.columns == ["key", "prediction_id", "prediction", "score", "warnings"]
    assert table["prediction_id"][49] == f"{done.batch_id}-49"
    assert done.answers == "by kind"


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.arrow", "out/"])
def test_every_format_has_the_same_rows(name: str, batches: Batches, tmp_path: Path) -> None:
    write_rows(tmp_path / "new.csv", 50, seed=3)
    for out in ("out.parquet", name):
        predict(
            "linear",
            data=str(tmp_path / "new.csv"),
            out=f"{tmp_path}/{out}",
            part_rows=20,
            probabilities=True,
            store=batches.store,
        )
    readers: dict[str, Any] = {".csv": pl.read_csv, ".jsonl": pl.read_ndjson, ".arrow": pl.read_ipc}
    read = readers.get(Path(name).suffix, pl.read_parquet)
    found = read(f"{tmp_path}/{name}*" if name == "out/" else tmp_path / name)
    names = ["key", "prediction", "score", "probability_no", "probability_yes"]
    assert found.select(names).equals(pl.read_parquet(tmp_path / "out.parquet").select(names))
    assert not list(tmp_path.glob(".*penstock*"))


@pytest.mark.parametrize("other", ["processes", "ray"])
def test_processes_have_the_same_answers(batches: Batches, tmp_path: Path, other: Any) -> None:
    if other == "ray":
        pytest.importorskip("ray", reason="it is installed with: pip install 'penstock[ray]'")
    write_rows(tmp_path / "new.csv", 90, seed=4)
    tables = []
    for on in ("local", other):
        out = tmp_path / f"{on}.parquet"
        predict(
            "linear",
            data=str(tmp_path / "new.csv"),
            out=out,
            runner=on,
            workers=2,
            part_rows=20,
            store=batches.store,
        )
        tables.append(pl.read_parquet(out).drop("prediction_id"))
    assert tables[0].equals(tables[1])


def test_an_unknown_kind_is_compared_and_then_predicted_row_by_row(
    batches: Batches, tmp_path: Path
) -> None:
    write_rows(tmp_path / "new.csv", 200, seed=5)
    done = predict(
        "network", data=str(tmp_path / "new.csv"), out=tmp_path / "o.parquet", store=batches.store
    )
    assert done.answers in {"row by row", "compared on 32 rows of each part"}


def test_a_batch_that_stops_writes_nothing(batches: Batches, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("size,share,count,city,day\n1,5 %,x,Bonn,2024-03-05\n")
    with pytest.raises(DataError, match="Row 0 is refused: Field 'count'"):
        predict(
            "linear",
            data=str(tmp_path / "bad.csv"),
            out=tmp_path / "o.csv",
            refused="stop",
            store=batches.store,
        )
    assert [file.name for file in tmp_path.glob("*") if not file.name.startswith(".")] == [
        "bad.csv"
    ]


def test_nothing_is_overwritten(batches: Batches, tmp_path: Path) -> None:
    write_rows(tmp_path / "new.csv", 5)
    (tmp_path / "out.csv").write_text("mine")
    with pytest.raises(ConflictError, match="overwrites no file"):
        predict(
            "linear", data=str(tmp_path / "new.csv"), out=tmp_path / "out.csv", store=batches.store
        )
    assert (tmp_path / "out.csv").read_text() == "mine"


def test_mistakes_are_named_before_anything_is_predicted(batches: Batches, tmp_path: Path) -> None:
    frame = pl.DataFrame({"size": [1.0], "shares": [5], "count": [3], "city": ["Bonn"]})
    out, store = tmp_path / "o.csv", batches.store
    with pytest.raises(DataError, match="Did you mean 'shares'"):
        predict("linear", data=frame, out=out, store=store)
    right = frame.rename({"shares": "share"}).with_columns(day=date(2024, 3, 5))
    with pytest.raises(DataError, match="keep names 'keys'"):
        predict("linear", data=right, out=out, keep=["keys"], store=store)
    with pytest.raises(DataError, match="a name that the predictions use"):
        predict("linear", data=right.with_columns(score=1), out=out, store=store)
    with pytest.raises(ParameterError, match="cannot be told from its ending"):
        predict("linear", data=right, out=tmp_path / "o.xyz", store=store)
    with pytest.raises(ParameterError, match="There is no folder"):
        predict("linear", data=right, out=tmp_path / "none" / "o.csv", store=store)
    with pytest.raises(ParameterError, match="no source of rows"):
        predict("linear", data=3, out=out, store=store)
    with pytest.raises(NotFoundError, match="No version of 'linear' is in staging"):
        predict("linear@staging", data=right, out=out, store=store)
    assert not out.exists()


def test_a_prediction_is_found_by_its_id(batches: Batches, tmp_path: Path) -> None:
    write_rows(tmp_path / "new.csv", 30)
    out = tmp_path / "out.csv"
    done = predict("linear", data=str(tmp_path / "new.csv"), out=out, store=batches.store)
    found = get_lineage(f"{done.batch_id}-7", store=batches.store)
    expected = pl.read_csv(out).row(7, named=True)
    assert found.prediction is not None
    assert found.prediction.prediction == expected["prediction"]
    assert found.prediction.inputs == {"key": "k00007"}
    assert found.version is not None
    assert found.version.ref == "linear@1"
    assert f"run:{done.batch_id}" in found.nodes
    with pytest.raises(NotFoundError, match="predicted no row 30"):
        get_lineage(f"{done.batch_id}-30", store=batches.store)
    out.unlink()
    gone = get_lineage(f"{done.batch_id}-7", store=batches.store).prediction
    assert gone is not None
    assert "no longer there" in (gone.error or "")


def test_a_batch_killed_at_random_points_ends_as_an_undisturbed_one(
    batches: Batches, tmp_path: Path
) -> None:
    data, whole, told = tmp_path / "new.csv", tmp_path / "whole.parquet", tmp_path / "told"
    write_rows(data, 8_000, seed=6)
    predict("linear", data=data, out=whole, store=batches.store)
    expected = pl.read_parquet(whole).drop("prediction_id")
    random, processes, killed, batch = Random(SEED), get_context("forkserver"), 0, 0
    processes.set_forkserver_preload(killed_calls.MODULES)
    while killed < KILLS:
        batch, finished = batch + 1, 0
        out = tmp_path / f"out{batch}.parquet"
        while True:
            arguments = (str(data), str(out), batches.store.url, str(told))
            process = processes.Process(target=killed_calls.call, args=arguments)
            process.start()
            if killed < KILLS and random.random() > 1 / 12:  # a dozen kills, then it may end
                aim, deadline = finished + random.choice((0, 1, 1, 2, 5)), time.monotonic() + 60
                while _parts(out) < aim and process.is_alive() and time.monotonic() < deadline:
                    time.sleep(0.002)
                time.sleep(random.random() / 50)
                process.kill()
            process.join()
            if out.exists():
                break
            assert process.exitcode == -signal.SIGKILL
            killed += 1
            assert _parts(out) >= finished
            finished = _parts(out)
        found = pl.read_parquet(out)
        assert found.drop("prediction_id").equals(expected)
        batch_id = found["prediction_id"][0].rpartition("-")[0]
        assert found["prediction_id"].to_list() == [f"{batch_id}-{row}" for row in range(8_000)]
        if process.exitcode == 0:
            assert told.read_text().split() == [batch_id, str(finished)]
            assert not list(tmp_path.glob(f".{out.name}*"))


def _parts(out: Path) -> int:
    return len(list(out.parent.glob(f".{out.name}*/part-*.json")))


def test_a_changed_source_is_predicted_anew(batches: Batches, tmp_path: Path) -> None:
    rows = [{"size": 1.0, "share": 5, "count": 3, "city": "Bonn", "day": date(2024, 3, 5)}]
    frame = pl.DataFrame(rows * 4)
    with pytest.raises(DataError):
        predict(
            "linear",
            data=frame.with_columns(count=pl.Series([3.0, 3.0, 3.0, 2.5])),
            out=tmp_path / "o.parquet",
            refused="stop",
            part_rows=2,
            store=batches.store,
        )
    changed = frame.with_columns(count=pl.Series([3.0, 9.0, 3.0, 3.0]))
    done = predict(
        "linear",
        data=changed,
        out=tmp_path / "o.parquet",
        refused="stop",
        part_rows=2,
        store=batches.store,
    )
    assert (done.resumed, done.predicted) == (0, 4)


LOSING = """
import pathlib, sys, threading, time

from tests.ray_nodes import cluster_of

from penstock.serving import predict


def lose(cluster, nodes):
    while not list(pathlib.Path(".").glob(".*/part-*")):
        time.sleep(0.01)
    cluster.remove_node(nodes[0], allow_graceful=False)  # as a spot machine that is taken away
    pathlib.Path("lost").write_text(str(pathlib.Path("ray.parquet").exists()))


with cluster_of(2) as parts:
    threading.Thread(target=lose, args=parts, daemon=True).start()
    predict("network", data="new.csv", out="ray.parquet", runner="ray", workers=2, part_rows=20,
            store=sys.argv[1])
    while not pathlib.Path("lost").exists():
        time.sleep(0.05)
"""


@pytest.mark.slow
@pytest.mark.usefixtures("one_cluster")
def test_a_batch_one_of_whose_nodes_is_lost_has_the_same_answers(
    batches: Batches, tmp_path: Path
) -> None:
    pytest.importorskip("ray", reason="it is installed with: pip install 'penstock[ray]'")
    write_rows(tmp_path / "new.csv", 1000, seed=6)
    run_script(LOSING, batches.store.url, folder=tmp_path, timeout=150)
    assert (tmp_path / "lost").read_text() == "False"  # before the batch had ended
    predict("network", data=str(tmp_path / "new.csv"), out=tmp_path / "here.parquet",
            part_rows=20, store=batches.store)  # fmt: skip
    there, here = (
        pl.read_parquet(tmp_path / name).drop("prediction_id")
        for name in ("ray.parquet", "here.parquet")
    )
    assert there.equals(here)


@pytest.fixture
def plain(tmp_path):
    """A model trained on a frame: nothing is known of how a file writes its numbers."""
    frame = pl.DataFrame({"a": [x / 7 for x in range(60)], "b": [x % 7 for x in range(60)]})
    estimator = HistGradientBoostingRegressor(max_iter=5).fit(frame.to_numpy(), range(60))
    store = open_store(f"sqlite:///{tmp_path}/plain.db")
    model = Model(estimator, infer_signature(estimator, frame, pl.Series(range(60))))
    Registry(store=store).register("plain", model, actor="ann")
    yield model, store
    store.close()


def predicted(plain, data, tmp_path):
    """Return the predicted places with their values, and the reasons of the others."""
    batch = predict("plain@1", data=data, out=tmp_path / "o.parquet", store=plain[1])
    found = pl.read_parquet(batch.out)
    places = [int(each.rpartition("-")[2]) for each in found["prediction_id"]]
    reasons = {}
    if batch.refused_out:
        lines = Path(batch.refused_out).read_text().splitlines()
        reasons = {row["row"]: row["reason"] for row in map(json.loads, lines)}
    return dict(zip(places, found["prediction"], strict=True)), reasons


@pytest.mark.parametrize("good", [2, 48])  # of 50 cells: the column would be text, or lose cells
@pytest.mark.parametrize("form", ["{},5", "{}.5"])
def test_cells_that_cannot_be_read_refuse_their_rows_alone(plain, tmp_path, good, form):
    cells = [form.format(n) if n < good else f"oops {n}" for n in range(50)]
    lines = "".join(f"{cell};{n % 7}\n" for n, cell in enumerate(cells))
    (tmp_path / "new.csv").write_text("a;b\n" + lines)
    values, reasons = predicted(plain, tmp_path / "new.csv", tmp_path)
    rows = pl.DataFrame({"a": [n + 0.5 for n in range(good)], "b": [n % 7 for n in range(good)]})
    assert values == dict(enumerate(plain[0].predict(rows).values))
    assert sorted(reasons) == list(range(good, 50))
    assert reasons[49].startswith("Field 'a' is 'oops 49', not a number. The source's texts are")


def test_a_missing_number_is_one_rule_in_every_format(plain, tmp_path):
    frame = pl.DataFrame({"a": [1.5, float("nan"), 2.5, None], "b": [1, 2, 3, 4]})
    frame.write_parquet(tmp_path / "new.parquet")
    frame.write_ipc(tmp_path / "new.arrow")
    (tmp_path / "new.csv").write_text("a,b\n1.5,1\nNaN,2\n2.5,3\n,4\n")
    found = []
    for number, data in enumerate(("new.parquet", "new.arrow", "new.csv", frame)):
        folder = tmp_path / str(number)
        folder.mkdir()
        place = tmp_path / data if isinstance(data, str) else data
        found.append(predicted(plain, place, folder))
    assert all(each == found[0] for each in found)
    assert (sorted(found[0][0]), found[0][1]) == ([0, 1, 2, 3], {})


def test_infinity_is_no_missing_number(plain, tmp_path):
    frame = pl.DataFrame({"a": [1.5, float("inf")], "b": [1, 2]})
    values, reasons = predicted(plain, frame, tmp_path)
    assert [*values] == [0]
    assert "NaN and infinity are not allowed" in reasons[1]
