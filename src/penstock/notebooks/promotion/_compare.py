"""A promoted pipeline against its golden digests, and against a fresh execution of the notebook."""

import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.core import PenstockError
from penstock.notebooks._run import require_runnable
from penstock.notebooks.promotion._plan import GENERATORS, Plan, PlannedStep
from penstock.notebooks.promotion._recording import Recording, record_notebook

Digests = dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class PromotionDifference:
    """An output of a promoted pipeline that is not the notebook's value.

    Args:
        step: Name of the step.
        output: Name of the output; empty if the step failed.
        expected: Digest of the notebook's value; None without a value.
        found: Digest of the pipeline's output, or the step's error; None without an output.
    """

    step: str
    output: str
    expected: str | None
    found: str | None


class PipelineFailedError(PenstockError):
    """A promoted pipeline that did not run; ``step`` failed with ``error``."""


def compare_with_golden(plan: str | Path) -> list[PromotionDifference]:
    """Run a promoted pipeline and compare the outputs with the digests of its promotion.

    Args:
        plan: The ``plan.toml`` beside the pipeline.

    Returns:
        The outputs that differ; empty if all are equal.

    Raises:
        PenstockError: If the pipeline does not run.
    """
    plan = Path(plan)
    golden = json.loads((plan.parent / "golden.json").read_text(encoding="utf-8"))
    return list(differences(golden["outputs"], run_promoted(plan.parent, _read(plan))))


def compare_with_notebook(plan: str | Path) -> list[PromotionDifference]:
    """Run a promoted pipeline and the notebook, fresh and from top to bottom, and compare every value.

    Args:
        plan: The ``plan.toml`` beside the pipeline.

    Returns:
        The outputs that are not the notebook's values; empty if all are equal.

    Raises:
        PenstockError: If the pipeline or the notebook does not run.
    """
    plan = Path(plan)
    read = _read(plan)
    recording = record_notebook(require_runnable(plan.parent / read.notebook))
    failed = recording.failed
    if failed is not None:
        raise PenstockError(
            what=f"Cell {failed.cell} of {read.notebook} failed: {failed.run.error}.",
            why="Its values cannot be compared.",
        )
    return list(differences(expected_digests(read, recording), run_promoted(plan.parent, read)))


def expected_digests(plan: Plan, recording: Recording) -> Digests:
    """Return the digests of the notebook's values at the end of each step."""
    digests: Digests = {}
    for step in plan.steps:
        values = recording.after(step.cells[-1])
        digests[step.name] = {name: values.get(name, {}).get("digest", "") for name in step.outputs}
    return digests


def run_promoted(folder: Path, plan: Plan) -> Digests:
    """Run a promoted pipeline in a separate process, in the notebook's folder.

    Returns:
        Digests by step and output.

    Raises:
        PipelineFailedError: If a step failed.
    """
    file = (folder / f"{plan.pipeline}.py").resolve()
    place = (folder / plan.notebook).resolve().parent
    with tempfile.TemporaryDirectory(prefix="penstock-") as store:
        variables = {
            **os.environ,
            "PYTHONHASHSEED": "0",  # as the kernel has
            "MPLBACKEND": "agg",
            "PENSTOCK_STORE": f"sqlite:///{store}/penstock.db",
            "PENSTOCK_ARTIFACTS": f"{store}/artifacts",
        }
        command = [sys.executable, "-m", "penstock.cli", "run", str(file), "--json", "--no-cache"]
        done = subprocess.run(  # noqa: S603 - our own command
            command, cwd=place, env=variables, capture_output=True, text=True, check=False
        )
    return _digests(done, plan)


def differences(expected: Digests, actual: Digests) -> Iterable[PromotionDifference]:
    """Yield the outputs that differ, in the order of the steps."""
    for step, outputs in expected.items():
        for name, digest in outputs.items():
            other = actual.get(step, {}).get(name)
            if other != digest:
                yield PromotionDifference(step, name, digest, other)


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of Python and of installed packages."""
    versions = {"python": ".".join(map(str, sys.version_info[:3]))}
    for package in sorted(packages):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _digests(done: "subprocess.CompletedProcess[str]", plan: Plan) -> Digests:
    try:
        document: Mapping[str, Any] = json.loads(done.stdout)
    except json.JSONDecodeError:
        document = {"error": done.stderr[-2000:]}
    if "steps" not in document or document.get("state") != "finished":
        raise _failed(document, done.stderr)
    return {each["name"]: _named(each, plan) for each in document["steps"]}


def _named(record: Mapping[str, Any], plan: Plan) -> dict[str, str]:
    """Return an outputs' digests by the notebook's names: a single output is called ``result``."""
    outputs: dict[str, str] = dict(record["outputs"])
    step = next(each for each in plan.steps if each.name == record["name"])
    if list(outputs) == ["result"]:
        return dict.fromkeys(list(step.outputs)[:1], outputs["result"])
    return {name: digest for name, digest in outputs.items() if name != GENERATORS}


def _failed(document: Mapping[str, Any], stderr: str) -> PipelineFailedError:
    steps = document.get("steps", ())
    failed = (each for each in steps if each.get("state") == "failed")
    step: Mapping[str, Any] = next(failed, {})
    error = step.get("error") or document.get("error") or stderr[-500:]
    text = error.get("what", "") if isinstance(error, Mapping) else str(error)
    return PipelineFailedError(
        what=f"The promoted pipeline failed{' in step ' + step['name'] if step else ''}: {text}",
        step=step.get("name"),
        error=text,
    )


def _read(path: Path) -> Plan:
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    steps = tuple(
        PlannedStep(
            each["name"],
            tuple(each["cells"]),
            tuple(each["inputs"]),
            dict.fromkeys(each["outputs"], ""),
        )
        for each in document["steps"]
    )
    return Plan(document["notebook"], document["pipeline"], steps)
