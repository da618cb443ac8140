"""Rules of names and values: in the words that clients match, and before anything is looked up."""

import pytest

from penstock.server.mlflow._rules import check_key

V2 = "/api/2.0/mlflow"


def ask(api, method, path, **body):
    return api.request(method, V2 + path, json=body)


def refusal(answer, code="INVALID_PARAMETER_VALUE"):
    assert answer.json().get("error_code") == code, answer.text
    return answer.json()["message"]


@pytest.fixture
def run_id(api):
    made = ask(api, "POST", "/runs/create", experiment_id="0").json()
    return made["run"]["info"]["run_id"]


@pytest.fixture
def model(api):
    ask(api, "POST", "/registered-models/create", name="m")
    return "m"


LONG = "k" * 251


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/runs/set-tag", {"key": LONG, "value": "v"}, "'key' exceeds the maximum length of 250"),
        ("/runs/log-parameter", {"key": LONG, "value": "v"},
         "'Param key' exceeds the maximum length of 250"),
        ("/runs/log-metric", {"key": LONG, "value": 1, "timestamp": 1},
         "'Metric name' exceeds the maximum length of 250"),
        ("/runs/log-batch", {"tags": [{"key": "a", "value": "b"}, {"key": LONG, "value": "v"}]},
         "'tags[1].key' exceeds the maximum length of 250"),
        ("/runs/log-batch", {"metrics": [{"key": "a?", "value": 1, "timestamp": 1, "step": 0}]},
         "Invalid value \"a?\" for parameter 'metrics[0].name' supplied: Names may only contain"),
        ("/runs/log-batch", {"params": [{"key": "../a", "value": "1"}]},
         "Invalid value \"../a\" for parameter 'params[0].key' supplied: Names may be treated"),
        ("/experiments/create", {"name": "e" * 501}, "'name' exceeds the maximum length of 500"),
        ("/experiments/set-experiment-tag", {"experiment_id": "0", "key": LONG, "value": "v"},
         "'key' exceeds the maximum length of 250 characters"),
        ("/experiments/set-experiment-tag", {"experiment_id": "0", "key": "k", "value": "v" * 20001},
         "'value' exceeds the maximum length of 20000 characters"),
        ("/experiments/delete", {"experiment_id": "one"},
         "Invalid experiment ID 'one'. Experiment ID must be a valid integer."),
        ("/registered-models/set-tag", {"name": "m", "key": LONG, "value": "v"},
         "'key' exceeds the maximum length of 250 characters"),
        ("/registered-models/set-tag", {"name": "m", "key": "k", "value": "v" * 100_001},
         "'value' exceeds the maximum length of 100000 characters"),
        ("/registered-models/create", {"name": " "}, "Missing value for required parameter 'name'"),
        ("/registered-models/create", {"name": "a/b"}, "Invalid model name 'a/b'. Names cannot"),
        ("/registered-models/rename", {"name": "m"},
         "Missing value for required parameter 'new_name'"),
        ("/registered-models/alias", {"name": "m", "alias": "a" * 256, "version": "1"},
         "'Registered model alias name' exceeds the maximum length of 255 characters"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("model")
def test_a_refusal_has_the_words_that_clients_match(api, run_id, path, body, words):
    assert words in refusal(ask(api, "POST", path, run_id=run_id, **body))


def test_a_name_that_is_taken_is_told_as_clients_match_it(api, model):
    ask(api, "POST", "/experiments/create", name="e")
    other = ask(api, "POST", "/experiments/create", name="f").json()["experiment_id"]
    taken = ask(api, "POST", "/experiments/create", name="e")
    assert "Experiment(name=e) already exists" in refusal(taken, "RESOURCE_ALREADY_EXISTS")
    renamed = ask(api, "POST", "/experiments/update", experiment_id=other, new_name="e")
    assert "Experiment(name=e) already exists" in refusal(renamed, "RESOURCE_ALREADY_EXISTS")
    again = ask(api, "POST", "/registered-models/create", name=model)
    assert "Registered Model (name=m) already exists" in refusal(again, "RESOURCE_ALREADY_EXISTS")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/traces/tr-none/tags", {}),
        ("DELETE", "/traces/tr-none/tags", {}),
        ("POST", "/runs/set-tag", {"run_id": "none"}),
        ("POST", "/runs/delete-tag", {"run_id": "none"}),
        ("POST", "/experiments/set-experiment-tag", {"experiment_id": "99"}),
        ("POST", "/experiments/delete-experiment-tag", {"experiment_id": "99"}),
        ("POST", "/registered-models/set-tag", {"name": "none"}),
        ("DELETE", "/registered-models/delete-tag", {"name": "none"}),
        ("POST", "/model-versions/set-tag", {"name": "none", "version": "1"}),
        ("DELETE", "/model-versions/delete-tag", {"name": "none", "version": "1"}),
    ],
)
def test_a_request_is_checked_before_its_object_is_looked_up(api, method, path, body):
    """What is wrong with a request is so whether or not there is such an object."""
    words = refusal(ask(api, method, path, **body, value="v"))
    assert "Missing value for required parameter 'key'" in words
    good = ask(api, method, path, **body, key="k", value="v")
    assert good.json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("invalid?tag!name:(", "Invalid value \"invalid?tag!name:(\" for parameter 'key' supplied"),
        ("/.:\\.", "Invalid value \"/.:\\\\.\" for parameter 'key' supplied"),
        ("../", "Invalid value \"../\" for parameter 'key' supplied"),
        (LONG, "'key' exceeds the maximum length of 250 characters"),
    ],
)
def test_the_key_of_a_trace_tag_is_checked_before_the_trace_is_looked_up(api, key, words):
    assert words in refusal(ask(api, "PATCH", "/traces/tr-none/tags", key=key, value="v"))


