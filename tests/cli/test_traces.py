"""penstock traces: listed and shown, for people and for programs."""

from penstock.core import DocumentRecord, now
from penstock.stores import open_store
from penstock.tracking import SPAN, TRACE


def add_trace(folder):
    body = {
        "request_time_ms": 1_769_853_600_000,
        "duration_ms": 250,
        "state": "OK",
        "metadata": {},
        "tags": {"mlflow.traceName": "answer"},
    }
    span = {"span_id": "a", "name": "look_up", "status": {"code": 1}}
    whole = {"span": span, "attributes": {"mlflow.spanOutputs": {"hits": 3}}, "events": []}
    with open_store(f"sqlite:///{folder}/.penstock/penstock.db") as store:
        store.metadata.documents.add(
            [
                DocumentRecord("mlflow.experiment", "7", "assistant", now(), {}),
                DocumentRecord(TRACE, "tr-1", "7", now(), body),
                DocumentRecord(SPAN, "tr-1/a", "tr-1", now(), whole),
            ]
        )


def test_traces_are_listed_and_shown(shell):
    (shell.folder / ".penstock").mkdir()
    add_trace(shell.folder)
    assert "tr-1" in shell("traces", "list").out
    [listed] = shell("traces", "list", "-e", "assistant", "--json").json
    assert (listed["trace_id"], listed["seconds"]) == ("tr-1", 0.25)
    assert shell("traces", "list", "-e", "other", "--json").json == []
    assert "look_up" in shell("traces", "show", "tr-1").out
    assert shell("traces", "show", "tr-1", "--json").json["spans"][0]["outputs"] == {"hits": 3}
    assert "no trace 'tr-2'" in shell("traces", "show", "tr-2", code=2).err
