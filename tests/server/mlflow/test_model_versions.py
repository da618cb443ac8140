"""Versions: prompts, which have a text and no files; folders without a pickle, which are served."""

import time

import pytest
from litestar.testing import TestClient

from penstock.core import ConflictError, GateError, ParameterError, SerializationError
from penstock.models import Model
from penstock.registry import Registry
from penstock.serving import create_app, deploy, served_names
from penstock.stores import open_store


def test_prompts_are_registered_read_changed_and_deleted_by_the_real_client(client, server):
    found = client(
        """
import mlflow.genai
first = mlflow.genai.register_prompt("greeting", "Hello {{name}}.", commit_message="one",
                                     tags={"tone": "warm"})
second = mlflow.genai.register_prompt("greeting", [{"role": "user", "content": "Hi {{name}}!"}])
mlflow.genai.set_prompt_alias("greeting", "best", 1)
by_alias = mlflow.genai.load_prompt("prompts:/greeting@best")
latest = mlflow.genai.load_prompt("prompts:/greeting@latest")
names = [each.name for each in mlflow.genai.search_prompts("name = 'greeting'")]
models = [each.name for each in client.search_registered_models()]
mlflow.genai.delete_prompt_alias("greeting", "best")
client.delete_prompt_version("greeting", "1")
gone = mlflow.genai.load_prompt("greeting", version=1, allow_missing=True)
result = [first.version, second.version, by_alias.format(name="Ada"), by_alias.tags["tone"],
          by_alias.commit_message, latest.format(name="Ada"), names, "greeting" in models, gone]
"""
    )
    assert found == [
        1,
        2,
        "Hello Ada.",
        "warm",
        "one",
        [{"role": "user", "content": "Hi Ada!"}],
        ["greeting"],
        False,
        None,
    ]


@pytest.mark.parametrize(
    ("source", "text", "told"),
    [
        ("/etc/passwd", "Hello", "Invalid prompt source: '/etc/passwd'"),
        ("dummy-source", "x" * 100_001, "Prompt text exceeds max length of 100000 characters."),
    ],
)
def test_a_prompt_that_names_files_or_is_too_long_is_refused(api, source, text, told):
    is_prompt = {"key": "mlflow.prompt.is_prompt", "value": "true"}
    root = "/api/2.0/mlflow"
    api.post(f"{root}/registered-models/create", json={"name": "p", "tags": [is_prompt]})
    tags = [is_prompt, {"key": "mlflow.prompt.text", "value": text}]
    answer = api.post(
        f"{root}/model-versions/create", json={"name": "p", "source": source, "tags": tags}
    )
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert answer.json()["message"].startswith(told)


@pytest.fixture
def named(api):
    """A model with one version, whose run is not known here."""
    root = "/api/2.0/mlflow"
    api.post(f"{root}/registered-models/create", json={"name": "m"})
    version = {"name": "m", "source": "runs:/r1/model", "run_id": "r1"}
    assert api.post(f"{root}/model-versions/create", json=version).status_code == 200
    return root


def test_a_version_says_that_it_has_no_description(api, named):
    found = api.get(f"{named}/model-versions/get", params={"name": "m", "version": "1"}).json()
    assert found["model_version"]["description"] == ""


@pytest.mark.parametrize("version", ["one", "1.0", " 1", "-1"])
def test_a_version_that_is_no_number_is_refused_by_name(api, named, version):
    answer = api.get(f"{named}/model-versions/get", params={"name": "m", "version": version})
    assert answer.status_code == 400
    told = f"Parameter 'version' must be an integer, got '{version}'."
    assert answer.json()["message"] == told


def test_a_version_is_read_from_the_source_that_it_was_registered_with(api, named):
    where = f"{named}/model-versions/get-download-uri"
    answer = api.get(where, params={"name": "m", "version": "1"})
    assert answer.json() == {"artifact_uri": "runs:/r1/model"}


def test_a_copied_version_is_read_where_the_first_is_and_has_its_files(api, named):
    root = "/api/2.0/mlflow-artifacts/artifacts"
    made = api.post(f"{named}/logged-models", json={"experiment_id": "0", "name": "x"}).json()
    model_id = made["model"]["info"]["model_id"]
    uri = made["model"]["info"]["artifact_uri"]
    api.put(f"{root}/{uri.removeprefix('mlflow-artifacts:/')}/MLmodel", content=b"flavors: {}")
    for source in (f"models:/{model_id}", "models:/m/2", "models:/m/3"):
        version = {"name": "m", "source": source}
        assert api.post(f"{named}/model-versions/create", json=version).status_code == 200
        number = api.get(f"{named}/registered-models/get", params={"name": "m"}).json()
        last = number["registered_model"]["latest_versions"][-1]["version"]
        chosen = {"name": "m", "version": last}
        assert api.get(f"{named}/model-versions/get-download-uri", params=chosen).json() == {
            "artifact_uri": uri
        }
        held = api.get("/model-versions/get-artifact", params={**chosen, "path": "MLmodel"})
        assert held.content == b"flavors: {}"
    assert last == "4"


@pytest.mark.parametrize(
    ("source", "status"), [("models:/m/9", 404), ("models:/n/1", 404), ("models:/m/best", 400)]
)
def test_a_copy_of_no_version_is_refused(api, named, source, status):
    answer = api.post(f"{named}/model-versions/create", json={"name": "m", "source": source})
    assert answer.status_code == status


