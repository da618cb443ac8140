"""Argo Workflows: Argo's own models accept the manifest, and every name that it refers to exists."""

import json
import re
from pathlib import Path

import pytest
import yaml
from tests.exporters.engines import engine

CHECK = Path(__file__).parent / "check_argo.py"


def exported(job, target="job.py:job", *words):
    return yaml.safe_load(job.export(target, "argo", *words).read_text())


def workflow(document):
    spec = document["spec"]
    return spec["workflowSpec"] if document["kind"] == "CronWorkflow" else spec


@pytest.mark.parametrize("words", [(), ("--cron", "0 3 * * *", "--timezone", "Europe/Zurich")])
def test_every_task_template_and_parameter_that_is_named_exists(job, words):
    spec = workflow(exported(job, "job.py:job", *words))
    templates = {each["name"]: each for each in spec["templates"]}
    assert len(templates) == len(spec["templates"])
    names = {each["name"] for each in spec["arguments"]["parameters"]}
    tasks = {each["name"]: each for each in templates[spec["entrypoint"]]["dag"]["tasks"]}
    assert {each["template"] for each in tasks.values()} | {"main"} == set(templates)
    for task in tasks.values():
        before = set(re.findall(r"[\w-]+", task.get("depends", "")))
        assert before <= set(tasks) - {task["name"]}
        given = {each["name"] for each in task.get("arguments", {}).get("parameters", ())}
        template = templates[task["template"]]
        assert given == {each["name"] for each in template.get("inputs", {}).get("parameters", ())}
        for source, output in re.findall(
            r"tasks\.([\w-]+)\.outputs\.parameters\.(\w+)", json.dumps(task)
        ):
            assert source in before
            outputs = templates[tasks[source]["template"]]["outputs"]["parameters"]
            assert output in {each["name"] for each in outputs}
    for template in templates.values():
        text = json.dumps(template)
        assert set(re.findall(r"workflow\.parameters\.(\w+)", text)) <= names
        inputs = {each["name"] for each in template.get("inputs", {}).get("parameters", ())}
        assert set(re.findall(r"{{inputs\.parameters\.(\w+)}}", text)) <= inputs


def test_retries_limits_resources_and_secrets_are_those_of_argo(job):
    document = exported(job, "job.py:job", "--cron", "0 3 * * *", "--timezone", "Europe/Zurich")
    assert document["spec"]["schedules"] == ["0 3 * * *"]
    assert document["spec"]["timezone"] == "Europe/Zurich"
    templates = {each["name"]: each for each in workflow(document)["templates"]}
    squared, total = templates["step-squared"], templates["step-total"]
    assert squared["activeDeadlineSeconds"] == 360
    limits = {"cpu": "1", "memory": "536870912"}
    assert squared["container"]["resources"] == {"requests": limits, "limits": limits}
    assert total["retryStrategy"] == {
        "limit": "2", "retryPolicy": "Always",
        "backoff": {"duration": "1s", "factor": "2", "cap": "30s"},
    }  # fmt: skip
    assert total["container"]["command"][-1] == "--no-retries"
    assert all(
        each["container"]["envFrom"] == [{"secretRef": {"name": "penstock", "optional": True}}]
        for each in templates.values()
        if "container" in each
    )


def test_argos_own_models_accept_the_manifest_and_no_key_is_unknown(job):
    python = engine("checkers") / "python"
    files = [
        job.export("job.py:job", "argo"),
        job.export("job.py:daily", "argo", "--set", "rate=0.25"),
    ]
    texts = [job.folder / f"{number}.json" for number, _ in enumerate(files)]
    for file, text in zip(files, texts, strict=True):
        text.write_text(json.dumps(yaml.safe_load(file.read_text())))
    done = job.call(python, CHECK, *texts)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split() == ["Workflow", "CronWorkflow"]
    broken = json.loads(texts[0].read_text())
    broken["spec"]["templates"][1]["container"]["imag"] = "x"
    texts[0].write_text(json.dumps(broken))
    assert job.call(python, CHECK, texts[0]).returncode != 0
