"""Kubeflow Pipelines: the IR YAML has no dangling reference, and kfp executes it with equal digests."""

from pathlib import Path

import yaml
from tests.exporters.engines import engine

RUN = Path(__file__).parent / "run_kfp.py"


def parsed(job, target="job.py:job", *words):
    pipeline, platforms = yaml.safe_load_all(job.export(target, "kfp", *words).read_text())
    return pipeline, platforms


def test_every_reference_of_the_pipeline_exists(job):
    pipeline, platforms = parsed(job)
    components, executors = pipeline["components"], pipeline["deploymentSpec"]["executors"]
    secrets = platforms["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert set(secrets) == set(executors)
    dags = [pipeline["root"]["dag"], *(c["dag"] for c in components.values() if "dag" in c)]
    used = set()
    for dag in dags:
        for name, task in dag["tasks"].items():
            component = components[task["componentRef"]["name"]]
            used.add(task["componentRef"]["name"])
            assert "dag" in component or component["executorLabel"] in executors
            assert set(task.get("dependentTasks", ())) <= set(dag["tasks"]) - {name}
            given = set(task.get("inputs", {}).get("parameters", {}))
            needed = set(component.get("inputDefinitions", {}).get("parameters", {}))
            item = task.get("parameterIterator", {}).get("itemInput")
            assert given | ({item} if item else set()) == needed
            assert task["cachingOptions"] == {}
            for value in task.get("inputs", {}).get("parameters", {}).values():
                if output := value.get("taskOutputParameter"):
                    assert output["producerTask"] in task["dependentTasks"]
    assert used == set(components)


def test_resources_retries_and_secrets_are_those_of_kubernetes(job):
    pipeline, platforms = parsed(job, "job.py:job", "--image", "registry/job:1")
    executors = pipeline["deploymentSpec"]["executors"]
    assert executors["exec-squared"]["container"]["resources"] == {
        "cpuLimit": 1.0, "resourceCpuLimit": "1",
        "memoryLimit": 0.536870912, "resourceMemoryLimit": "536870912",
    }  # fmt: skip
    assert {each["container"]["image"] for each in executors.values()} == {"registry/job:1"}
    total = pipeline["root"]["dag"]["tasks"]["total"]
    assert total["retryPolicy"] == {
        "maxRetryCount": 2, "backoffDuration": "1s", "backoffFactor": 2.0,
        "backoffMaxDuration": "30s",
    }  # fmt: skip
    assert executors["exec-total"]["container"]["command"][-1] == "--no-retries"
    assert "--no-retries" not in executors["exec-step"]["container"]["command"]
    [secret] = platforms["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-step"][
        "secretAsEnv"
    ]
    assert secret["secretName"] == "penstock"
    assert job.store not in str(pipeline)


def test_kfp_itself_executes_the_file_with_equal_digests_and_fails_where_a_step_fails(job):
    python = engine("kfp") / "python"
    file = job.export("job.py:job", "kfp", "--set", "count=4").rename(job.folder / "job.yaml")
    (job.folder / "fail-once").write_text("")
    done = job.call(python, RUN, file, job.folder / "root")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "OSError: the first attempt" in done.stdout + done.stderr, "kfp has retried"
    there = job.outcome()
    assert there["state"] == "finished"
    assert there["steps"]["shrug"][0] == "skipped"
    assert there == job.executed_here("--count", "4")
    broken = job.export("job.py:broken", "kfp").rename(job.folder / "broken.yaml")
    done = job.call(python, RUN, broken, job.folder / "root")
    assert done.returncode != 0
    assert "fails" in done.stdout + done.stderr
    assert job.outcome()["state"] == "failed"
