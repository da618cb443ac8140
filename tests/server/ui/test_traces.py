"""The pages of traces: listed, and one as a tree of its spans."""

from penstock.core import DocumentRecord, now
from penstock.tracking import ASSESSMENT, EVALUATION_RECORD, EVALUATION_SET, SPAN, TRACE


def add_trace(store):
    body = {
        "request_time_ms": 1_769_853_600_000,
        "duration_ms": 250,
        "state": "ERROR",
        "metadata": {},
        "tags": {"mlflow.traceName": "<i>answer</i>", "team": "risk"},
        "request_preview": "why",
    }
    documents = [
        DocumentRecord("mlflow.experiment", "7", "assistant", now(), {}),
        DocumentRecord(TRACE, "tr-1", "7", now(), body),
    ]
    for span_id, parent, attributes in [
        ("a", None, {"mlflow.spanInputs": {"word": "<b>why</b>"}, "mlflow.spanType": "CHAIN"}),
        ("b", "a", {"size": 3}),
    ]:
        span = {
            "span_id": span_id,
            "parent_span_id": parent,
            "name": f"span {span_id}",
            "start_time_unix_nano": 1_769_853_600_000_000_000,
            "end_time_unix_nano": 1_769_853_600_250_000_000,
            "status": {"code": 2, "message": "no <such> thing"},
        }
        whole = {"span": span, "attributes": attributes, "events": []}
        documents.append(DocumentRecord(SPAN, f"tr-1/{span_id}", "tr-1", now(), whole))
    store.metadata.documents.add(documents)


def test_without_traces_the_page_says_where_they_come_from(client):
    assert "@mlflow.trace" in client.get("/traces").text


def test_a_trace_is_listed_by_experiment_and_found_from_the_experiments(client, store):
    add_trace(store)
    page = client.get("/traces").text
    assert 'href="/traces/tr-1"' in page
    assert "&lt;i&gt;answer&lt;/i&gt;" in page
    assert 'href="/traces/tr-1"' in client.get("/traces?experiment=assistant").text
    assert 'href="/traces/tr-1"' not in client.get("/traces?experiment=other").text
    assert 'href="/traces"' in client.get("/experiments").text


def test_a_trace_shows_its_spans_as_a_tree_with_what_went_in(client, store):
    add_trace(store)
    page = client.get("/traces/tr-1").text
    assert page.index("span a") < page.index("span b")
    assert "level 2: " in page
    assert "&lt;b&gt;why&lt;/b&gt;" in page
    assert "no &lt;such&gt; thing" in page
    assert "risk" in page
    twin = client.get("/traces/tr-1?format=json").json()
    assert [span["depth"] for span in twin["trace"]["spans"]] == [0, 1]
    assert client.get("/traces/none").status_code == 404


def add_set(store, *, owner="7"):
    moment = 1_769_853_600_000
    body = {"name": "<i>questions</i>", "tags": {"team": "risk"}, "experiment_ids": [owner],
            "updated_ms": moment}  # fmt: skip
    record = {"inputs": {"q": "<b>why</b>"}, "expectations": {"a": "so"}, "outputs": None, "tags": {},
              "source": {"source_type": "TRACE"}, "source_id": "tr-1", "created_ms": moment, "place": 0}  # fmt: skip
    store.metadata.documents.add(
        [
            DocumentRecord("mlflow.experiment", "7", "assistant", now(), {}),
            DocumentRecord(EVALUATION_SET, "d-1", "", now(), body),
            DocumentRecord(EVALUATION_RECORD, "d-1/x", "d-1", now(), record),
        ]
    )


def test_evaluation_sets_are_listed_and_shown_with_their_records(client, store):
    assert "create_dataset" in client.get("/evaluation-sets").text
    add_set(store)
    page = client.get("/evaluation-sets?experiment=assistant").text
    assert 'href="/evaluation-sets/d-1"' in page
    assert "&lt;i&gt;questions&lt;/i&gt;" in page
    assert 'href="/evaluation-sets/d-1"' not in client.get("/evaluation-sets?experiment=b").text
    page = client.get("/evaluation-sets/d-1").text
    assert "&lt;b&gt;why&lt;/b&gt;" in page
    assert 'href="/traces/tr-1"' in page
    assert client.get("/evaluation-sets/d-2").status_code == 404
    assert 'href="/evaluation-sets"' in client.get("/traces").text


def test_a_trace_shows_what_was_said_of_it(client, store):
    add_trace(store)
    for place, valid in enumerate((False, True)):
        body = {"name": "correct", "kind": "feedback", "value": {"value": valid}, "valid": valid,
                "source": {"source_type": "HUMAN", "source_id": "<u>ann</u>"}, "rationale": "so it is",
                "created_ms": place, "span_id": "", "metadata": {}}  # fmt: skip
        document = DocumentRecord(ASSESSMENT, f"tr-1/a-{place}", "tr-1", now(), body)
        store.metadata.documents.add([document])
    page = client.get("/traces/tr-1").text
    assert "&lt;u&gt;ann&lt;/u&gt;" in page
    assert page.count("overridden") == 1
    assert page.count("so it is") == 2
