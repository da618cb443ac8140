"""Assessments: what is said of a trace is kept, corrected, searched and goes with it."""

import json

import pytest

from penstock.tracking import ASSESSMENT, get_trace

V3 = "/api/3.0/mlflow"


@pytest.fixture
def trace_id(api):
    return start(api, "tr-one")


def start(api, trace_id, **told):
    info = {
        "trace_id": trace_id,
        "trace_location": {"mlflow_experiment": {"experiment_id": "0"}},
        "request_time": "2026-01-01T00:00:00Z",
        "state": "OK",
        **told,
    }
    answer = api.post(f"{V3}/traces", json={"trace": {"trace_info": info}})
    assert answer.status_code == 200, answer.text
    return trace_id


def say(api, trace_id, name="correct", **told):
    sent = {"assessment_name": name, "feedback": {"value": True}, **told}
    return api.post(f"{V3}/traces/{trace_id}/assessments", json={"assessment": sent})


def said(api, trace_id, name="correct", **told):
    answer = say(api, trace_id, name, **told)
    assert answer.status_code == 200, answer.text
    return answer.json()["assessment"]


def search(api, text):
    places = [{"mlflow_experiment": {"experiment_id": "0"}}]
    answer = api.post(f"{V3}/traces/search", json={"locations": places, "filter": text})
    assert answer.status_code == 200, answer.text
    return [each["trace_id"] for each in answer.json().get("traces", [])]


def test_what_the_real_client_says_of_a_trace_it_finds_again(client, server):
    found = client(
        """
from mlflow.entities import AssessmentSource, Feedback
mlflow.set_experiment("judged")

@mlflow.trace
def answer(question):
    return question.upper()

answer("why")
mlflow.flush_trace_async_logging()
trace_id = mlflow.get_last_active_trace_id()
good = mlflow.log_feedback(trace_id=trace_id, name="correct", value=True, rationale="so it is",
                           source=AssessmentSource("HUMAN", "ann"), metadata={"round": "1"})
facts = mlflow.log_expectation(trace_id=trace_id, name="facts", value={"must": ["a", 1]})
score = mlflow.log_feedback(trace_id=trace_id, name="score", value=0.75)
mlflow.log_feedback(trace_id=trace_id, name="broken", error=ValueError("no answer"))
mlflow.override_feedback(trace_id=trace_id, assessment_id=good.assessment_id, value=False)
mlflow.update_assessment(trace_id, score.assessment_id, Feedback(name="score", value=0.9))
told = mlflow.get_trace(trace_id).info.assessments
def count(text):
    return len(mlflow.search_traces(filter_string=text, return_type="list"))
result = {
    "told": [[each.name, each.value, each.valid] for each in told],
    "error": [each.error.error_message for each in told if each.name == "broken"],
    "source": [good.source.source_id, good.rationale, good.metadata],
    "facts": mlflow.get_assessment(trace_id, facts.assessment_id).value,
    "counts": [count(text) for text in ("feedback.correct = 'false'", "feedback.correct = 'true'",
        "feedback.score > 0.8", "expectation.facts IS NOT NULL", "feedback.other IS NULL")],
}
"""
    )
    assert found["told"] == [
        ["correct", True, False],
        ["facts", {"must": ["a", 1]}, None],
        ["score", 0.9, True],
        ["broken", None, True],
        ["correct", False, True],
    ]
    assert (found["error"], found["facts"]) == (["no answer"], {"must": ["a", 1]})
    assert found["source"] == ["ann", "so it is", {"round": "1"}]
    assert found["counts"] == [1, 0, 1, 1, 1]


def test_the_real_client_evaluates_an_application_on_a_dataset(client, server):
    found = client(
        """
from mlflow.genai import datasets, scorer
experiment = mlflow.set_experiment("evaluated")
made = datasets.create_dataset(name="questions", experiment_id=[experiment.experiment_id])
made.merge_records([{"inputs": {"question": each}, "expectations": {"text": each.upper()}}
                    for each in ("why", "how", "who")])
made.merge_records([{"inputs": {"question": "how"}, "expectations": {"text": "HOW?"}}])

@scorer
def exact(outputs, expectations):
    return outputs == expectations["text"]

again = datasets.get_dataset(name="questions")
done = mlflow.genai.evaluate(data=again, predict_fn=lambda question: question.upper(),
                             scorers=[exact])
traces = mlflow.search_traces(run_id=done.run_id, return_type="list")
result = [
    again.to_df()["inputs"].tolist(), again.profile, again.experiment_ids == [experiment.experiment_id],
    mlflow.get_run(done.run_id).data.metrics,
    sorted(each.value for trace in traces for each in trace.info.assessments if each.name == "exact"),
]
"""
    )
    inputs, profile, belongs, metrics, values = found
    assert inputs == [{"question": "why"}, {"question": "how"}, {"question": "who"}]
    assert json.loads(profile) == {"num_records": 3}
    assert (belongs, values) == (True, [False, True, True])
    assert metrics == {"exact/mean": pytest.approx(2 / 3)}