def test_a_model_has_changed_when_a_version_moved_and_not_when_it_was_described(api, named):
    def changed() -> int:
        found = api.get(f"{named}/registered-models/get", params={"name": "m"}).json()
        return found["registered_model"]["last_updated_timestamp"]

    first, chosen = changed(), {"name": "m", "version": "1"}
    time.sleep(0.005)
    api.patch(f"{named}/model-versions/update", json={**chosen, "description": "words"})
    api.post(f"{named}/model-versions/set-tag", json={**chosen, "key": "k", "value": "v"})
    api.post(f"{named}/registered-models/set-tag", json={"name": "m", "key": "k", "value": "v"})
    assert changed() == first
    api.post(f"{named}/model-versions/transition-stage", json={**chosen, "stage": "Staging"})
    assert changed() > first


def test_a_number_below_zero_is_an_experiment_that_does_not_exist(api):
    answer = api.get("/api/2.0/mlflow/experiments/get", params={"experiment_id": "-1337"})
    assert (answer.status_code, answer.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_a_place_of_artifacts_that_is_no_text_is_refused(api):
    sent = {"name": "e", "artifact_location": 9.0}
    answer = api.post("/api/2.0/mlflow/experiments/create", json=sent)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(
        "Invalid value 9.0 for parameter 'artifact_location'"
    )


_LOG = """
import numpy as np, pandas as pd, xgboost, lightgbm
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression
rng = np.random.default_rng(5)
X = pd.DataFrame({"age": rng.normal(50, 9, 120), "income": rng.normal(3, 1, 120)})
y = (X.age + 9 * X.income > 77).astype(int).to_numpy()
signed = {"signature": infer_signature(X, y), "pip_requirements": ["pandas"]}
def boosted(kind, **options):
    return kind(n_estimators=8, **options).fit(X, y)
logged = {
    "skops": lambda **o: mlflow.sklearn.log_model(
        LogisticRegression().fit(X, y), serialization_format="skops", **o),
    "xgboost": lambda **o: mlflow.xgboost.log_model(boosted(xgboost.XGBClassifier), **o),
    "lightgbm": lambda **o: mlflow.lightgbm.log_model(
        boosted(lightgbm.LGBMClassifier, verbose=-1).booster_, **o),
    "pickle": lambda **o: mlflow.sklearn.log_model(
        LogisticRegression().fit(X, y), serialization_format="cloudpickle", **o),
}
rows = X.head(5)
result = {"rows": rows.to_dict("records"), "predictions": {}}
with mlflow.start_run():
    for name, log in logged.items():
        info = log(name="model", registered_model_name=name, **signed)
        # A champion is asked for its gates; these have none.
        client.set_registered_model_alias(name, "champion", "1")
        values = mlflow.pyfunc.load_model(f"models:/{name}/1").predict(rows)
        result["predictions"][name] = np.asarray(values).tolist()
        result["uri"] = f"models:/{info.model_id}"
"""
NATIVE = ("skops", "xgboost", "lightgbm")


@pytest.fixture
def logged(own_server, new_client):
    found = new_client(own_server.url)(_LOG)
    with open_store(own_server.store) as store:
        yield store, found


@pytest.mark.slow
def test_what_the_real_client_logged_is_served_checked_and_traced(logged):
    store, found = logged
    registry = Registry(store=store)
    names = [f"models:/{name}@champion" for name in NATIVE]
    with TestClient(create_app(names=names, store=store)) as server:
        for name in NATIVE:
            answers = server.post(f"/models/{name}/predict", json={"rows": found["rows"]})
            assert answers.status_code == 200, answers.text
            told = [each["prediction"] for each in answers.json()["predictions"]]
            expected = found["predictions"][name]
            if name == "lightgbm":  # a booster's answer there is the probability
                expected = [int(share > 0.5) for share in expected]
            assert told == expected
            bad = server.post(f"/models/{name}/predict", json={"age": "old", "income": 1.0})
            assert (bad.status_code, "age" in bad.text) == (400, True)
            version = registry.get(name, "champion")
            assert version.signature["classes"] == [0, 1]
            assert [each["name"] for each in version.signature["inputs"]] == ["age", "income"]
    for name in NATIVE:  # the server has written its log at the end
        logged_rows = store.metadata.predictions.list(name)
        assert [each.version for each in logged_rows] == [1] * len(found["rows"])
    # Neither is a further copy of the files there, nor a version that MLflow does not know.
    assert len(store.metadata.models.list_versions("xgboost")) == 1

    with pytest.raises(SerializationError, match="holds its model as cloudpickle") as refused:
        deploy("pickle", store=store)
    assert "UnsafeModel" in refused.value.fix
    with pytest.raises(SerializationError, match="cloudpickle"):
        Model.load(registry.get("pickle", 1), store=store)
    with pytest.raises(ParameterError, match="names a logged model"):
        served_names([found["uri"]], store=store)


@pytest.mark.slow
def test_a_version_that_would_break_callers_is_refused_as_any_other(own_server, new_client):
    client = new_client(own_server.url)
    client(_LOG.replace("in logged.items()", "in [*logged.items()][:1]"))
    client(
        _LOG.partition("logged =")[0]
        + """
wide = X.assign(zip=1.0)
with mlflow.start_run():
    mlflow.sklearn.log_model(
        LogisticRegression().fit(wide, y), name="model", registered_model_name="skops",
        serialization_format="skops", pip_requirements=["pandas"],
        signature=infer_signature(wide, y))
"""
    )
    with open_store(own_server.store) as store:
        with pytest.raises(ConflictError, match="skops@2 is in none, and no traffic goes to it"):
            served_names(["models:/skops/2"], store=store)
        with pytest.raises(GateError, match="'zip' is new and required"):
            deploy("skops", version=2, store=store)
        record = deploy("skops", version=2, canary=(50, 100), accept_changes="known", store=store)
        assert served_names(["models:/skops/2"], store=store) == ["skops"]
        assert record.weights == {1: 0.5, 2: 0.5}
