"""The names that `import penstock` promises: a change here is a change for every user."""

import inspect
import re
from pathlib import Path

import pytest

import penstock

REFERENCE = Path(__file__).parents[1] / "docs" / "reference" / "api.md"
NAMES = [
    "Retry",
    "Parts",
    "NamedParts",
    "NOTHING",
    "Again",
    "DriftReport",
    "Hooks",
    "Partitions",
    "Schedule",
    "Scheduler",
    "Schedules",
    "backfill",
    "checkpoint",
    "list_partitions",
    "EvaluationReport",
    "FileSource",
    "Limits",
    "Model",
    "ModelVersion",
    "Monitor",
    "PenstockError",
    "Pipeline",
    "PipelineResult",
    "Registry",
    "Resources",
    "RolloutRules",
    "Run",
    "Schema",
    "Snapshot",
    "Split",
    "Stage",
    "Step",
    "Store",
    "Table",
    "Tolerance",
    "Trigger",
    "__version__",
    "autolog",
    "check_drift",
    "compare",
    "current_run",
    "deploy",
    "evaluate",
    "get_run",
    "lineage",
    "load_pipeline",
    "log_artifact",
    "log_audio",
    "log_figure",
    "log_histogram",
    "log_image",
    "log_table",
    "log_text",
    "log_metric",
    "log_metrics",
    "log_param",
    "log_params",
    "new_project",
    "open_store",
    "pipeline",
    "promote",
    "run",
    "runs_frame",
    "search_experiments",
    "search_runs",
    "serve",
    "set_tags",
    "start_run",
    "step",
    "step_call",
    "steps",
    "table_transformer",
    "verify",
    "loop",
    "map",
    "prepare_run",
    "run_step",
    "when",
    "decide",
    "wait_for_approval",
    "why",
]


def test_the_public_names_are_the_written_list():
    assert sorted(penstock.__all__) == sorted(NAMES)
    assert len(set(penstock.__all__)) == len(penstock.__all__)


def test_names_outside_the_list_are_refused():
    with pytest.raises(AttributeError, match="pipelin"):
        _ = penstock.pipelin


def test_every_public_name_is_found_by_completion():
    assert set(NAMES) <= set(dir(penstock))


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_resolves_and_tells_what_it_is(name):
    value = getattr(penstock, name)
    if name != "__version__":
        text = inspect.getdoc(value)
        assert text
        assert text[0].isupper()


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_is_in_the_reference(name):
    text = REFERENCE.read_text(encoding="utf-8")
    assert re.search(rf"(?m)^::: penstock\.{name}\b|`ps\.{name}`", text)


@pytest.mark.parametrize(
    "place", re.findall(r"(?m)^::: penstock\.([\w.]+)$", REFERENCE.read_text(encoding="utf-8"))
)
def test_the_reference_tells_of_nothing_that_is_not_there(place):
    value = penstock
    for part in place.split("."):
        value = getattr(value, part)
    assert inspect.getdoc(value)
