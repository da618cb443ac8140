"""Evaluation datasets and scorers, as MLflow's client sends them."""

import json

import pytest

V3 = "/api/3.0/mlflow"


@pytest.fixture
def dataset_id(api):
    return made(api, "questions", experiment_ids=["0"], tags='{"team": "risk", "size": 3}')


def made(api, name, **fields):
    answer = api.post(f"{V3}/datasets/create", json={"name": name, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()["dataset"]["dataset_id"]


def put(api, dataset_id, *records):
    sent = {"records": json.dumps(records)}
    return api.post(f"{V3}/datasets/{dataset_id}/records", json=sent)


def records_of(api, dataset_id, **asked):
    answer = api.get(f"{V3}/datasets/{dataset_id}/records", params=asked).json()
    return json.loads(answer["records"]), answer.get("next_page_token")


def names(api, **asked):
    answer = api.post(f"{V3}/datasets/search", json=asked)
    assert answer.status_code == 200, answer.text
    return [each["name"] for each in answer.json().get("datasets", [])]


def test_a_dataset_has_what_it_was_made_with(api, dataset_id):
    told = api.get(f"{V3}/datasets/{dataset_id}").json()["dataset"]
    assert (told["name"], told["experiment_ids"]) == ("questions", ["0"])
    assert json.loads(told["tags"]) == {"team": "risk", "size": "3"}
    assert "profile" not in told


def test_a_record_of_the_same_input_is_merged_into_the_first(api, dataset_id):
    first = {"inputs": {"q": "why", "n": 1}, "expectations": {"a": 1}, "tags": {"x": "1"}}
    other = {"inputs": {"q": "how"}, "outputs": "so",
             "source": {"source_type": "trace", "source_data": {"trace_id": "tr-1"}}}  # fmt: skip
    assert put(api, dataset_id, first, other).json() == {"inserted_count": 2, "updated_count": 0}
    again = {"inputs": {"n": 1, "q": "why"}, "outputs": [1], "expectations": {"b": 2}}
    assert put(api, dataset_id, again).json() == {"inserted_count": 0, "updated_count": 1}
    [one, two], token = records_of(api, dataset_id)
    assert (one["inputs"], one["outputs"]) == ({"q": "why", "n": 1}, [1])
    assert (one["expectations"], one["tags"]) == ({"a": 1, "b": 2}, {"x": "1"})
    assert (two["outputs"], two["source_id"], two["source_type"]) == ("so", "tr-1", "TRACE")
    told = api.get(f"{V3}/datasets/{dataset_id}").json()["dataset"]
    assert (json.loads(told["profile"]), token) == ({"num_records": 2}, None)
    assert json.loads(told["schema"])["inputs"] == {"q": "string", "n": "integer"}


def test_records_come_in_pages_in_the_order_in_which_they_were_put(api, dataset_id):
    put(api, dataset_id, *[{"inputs": {"n": number}} for number in range(7)])
    seen, token = [], ""
    while token is not None:
        found, token = records_of(api, dataset_id, max_results=3, page_token=token)
        seen += [each["inputs"]["n"] for each in found]
    assert seen == list(range(7))


def test_records_are_deleted_by_id_and_a_dataset_with_them(api, dataset_id):
    put(api, dataset_id, {"inputs": {"n": 1}}, {"inputs": {"n": 2}})
    [one, _], _ = records_of(api, dataset_id)
    gone = {"dataset_record_ids": [one["dataset_record_id"], "dr-none"]}
    answer = api.request("DELETE", f"{V3}/datasets/{dataset_id}/records", json=gone)
    assert answer.json() == {"deleted_count": 1}
    for _ in range(2):
        assert api.delete(f"{V3}/datasets/{dataset_id}").status_code == 200
    assert api.get(f"{V3}/datasets/{dataset_id}").status_code == 404
    assert put(api, dataset_id, {"inputs": {}}).status_code == 404


@pytest.mark.parametrize(
    "records",
    ["no json", "{}", "[1]", '[{"inputs": 3}]', '[{"inputs": {}, "tags": []}]',
     '[{"inputs": {}, "source": {"source_type": "GHOST"}}]', "[" * 5000],
)  # fmt: skip
def test_records_that_are_none_are_refused_and_none_is_kept(api, dataset_id, records):
    answer = api.post(f"{V3}/datasets/{dataset_id}/records", json={"records": records})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert records_of(api, dataset_id) == ([], None)


def test_datasets_are_searched_by_experiment_tag_and_name(api, dataset_id):
    other = api.post("/api/2.0/mlflow/experiments/create", json={"name": "e"}).json()[
        "experiment_id"
    ]
    made(api, "b", experiment_ids=[other], tags='{"team": "data"}')
    made(api, "a", experiment_ids=["0", other])
    assert names(api, experiment_ids=[other], order_by=["name"]) == ["a", "b"]
    assert names(api, filter_string="tags.team = 'risk'") == ["questions"]
    assert names(api, filter_string="name LIKE 'quest%'") == ["questions"]
    assert names(api, order_by=["name DESC"], max_results=2) == ["questions", "b"]
    assert (
        api.post(f"{V3}/datasets/search", json={"filter_string": "color = 'x'"}).status_code == 400
    )


def test_a_dataset_moves_between_experiments(api, dataset_id):
    other = api.post("/api/2.0/mlflow/experiments/create", json={"name": "e"}).json()[
        "experiment_id"
    ]
    where = f"{V3}/datasets/{dataset_id}"
    for _ in range(2):
        told = api.post(f"{where}/add-experiments", json={"experiment_ids": [other]}).json()
        assert told["dataset"]["experiment_ids"] == ["0", other]
    api.post(f"{where}/remove-experiments", json={"experiment_ids": ["0", "77"]})
    assert api.get(f"{where}/experiment-ids").json() == {"experiment_ids": [other]}
    assert api.post(f"{where}/add-experiments", json={"experiment_ids": ["77"]}).status_code == 404


def test_tags_of_a_dataset_are_set_and_deleted(api, dataset_id):
    where = f"{V3}/datasets/{dataset_id}"
    api.patch(f"{where}/tags", json={"tags": '{"team": "fraud", "none": null, "a/b": "1"}'})
    for _ in range(2):
        assert api.delete(f"{where}/tags/a/b").status_code == 200
    told = api.get(where).json()["dataset"]
    assert json.loads(told["tags"]) == {"team": "fraud", "size": "3"}
    assert api.patch(f"{where}/tags", json={"tags": "[]"}).status_code == 400


def test_scorers_have_numbered_versions_and_stay_texts(api):
    def ask(method, path, **fields):
        named = {"params" if method == "GET" else "json": {"experiment_id": "0", **fields}}
        return api.request(method, f"{V3}/scorers/{path}", **named)

    for number in (1, 2):
        text = json.dumps({"call_source": "import os", "n": number})
        told = ask("POST", "register", name="exact", serialized_scorer=text).json()
        assert (told["name"], told["version"]) == ("exact", number)
    ask("POST", "register", name="other", serialized_scorer="{}")
    listed = ask("GET", "list").json()["scorers"]
    assert [(each["scorer_name"], each["scorer_version"]) for each in listed] == [
        ("exact", 2),
        ("other", 1),
    ]
    assert len({each["scorer_id"] for each in listed}) == 2
    first = ask("GET", "get", name="exact", version=1).json()["scorer"]
    assert json.loads(first["serialized_scorer"]) == {"call_source": "import os", "n": 1}
    assert ask("DELETE", "delete", name="exact", version=1).status_code == 200
    assert [
        each["scorer_version"] for each in ask("GET", "versions", name="exact").json()["scorers"]
    ] == [2]
    assert ask("DELETE", "delete", name="exact").status_code == 200
    assert ask("GET", "get", name="exact").status_code == 404
    assert ask("GET", "online-configs", scorer_ids="s").json() == {"configs": []}