def test_a_long_key_is_not_kept_and_is_refused_each_time():
    for _ in range(2):
        assert check_key("a" * 250, "tag") == "a" * 250


@pytest.mark.parametrize("written", [2, "2", 2.0, "SCHEDULED"])
def test_an_enumeration_is_a_word_or_its_number(api, run_id, written):
    ask(api, "POST", "/runs/update", run_id=run_id, status=written)
    [run] = ask(api, "POST", "/runs/search", experiment_ids=["0"], run_view_type=1).json()["runs"]
    assert run["info"]["status"] == "SCHEDULED"


def test_the_numbers_of_every_enumeration_are_those_of_the_protocol(api, run_id):
    for number, word in enumerate(("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"), 1):
        info = ask(api, "POST", "/runs/update", run_id=run_id, status=number).json()["run_info"]
        assert info["status"] == word
    ask(api, "POST", "/runs/delete", run_id=run_id)
    for number, count in ((1, 0), (2, 1), (3, 1)):
        found = ask(api, "POST", "/runs/search", experiment_ids=["0"], run_view_type=number).json()
        assert len(found.get("runs", ())) == count
    found = api.get(V2 + "/experiments/search", params={"max_results": 5, "view_type": "2"})
    assert found.json() == {}
    made = ask(api, "POST", "/logged-models", experiment_id="0").json()["model"]["info"]
    path = f"/logged-models/{made['model_id']}"
    ready = ask(api, "PATCH", path, model_id=made["model_id"], status=2).json()["model"]["info"]
    assert ready["status"] == "LOGGED_MODEL_READY"


@pytest.mark.parametrize("number", [0, 6, -1, 2.5, True])
def test_a_number_that_no_word_has_is_refused(api, run_id, number):
    answer = ask(api, "POST", "/runs/update", run_id=run_id, status=number)
    assert "for parameter 'status' supplied" in refusal(answer)


@pytest.mark.parametrize("moment", [-123, 0, 123, "-1"])
def test_a_run_may_end_at_any_time(api, run_id, moment):
    ask(api, "POST", "/runs/update", run_id=run_id, status="FINISHED", end_time=moment)
    info = api.get(V2 + "/runs/get", params={"run_id": run_id}).json()["run"]["info"]
    assert (info["end_time"], info["status"]) == (int(moment), "FINISHED")


def test_ends_before_1970_come_in_their_order(api):
    for end in (234, -123, None, 456, -10_000_000_000_000, 0):
        made = ask(api, "POST", "/runs/create", experiment_id="0", run_name=str(end), start_time=-5)
        run = made.json()["run"]["info"]
        assert run["start_time"] == -5
        if end is not None:
            ask(api, "POST", "/runs/update", run_id=run["run_id"], end_time=end)
    for order, expected in (
        ("ASC", "-10000000000000 -123 0 234 456 None"),
        ("DESC", "456 234 0 -123 -10000000000000 None"),
    ):
        found = ask(api, "POST", "/runs/search", experiment_ids=["0"],
                    order_by=[f"attributes.end_time {order}"]).json()["runs"]  # fmt: skip
        assert " ".join(run["info"]["run_name"] for run in found) == expected
    early = ask(api, "POST", "/runs/search", experiment_ids=["0"], filter="end_time < 0").json()
    assert len(early["runs"]) == 2


def test_versions_equal_by_the_wanted_order_come_by_name_then_the_newest(api):
    for name in ("b", "a", "c"):
        ask(api, "POST", "/registered-models/create", name=name)
    for name in ("b", "a", "c", "a", "b"):
        ask(api, "POST", "/model-versions/create", name=name, source="s3://bucket/m")

    def found(*order):
        answer = api.get(V2 + "/model-versions/search", params={"order_by": list(order)}).json()
        return [each["name"] + each["version"] for each in answer["model_versions"]]

    assert found("version_number DESC") == ["a2", "b2", "a1", "b1", "c1"]
    assert found("version_number ASC") == ["a1", "b1", "c1", "a2", "b2"]
    assert found("name DESC") == ["c1", "b2", "b1", "a2", "a1"]
    assert found()[0] == "b2"  # the last one changed
