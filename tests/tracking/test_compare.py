"""Two runs side by side."""

import pytest

from penstock.core import NotFoundError, StepState
from penstock.stores import open_store
from penstock.testing._records import a_step, digest_of
from penstock.tracking import compare_runs, start_run


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        yield opened


def a_run_of(store, lr, steps, manifest=None):
    with start_run(store=store, tags={"team": "risk"}) as run:
        run.log_params({"lr": lr, "depth": 3})
        run.log_metric("auc", lr)
        for position, (name, key, output) in enumerate(steps):
            store.metadata.steps.finish(
                a_step(
                    run.run_id,
                    name,
                    position=position,
                    state=StepState.FINISHED,
                    key=key,
                    outputs={"result": digest_of(output)},
                )
            )
        if manifest is not None:
            record = store.put(manifest)
            store.metadata.runs.update(run.run_id, provenance=record.digest)
    return run.run_id


def test_what_differs_between_two_runs_is_named(store):
    first = a_run_of(
        store,
        0.1,
        [("ingest", "k", "rows"), ("train", "k1", "m1"), ("score", "s", "x"), ("old", "o", "o")],
        {"environment": {"python": "3.11"}},
    )
    second = a_run_of(
        store,
        0.2,
        [("ingest", "k", "rows"), ("train", "k2", "m2"), ("score", "s", "y"), ("new", "n", "n")],
        {"environment": {"python": "3.12"}},
    )
    found = compare_runs(first, second, store=store)
    assert found.params == {"lr": (0.1, 0.2), "depth": (3, 3)}
    assert found.metrics == {"auc": (0.1, 0.2)}
    assert found.tags == {"team": ("risk", "risk")}
    assert found.steps == {
        "ingest": "same",
        "train": "other code or inputs, other result",
        "score": "other result",
        "old": "only in a",
        "new": "only in b",
    }
    assert found.differences[0] == "param lr: 0.1 and 0.2"
    assert "step score: other result" in found.differences
    assert any("3.11" in line and "3.12" in line for line in found.provenance)
    assert found.to_json()["params"]["lr"] == [0.1, 0.2]


def test_a_run_is_the_same_as_itself(store):
    run = a_run_of(store, 0.1, [("train", "k", "m")])
    found = compare_runs(run, "last", store=store.url)
    assert found.differences == []


def test_provenance_of_one_run_only_is_said(store):
    first = a_run_of(store, 0.1, [("train", "k", "m")])
    second = a_run_of(store, 0.1, [("train", "k2", "m")], {"environment": {}})
    found = compare_runs(first, second, store=store)
    assert found.steps == {"train": "other code or inputs, same result"}
    assert found.provenance == ("provenance: recorded for one of the runs only",)


def test_a_comparison_is_a_table_and_a_figure(tmp_path):
    url = f"sqlite:///{tmp_path}/penstock.db"
    runs = []
    for rate in (0.1, 0.2):
        with start_run(f"rate {rate}", store=url) as run:
            run.log_param("rate", rate)
            run.log_history("loss", [1.0, rate])
        runs.append(run.run_id)
    comparison = compare_runs(*runs, store=url)
    rows = {(kind, name): rest for kind, name, *rest in comparison.frame().rows()}
    assert rows["param", "rate"] == ["0.1", "0.2", True]
    first, second = comparison.figure("loss").data
    assert (list(first.y), list(second.y)) == ([1.0, 0.1], [1.0, 0.2])
    with pytest.raises(NotFoundError, match="Did you mean 'loss'"):
        comparison.figure("los")
