"""penstock traces: listed and shown, for people and for programs."""

from penstock.core import DocumentRecord, now
from penstock.stores import open_store
from penstock.tracking import EVALUATION_RECORD, EVALUATION_SET, SPAN, TRACE


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


def test_evaluation_sets_are_listed_and_shown(shell):
    (shell.folder / ".penstock").mkdir()
    moment = 1_769_853_600_000
    body = {"name": "questions", "tags": {}, "experiment_ids": ["7"], "updated_ms": moment}
    record = {"inputs": {"q": "why"}, "expectations": {"a": "so"}, "outputs": None, "tags": {},
              "source": None, "source_id": None, "created_ms": moment, "place": 0}  # fmt: skip
    with open_store(f"sqlite:///{shell.folder}/.penstock/penstock.db") as store:
        store.metadata.documents.add(
            [
                DocumentRecord("mlflow.experiment", "7", "assistant", now(), {}),
                DocumentRecord(EVALUATION_SET, "d-1", "", now(), body),
                DocumentRecord(EVALUATION_RECORD, "d-1/x", "d-1", now(), record),
            ]
        )
    assert "create_dataset" in shell("traces", "evaluation-sets", "-e", "other").out
    assert "questions" in shell("traces", "evaluation-sets").out
    [listed] = shell("traces", "evaluation-sets", "-e", "assistant", "--json").json
    assert (listed["set_id"], listed["count"]) == ("d-1", 1)
    assert shell("traces", "evaluation-sets", "-e", "other", "--json").json == []
    assert "why" in shell("traces", "evaluation-sets", "d-1").out
    shown = shell("traces", "evaluation-sets", "d-1", "--json").json
    assert shown["records"][0]["expectations"] == {"a": "so"}
    assert "no evaluation set 'd-2'" in shell("traces", "evaluation-sets", "d-2", code=2).err
