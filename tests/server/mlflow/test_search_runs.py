"""MLflow's search for runs: every operator, the order of missing values, pages that overlap nowhere."""

from typing import Any

import pytest

V2 = "/api/2.0/mlflow"


def post(api, path, **body):
    return api.post(V2 + path, json=body)


@pytest.fixture
def named(api):
    """Create five runs; return their names by id."""
    rows: dict[str, Any] = {
        "a": ({"lr": "0.1", "opt": "Adam"}, {"auc": 0.9, "loss": 1}, {"team": "risk"}),
        "b": ({"lr": "0.2", "opt": "adam"}, {"auc": 0.7}, {"team": "Risk & co"}),
        "c": ({"opt": "sgd"}, {"auc": "NaN"}, {"team": "growth"}),
        "d": ({"lr": "0.1"}, {"auc": "Infinity"}, {}),
        "e": ({}, {}, {"odd name": "it's"}),
    }
    found = {}
    for place, (name, (params, metrics, tags)) in enumerate(rows.items()):
        run = post(api, "/runs/create", experiment_id="0", run_name=name,
                   start_time=1_700_000_000_000 + place, user_id=f"user-{name}")  # fmt: skip
        run_id = run.json()["run"]["info"]["run_id"]
        found[run_id] = name
        post(
            api,
            "/runs/log-batch",
            run_id=run_id,
            params=[{"key": k, "value": v} for k, v in params.items()],
            tags=[{"key": k, "value": v} for k, v in tags.items()],
            metrics=[{"key": k, "value": v, "timestamp": 1} for k, v in metrics.items()],
        )
    post(
        api, "/runs/update", run_id=next(iter(found)), status="FINISHED", end_time=1_700_000_009_999
    )
    return found


def search(api, named, text="", **more):
    runs = (
        post(api, "/runs/search", experiment_ids=["0"], filter=text, **more).json().get("runs", [])
    )
    return "".join(named[run["info"]["run_id"]] for run in runs)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "abcde"),
        ("metrics.auc > 0.8", "ad"),
        ("metric.auc >= 0.7 and metrics.auc < 0.95", "ab"),
        ("metrics.auc != 0.9", "bcd"),  # NaN differs from every number
        ("metrics.auc = 0.9 AND params.lr = '0.1'", "a"),
        ("params.opt = 'Adam'", "a"),
        ("params.opt LIKE 'A%'", "a"),
        ("params.opt ILIKE 'A%'", "ab"),
        ("params.lr != '0.1'", "b"),
        ("params.lr IS NULL", "ce"),
        ("parameter.lr IS NOT NULL", "abd"),
        ("tags.team LIKE '%k%'", "ab"),
        ("tags.team LIKE 'r_sk'", "a"),
        ('tags."odd name" = "it\'s"', "e"),
        ("tags.`odd name` = 'it''s'", "e"),
        ("run_name = 'b'", "b"),
        ("attributes.run_name ILIKE 'B'", "b"),
        ("attr.user_id = 'user-c'", "c"),
        ("status = 'FINISHED'", "a"),
        ("attributes.status != 'FINISHED'", "bcde"),
        ("start_time >= 1700000000003", "de"),
        ("created < 1700000000001", "a"),
        ("end_time > 0", "a"),
        ("tags.`mlflow.runName` = 'd'", "d"),
        ("artifact_uri LIKE 'mlflow-artifacts:/0/%'", "abcde"),
    ],
)
def test_a_filter_finds_what_it_says(api, named, text, expected):
    assert "".join(sorted(search(api, named, text))) == expected


def test_run_ids_are_searched_in_lists(api, named):
    ids = list(named)
    text = f"attributes.run_id IN ('{ids[1]}', '{ids[3]}')"
    assert sorted(search(api, named, text)) == ["b", "d"]
    assert sorted(search(api, named, text.replace(" IN ", " NOT IN "))) == ["a", "c", "e"]


@pytest.mark.parametrize(
    "text",
    [
        "metrics.auc > 0.8 OR metrics.auc < 0.1",
        "NOT metrics.auc > 0.8",
        "(metrics.auc > 0.8)",
        "metrics.auc LIKE '0%'",
        "metrics.auc > '0.8'",
        "params.lr = 0.1",
        "params.lr > '0.1'",
        "run_name IN ('a')",
        "nothing.a = 'b'",
        "nothing = 'b'",
        "metrics.auc >",
        "metrics.auc > 0.8 and",
        "tags.team = 'risk",
        "tags.team IS 'risk'",
        "; DROP TABLE runs",
    ],
)
def test_what_is_no_filter_is_refused(api, text):
    answer = post(api, "/runs/search", experiment_ids=["0"], filter=text)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ([], "edcba"),
        (["start_time ASC"], "abcde"),
        (["metrics.auc DESC", "run_name"], "dabce"),  # NaN (c) after the numbers, none (e) last
        (["metrics.auc DESC"], "dabce"),
        (["metrics.auc", "run_name"], "badce"),
        (["metrics.auc ASC"], "badce"),
        (["params.lr DESC", "run_name ASC"], "badce"),
        (["tags.team"], "bcaed"),
        (["attributes.end_time DESC"], "aedcb"),
        (["metrics.unknown DESC", "attributes.start_time"], "abcde"),
        (["metrics.`unknown` DESC"], "edcba"),
    ],
)
def test_an_order_puts_missing_values_last(api, named, order, expected):
    assert search(api, named, order_by=order) == expected


@pytest.mark.parametrize("text", ["", "tags.team LIKE '%i%'", "params.opt != 'sgd'"])
def test_pages_of_one_run_are_the_whole(api, named, text):
    asked = {"experiment_ids": ["0"], "filter": text, "max_results": 1, "order_by": ["run_name"]}
    found, token = "", ""
    while token is not None:
        answer = post(api, "/runs/search", page_token=token, **asked).json()
        found += "".join(named[run["info"]["run_id"]] for run in answer.get("runs", []))
        token = answer.get("next_page_token")
    assert found == search(api, named, text, order_by=["run_name"])


def test_without_experiments_nothing_is_found(api, named):
    assert post(api, "/runs/search", experiment_ids=[]).json() == {}
    assert post(api, "/runs/search", experiment_ids=["77"]).json() == {}
    for size in (0, 50_001):
        answer = post(api, "/runs/search", experiment_ids=["0"], max_results=size)
        assert answer.status_code == 400
