"""GitHub Actions: the workflow is valid, and its scripts give the digests of `penstock run`.

There is no runner of GitHub to run here. `Workflow` executes the jobs in their order with bash, as
its documentation says, and knows the expressions that the exporter writes; any other fails.
"""

import json
import re
import subprocess

import pytest
import yaml
from tests.exporters.engines import engine


class Workflow:
    """Executes a workflow's jobs one after the other."""

    def __init__(self, job, text, secrets):
        self.job, self.document = job, yaml.safe_load(text)
        self.secrets, self.inputs = secrets, {}
        self.results, self.outputs = {}, {}

    def run(self):
        jobs = self.document["jobs"]
        while waiting := [name for name in jobs if name not in self.results]:
            name = next(n for n in waiting if set(jobs[n].get("needs", ())) <= set(self.results))
            self.results[name] = self.execute(name, jobs[name])
        return "failure" if "failure" in self.results.values() else "success"

    def execute(self, name, body):
        needs = body.get("needs", [])
        if any(self.results[need] == "failure" for need in needs) or self.blocked(name):
            return "skipped"
        if "if" not in body:
            assert all(self.results[need] == "success" for need in needs)
        elif (other := re.search(r"&& (needs\S+) != '(.*)' }}", body["if"])) and (
            self.value(other[1], {}) == other[2]
        ):
            return "skipped"
        items: list[dict] = [{}]
        if "strategy" in body:
            [listed] = re.findall(r"fromJSON\((.*)\)", body["strategy"]["matrix"]["item"])
            items = [{"matrix.item": item} for item in json.loads(self.value(listed, {}))]
            assert items, "GitHub refuses an empty matrix"
        ended = [self.steps(name, body, item) for item in items]  # all: no item stops the others
        return "success" if all(ended) else "failure"

    def blocked(self, name):
        """Return whether a job that it needs, directly or not, has failed: `failure()`."""
        jobs, ahead, seen = self.document["jobs"], [name], set()
        while ahead:
            for need in jobs[ahead.pop()].get("needs", []):
                if need not in seen:
                    seen.add(need)
                    ahead.append(need)
        return any(self.results[each] == "failure" for each in seen)

    def steps(self, name, body, names):
        names = dict(names)
        env = self.environment(self.document["env"], names) | self.environment(
            body.get("env", {}), names
        )
        for step in body["steps"]:
            if "run" not in step or "pip install" in step["run"]:
                continue
            file = self.job.folder / "output"
            file.write_text("")
            variables = {**env, **self.environment(step.get("env", {}), names)}
            done = subprocess.run(
                ["bash", "-e", "-c", step["run"]],
                cwd=self.job.folder,
                env={**self.job.env, **variables, "GITHUB_OUTPUT": str(file)},
                check=False,
            )
            if done.returncode:
                return False
            for line in file.read_text().splitlines():
                key, _, value = line.partition("=")
                names[f"steps.{step['id']}.outputs.{key}"] = value
        for key, expression in body.get("outputs", {}).items():
            self.outputs[f"needs.{name}.outputs.{key}"] = self.text(expression, names)
        return True

    def environment(self, env, names):
        return {key: self.text(value, names) for key, value in env.items()}

    def text(self, text, names):
        return re.sub(r"\$\{\{ (.*?) \}\}", lambda found: self.value(found[1], names), text)

    def value(self, expression, names):
        if found := re.fullmatch(r"inputs\.(\w+) \|\| '(.*)'", expression):
            return self.inputs.get(found[1]) or found[2]
        if found := re.fullmatch(r"secrets\.(\w+)", expression):
            return self.secrets.get(found[1], "")
        return {**names, **self.outputs}[expression]


def exported(job, target="job.py:job", *words):
    return job.export(target, "github-actions", *words).read_text()


@pytest.fixture
def workflow(job):
    def make(target="job.py:job", *words):
        secrets = {"PENSTOCK_STORE": job.env.pop("PENSTOCK_STORE", job.store)}
        return Workflow(job, exported(job, target, *words), secrets)

    job.env.pop("PENSTOCK_ARTIFACTS", None)
    return make


def test_every_job_and_output_that_is_named_exists(job):
    document = yaml.safe_load(exported(job))
    jobs = document["jobs"]
    for body in jobs.values():
        assert set(body.get("needs", ())) <= set(jobs)
        for need, output in re.findall(r"needs\.([\w-]+)\.outputs\.(\w+)", json.dumps(body)):
            assert need in body["needs"]
            assert output in jobs[need]["outputs"]
        ids = {step["id"] for step in body["steps"] if "id" in step}
        assert set(re.findall(r"steps\.(\w+)\.", json.dumps(body))) <= ids


def test_schedules_parameters_and_secrets_are_those_of_github(job):
    text = exported(job, "job.py:daily")
    document = yaml.safe_load(text)
    assert document["on"]["schedule"] == [{"cron": "0 0 * * *"}]
    assert set(document["on"]["workflow_dispatch"]["inputs"]) == {"rate", "partition"}
    assert document["env"]["PENSTOCK_TOKEN"] == "${{ secrets.PENSTOCK_TOKEN }}"
    assert job.store not in text
    assert "GitHub Actions has no data interval" in text.replace("\n# ", " ")


def test_the_scripts_give_the_digests_of_a_run(job, workflow):
    made = workflow("job.py:job", "--set", "count=4")
    assert made.run() == "success"
    assert "success" in made.results["squared-item"]
    job.env["PENSTOCK_STORE"] = job.store
    there = job.outcome()
    assert there["state"] == "finished"
    assert there == job.executed_here("--count", "4")


def test_a_failing_step_fails_the_workflow(job, workflow):
    made = workflow("job.py:broken")
    assert made.run() == "failure"
    assert made.results == {"prepare": "success", "fails": "failure", "never": "skipped"}


def test_a_pipeline_with_other_steps_is_refused(job, workflow):
    made = workflow("job.py:broken")
    file = job.folder / "job.py"
    file.write_text(file.read_text().replace("never(fails(1))", "fails(1)"))
    assert made.run() == "failure"
    assert made.results["prepare"] == "failure"


def test_githubs_own_schema_accepts_the_workflow(job):
    command = engine("checkers") / "check-jsonschema"
    schema = ("--builtin-schema", "vendor.github-workflows", "--default-filetype", "yaml")
    for target in ("job.py:job", "job.py:daily"):
        file = job.export(target, "github-actions")
        done = job.call(command, *schema, file)
        assert done.returncode == 0, done.stdout + done.stderr
