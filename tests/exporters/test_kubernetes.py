"""Kubernetes: the manifest is valid by Kubernetes' schemas, and its script gives the digests of a run."""

import json
import subprocess
from pathlib import Path

import yaml
from tests.exporters.engines import engine

CHECK = Path(__file__).parent / "check_kubernetes.py"


def exported(job, target="job.py:job", *words):
    return yaml.safe_load(job.export(target, "kubernetes", *words).read_text())


def executed(job, document, **given):
    """Execute the container's command as Kubernetes does; returns its exit code."""
    [container] = document["spec"]["template"]["spec"]["containers"]
    env = {each["name"]: each["value"] for each in container["env"]} | given
    command = container["command"]
    done = subprocess.run(command, cwd=job.folder, env={**job.env, **env}, check=False)
    return done.returncode


def test_schedules_resources_and_secrets_are_those_of_kubernetes(job):
    zone = ("--cron", "0 3 * * *", "--timezone", "Europe/Zurich", "--image", "r/job:1")
    document = exported(job, "job.py:job", *zone)
    assert document["kind"] == "CronJob"
    assert document["spec"]["schedule"] == "0 3 * * *"
    assert document["spec"]["timeZone"] == "Europe/Zurich"
    job_spec = document["spec"]["jobTemplate"]["spec"]
    [container] = job_spec["template"]["spec"]["containers"]
    limits = {"cpu": "1", "memory": "536870912"}
    assert container["resources"] == {"requests": limits, "limits": limits}
    assert container["image"] == "r/job:1"
    assert container["envFrom"] == [{"secretRef": {"name": "penstock", "optional": True}}]
    assert job_spec["podFailurePolicy"]["rules"] == [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    ]


def test_the_script_gives_the_digests_of_a_run_and_fails_with_it(job):
    assert executed(job, exported(job), PARAMETER_COUNT="4") == 0
    there = job.outcome()
    assert there["state"] == "finished"
    assert there == job.executed_here("--count", "4")
    (job.folder / "bad.py").write_text(
        "import penstock as ps\n\n@ps.step\ndef one(a: int) -> int:\n    raise ValueError(a)\n\n"
        "@ps.pipeline\ndef bad(a: int = 1):\n    one(a)\n"
    )
    assert executed(job, exported(job, "bad.py:bad")) != 0


def test_kubernetes_own_schemas_accept_the_manifests_and_no_key_is_unknown(job):
    python = engine("manifests") / "python"
    files = [job.export("job.py:job", "kubernetes"), job.export("job.py:daily", "kubernetes")]
    done = job.call(python, CHECK, *files)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split() == ["Job", "CronJob"]
    broken = yaml.safe_load(files[0].read_text())
    broken["spec"]["template"]["spec"]["containers"][0]["imag"] = "x"
    files[0].write_text(json.dumps(broken))
    assert job.call(python, CHECK, files[0]).returncode != 0