def test_an_assessment_is_read_as_it_was_said(api, store, trace_id):
    source = {"source_type": 1, "source_id": "ann"}
    first = said(api, trace_id, source=source, rationale="so", metadata={"k": "v"}, span_id="ab")
    answer = api.get(f"{V3}/traces/{trace_id}/assessments/{first['assessment_id']}")
    assert answer.json()["assessment"] == first
    assert first["source"] == {"source_type": "HUMAN", "source_id": "ann"}
    assert (first["valid"], first["rationale"], first["span_id"]) == (True, "so", "ab")
    info = api.get(f"{V3}/traces/{trace_id}").json()["trace"]["trace_info"]
    assert info["assessments"] == [first]
    [told] = get_trace(trace_id, store=store).assessments
    assert (told.author, told.value, told.is_valid, told.kind) == ("ann", True, True, "feedback")


@pytest.mark.parametrize("value", [{"must": [1]}, ["a"], [1.5]])
def test_an_expectation_that_is_no_plain_value_is_told_as_json(api, trace_id, value):
    sent = {"assessment_name": "facts", "expectation": {"value": value}}
    answer = api.post(f"{V3}/traces/{trace_id}/assessments", json={"assessment": sent}).json()
    told = answer["assessment"]["expectation"]["serialized_value"]
    assert (told["serialization_format"], json.loads(told["value"])) == ("JSON_FORMAT", value)


def test_what_overrides_another_makes_it_invalid_until_it_is_deleted(api, trace_id):
    first = said(api, trace_id)["assessment_id"]
    second = said(api, trace_id, feedback={"value": False}, overrides=first)["assessment_id"]
    assert search(api, "feedback.correct = 'true'") == []
    assert search(api, "feedback.correct = 'false'") == [trace_id]
    for _ in range(2):  # deleting twice is no error
        assert api.delete(f"{V3}/traces/{trace_id}/assessments/{second}").status_code == 200
    assert search(api, "feedback.correct = 'true'") == [trace_id]
    assert api.get(f"{V3}/traces/{trace_id}/assessments/{second}").status_code == 404
    assert say(api, trace_id, overrides="a-none").status_code == 404


@pytest.mark.parametrize(
    "mask", ["assessmentName,feedback,metadata", {"paths": ["assessment_name", "feedback", "metadata"]}]
)  # fmt: skip
def test_a_change_is_of_what_its_mask_names(api, trace_id, mask):
    first = said(api, trace_id, rationale="old", metadata={"a": "1"})
    sent = {"assessment_name": "right", "feedback": {"value": 5}, "rationale": "new",
            "metadata": {"b": "2"}}  # fmt: skip
    where = f"{V3}/traces/{trace_id}/assessments/{first['assessment_id']}"
    answer = api.patch(where, json={"assessment": sent, "update_mask": mask})
    told = answer.json()["assessment"]
    assert (told["assessment_name"], told["feedback"]) == ("right", {"value": 5})
    assert (told["rationale"], told["metadata"]) == ("old", {"a": "1", "b": "2"})
    assert told["create_time"] == first["create_time"]


