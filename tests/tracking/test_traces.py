"""Traces as they are read: in order, with depth, whatever their spans say of each other."""

import pytest

from penstock.core import (
    DocumentRecord,
    Identity,
    NotFoundError,
    Permission,
    ProjectRecord,
    now,
    use_identity,
)
from penstock.stores import open_store
from penstock.tracking import SPAN, TRACE, get_trace, list_traces


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        yield opened


def add_trace(store, trace_id="t1", number="3", *, at=1000, run_id=None):
    metadata = {"mlflow.sourceRun": run_id} if run_id else {}
    body = {
        "request_time_ms": at,
        "duration_ms": 5,
        "state": "OK",
        "metadata": metadata,
        "tags": {},
    }
    documents = [
        DocumentRecord("mlflow.experiment", number, f"experiment {number}", now(), {}),
        DocumentRecord(TRACE, trace_id, number, now(), body),
    ]
    store.metadata.documents.add(documents)


def add_span(store, span_id, parent=None, *, start=0, trace_id="t1"):
    span = {"span_id": span_id, "name": span_id, "start_time_unix_nano": start}
    span |= {"parent_span_id": parent} if parent else {}
    body = {"span": span, "attributes": {}, "events": []}
    store.metadata.documents.add(
        [DocumentRecord(SPAN, f"{trace_id}/{span_id}", trace_id, now(), body)]
    )


def shape(store):
    return [(span.span_id, span.depth) for span in get_trace("t1", store=store).spans]


def test_spans_stand_under_the_one_around_them_by_time(store):
    add_trace(store)
    for span_id, parent, start in [("c", "a", 9), ("b", "a", 5), ("a", None, 1), ("d", "b", 6)]:
        add_span(store, span_id, parent, start=start)
    assert shape(store) == [("a", 0), ("b", 1), ("d", 2), ("c", 1)]


def test_a_span_whose_surrounding_one_never_came_is_outermost(store):
    add_trace(store)
    add_span(store, "lonely", "lost")
    assert shape(store) == [("lonely", 0)]


def test_spans_around_each_other_are_shown_nevertheless(store):
    add_trace(store)
    for span_id, parent in [("a", "b"), ("b", "a"), ("self", "self"), ("root", None)]:
        add_span(store, span_id, parent)
    assert sorted(span for span, _ in shape(store)) == ["a", "b", "root", "self"]


def test_the_newest_traces_of_an_experiment_or_run_are_listed(store):
    add_trace(store, "old", "3", at=1)
    add_trace(store, "new", "3", at=2, run_id="r")
    add_trace(store, "other", "4", at=3)
    listed = [each.trace_id for each in list_traces(store=store)]
    assert listed == ["other", "new", "old"]
    assert [t.trace_id for t in list_traces("experiment 3", limit=1, store=store)] == ["new"]
    assert [t.trace_id for t in list_traces(run_id="r", store=store)] == ["new"]


def test_an_unknown_trace_is_refused(store):
    with pytest.raises(NotFoundError, match="no trace 'nowhere'"):
        get_trace("nowhere", store=store)


def test_whoever_reads_one_project_sees_no_trace_of_another(store):
    for number in "34":
        add_trace(store, f"t{number}", number)
        name = f"experiment {number}"
        store.metadata.projects.save(ProjectRecord(f"team-{number}", (name,), now()))
    ada = Identity("ada", {"team-3": frozenset({Permission.READ})}, "token pst_1")
    with use_identity(ada):
        assert [each.trace_id for each in list_traces(store=store)] == ["t3"]
        assert list_traces("experiment 4", store=store) == []
        assert get_trace("t3", store=store).experiment == "experiment 3"
        with pytest.raises(NotFoundError, match="no trace 't4'"):
            get_trace("t4", store=store)
    assert len(list_traces(store=store)) == 2
