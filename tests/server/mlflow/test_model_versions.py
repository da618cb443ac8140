"""Prompts of MLflow's newer clients: registered models with a text, and no files."""

import pytest


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