@pytest.mark.parametrize(
    "sent",
    [
        {"assessment": {"assessment_name": "n", "feedback": {}}, "update_mask": "source"},
        {"assessment": {"expectation": {"value": 1}}, "update_mask": "expectation"},
        {"assessment": {"feedback": {"value": 1}}},
        {"update_mask": "feedback"},
    ],
)
def test_a_change_that_cannot_be_made_is_refused(api, trace_id, sent):
    first = said(api, trace_id)["assessment_id"]
    answer = api.patch(f"{V3}/traces/{trace_id}/assessments/{first}", json=sent)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize(
    "sent",
    [
        {"assessment_name": "n"},
        {"assessment_name": "n", "feedback": {"value": 1}, "expectation": {"value": 1}},
        {"feedback": {"value": 1}},
        {"assessment_name": "n" * 251, "feedback": {"value": 1}},
        {"assessment_name": "n", "feedback": 5},
        {"assessment_name": "n", "feedback": {"value": 1}, "source": {"source_type": "GHOST"}},
        {"assessment_name": "n", "feedback": {"value": 1}, "create_time": "yesterday"},
        {"assessment_name": "n", "feedback": {"value": 1}, "metadata": {"k": 1}},
    ],
)
def test_an_assessment_that_says_nothing_clear_is_refused(api, store, trace_id, sent):
    answer = api.post(f"{V3}/traces/{trace_id}/assessments", json={"assessment": sent})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert store.metadata.documents.list(ASSESSMENT) == []


def test_assessments_that_come_with_a_trace_are_there_once_though_sent_twice(api, store):
    told = [
        {"assessment_name": "a", "feedback": {"value": 1}, "create_time": "2026-01-01T00:00:00Z"}
    ]
    for _ in range(2):
        start(api, "tr-told", assessments=told)
    assert len(get_trace("tr-told", store=store).assessments) == 1


def test_assessments_go_with_their_trace(api, store, trace_id):
    said(api, trace_id)
    start(api, "tr-two")
    said(api, "tr-two")
    gone = {"experiment_id": "0", "request_ids": [trace_id]}
    assert api.post(f"{V3}/traces/delete-traces", json=gone).json() == {"traces_deleted": 1}
    assert [each.owner for each in store.metadata.documents.list(ASSESSMENT)] == ["tr-two"]
    assert say(api, trace_id).status_code == 404


def test_numbers_are_compared_as_numbers_and_all_else_as_text(api):
    for name, value in [("a", 9), ("b", 10.5), ("c", "9"), ("d", True)]:
        said(api, start(api, f"tr-{name}"), "score", feedback={"value": value})
    assert search(api, "feedback.score > 9.5") == ["tr-b"]
    assert search(api, "feedback.score <= 9") == ["tr-a"]
    assert search(api, "feedback.score = '9'") == ["tr-a", "tr-c"]
    assert search(api, "feedback.score = 'true'") == ["tr-d"]
    assert search(api, "feedback.score ILIKE '1%'") == ["tr-b"]
    assert search(api, "expectation.score IS NULL") == ["tr-a", "tr-b", "tr-c", "tr-d"]


@pytest.mark.parametrize(
    "text", ["feedback.score > '9'", "feedback.score = 9", "feedback.score RLIKE '(a+)+$'"]
)
def test_a_comparison_of_an_assessment_that_means_nothing_is_refused(api, text):
    answer = api.post(f"{V3}/traces/search", json={"locations": [], "filter": text})
    assert answer.status_code == 400


def test_prompts_are_linked_to_a_trace_once_and_found(api, trace_id):
    sent = {"trace_id": trace_id, "prompt_versions": [{"name": "greet", "version": "2"}]}
    for _ in range(2):
        assert api.post("/api/2.0/mlflow/traces/link-prompts", json=sent).status_code == 200
    info = api.get(f"{V3}/traces/{trace_id}").json()["trace"]["trace_info"]
    assert json.loads(info["tags"]["mlflow.linkedPrompts"]) == [{"name": "greet", "version": "2"}]
    assert search(api, "prompt = 'greet/2'") == [trace_id]
    assert search(api, "prompt = 'greet/1'") == []


def test_two_filters_are_correlated_by_how_often_traces_meet_both(api):
    for number in range(8):
        start(api, f"tr-{number}", state="ERROR" if number < 4 else "OK",
              tags={"kind": "tool" if number < 2 or number == 7 else "chat"})  # fmt: skip
    asked = {"experiment_ids": ["0"], "filter_string1": "status = 'ERROR'",
             "filter_string2": "tags.kind = 'tool'"}  # fmt: skip
    found = api.post(f"{V3}/traces/calculate-filter-correlation", json=asked).json()
    counts = ("joint_count", "filter1_count", "filter2_count", "total_count")
    assert [found[name] for name in counts] == [2, 4, 3, 8]
    assert found["npmi"] == pytest.approx(0.20751875)  # log2(4/3) / log2(4)
    never = asked | {"filter_string2": "tags.kind = 'none'"}
    assert "npmi" not in api.post(f"{V3}/traces/calculate-filter-correlation", json=never).json()
