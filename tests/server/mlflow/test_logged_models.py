"""Logged models: their order by a metric, pages of one query, and lists of names."""

from typing import Any

import pytest

V2 = "/api/2.0/mlflow"


def post(api, path, **body):
    return api.post(V2 + path, json=body)


def made(api, **body):
    return post(api, "/logged-models", experiment_id="0", **body).json()["model"]["info"]


def search(api, **body):
    return post(api, "/logged-models/search", **{"experiment_ids": ["0"], **body})


def found(api, **body):
    return "".join(each["info"]["name"] for each in search(api, **body).json().get("models", ()))


@pytest.fixture
def scored(api):
    """Log two models with several points of a metric on two datasets, and one without any."""
    run = post(api, "/runs/create", experiment_id="0").json()["run"]["info"]["run_id"]
    points = {
        # value, time, step, dataset, digest; the newest by time is not the last by step
        "a": [(0.9, 1, 9, "train", "1"), (0.1, 2, 0, "train", "1"), (0.8, 1, 0, "test", "2")],
        "b": [(0.5, 1, 0, "train", "1"), (0.2, 9, 0, "test", "2")],
        "c": [],
    }
    for name, values in points.items():
        model_id = made(api, name=name)["model_id"]
        for value, at, step, dataset, digest in values:
            post(api, "/runs/log-metric", run_id=run, model_id=model_id, key="auc", value=value,
                 timestamp=at, step=step, dataset_name=dataset, dataset_digest=digest)  # fmt: skip


@pytest.mark.usefixtures("scored")
@pytest.mark.parametrize(
    ("dataset", "ascending"),
    [
        ({}, "abc"),  # 0.1 and 0.2: the newest of any dataset
        ({"dataset_name": "train"}, "abc"),  # 0.1 and 0.5
        ({"dataset_name": "test"}, "bac"),  # 0.8 and 0.2
        ({"dataset_digest": "2"}, "bac"),
        ({"dataset_name": "test", "dataset_digest": "2"}, "bac"),
        ({"dataset_name": "test", "dataset_digest": "1"}, "cba"),  # nothing: the newest first
    ],
)
def test_models_are_ordered_by_the_newest_value_on_a_dataset(api, dataset, ascending):
    term = {"field_name": "metrics.auc", **dataset}
    assert found(api, order_by=[term]) == ascending
    backwards = ascending[1::-1] + "c" if ascending[-1] == "c" else ascending
    assert found(api, order_by=[term | {"ascending": False}]) == backwards


@pytest.mark.usefixtures("scored")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name IN ('a',)", "a"),  # as Python writes a tuple of one
        ("name IN ('a')", "a"),
        ("name in ('a', 'b',)", "ba"),
        ("name NOT IN ('a',)", "cb"),
    ],
)
def test_a_list_may_end_with_a_comma(api, text, expected):
    assert found(api, filter=text) == expected


@pytest.mark.parametrize("text", ["name IN ()", "name IN (,)", "name IN ('a',,)", "name IN ('a'"])
def test_a_broken_list_is_refused(api, text):
    answer = search(api, filter=text)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


@pytest.mark.usefixtures("scored")
def test_a_page_token_belongs_to_its_query(api):
    query: dict[str, Any] = {"filter": "name != 'z'", "order_by": [{"field_name": "name"}]}
    token = search(api, **query, max_results=1).json()["next_page_token"]
    assert found(api, **query, max_results=2, page_token=token) == "bc"
    other = post(api, "/experiments/create", name="other").json()["experiment_id"]
    others: list[tuple[dict[str, Any], str]] = [
        ({"experiment_ids": [other]}, "Experiment IDs in the page token do not match"),
        ({"experiment_ids": ["0", other]}, "Experiment IDs in the page token do not match"),
        ({"filter": "name != 'y'"}, "Filter string in the page token does not match"),
        ({"filter": ""}, "Filter string in the page token does not match"),
        ({"order_by": []}, "Order by in the page token does not match"),
        ({"order_by": [{"field_name": "name", "ascending": False}]}, "Order by in the page token"),
        ({"datasets": [{"dataset_name": "train"}]}, "Datasets in the page token do not match"),
    ]
    for changed, words in others:
        answer = search(api, **{**query, **changed}, page_token=token)
        assert (answer.status_code, words in answer.json()["message"]) == (400, True), answer.text


def test_an_empty_name_is_no_name_as_it_is_to_mlflows_server(api):
    names = {made(api, name="")["name"], made(api)["name"]}
    assert len(names) == 2
    assert all(names)
