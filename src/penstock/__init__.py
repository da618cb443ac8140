"""penstock carries a model from raw data to monitored production, and opens a gate only on proof.

```python
import penstock as ps
```

All names here load on first use, so that importing stays cheap. Further names are
``penstock.<package>.<Name>``; nothing deeper is promised.
"""

import importlib
from typing import TYPE_CHECKING, Any

from penstock.core import (
    PenstockError as PenstockError,
)
from penstock.core import (
    Stage as Stage,
)
from penstock.core import (
    lazy_exports,
)

if TYPE_CHECKING:
    from polars import DataFrame as Table

    from penstock import steps as steps
    from penstock.data import FileSource as FileSource
    from penstock.data import Schema as Schema
    from penstock.data import Snapshot as Snapshot
    from penstock.data import Split as Split
    from penstock.evaluation import EvaluationReport as EvaluationReport
    from penstock.evaluation import evaluate as evaluate
    from penstock.execution import PipelineResult as PipelineResult
    from penstock.execution import decide as decide
    from penstock.execution import list_partitions as list_partitions
    from penstock.execution import load_pipeline as load_pipeline
    from penstock.execution import prepare_run as prepare_run
    from penstock.execution import run as run
    from penstock.execution import run_step as run_step
    from penstock.execution import step_call as step_call
    from penstock.execution import why as why
    from penstock.features import table_transformer as table_transformer
    from penstock.hooks import Hooks as Hooks
    from penstock.models import Model as Model
    from penstock.monitoring import DriftReport as DriftReport
    from penstock.monitoring import Limits as Limits
    from penstock.monitoring import Monitor as Monitor
    from penstock.monitoring import Trigger as Trigger
    from penstock.monitoring import check_drift as check_drift
    from penstock.pipelines import NOTHING as NOTHING
    from penstock.pipelines import Again as Again
    from penstock.pipelines import Partitions as Partitions
    from penstock.pipelines import Pipeline as Pipeline
    from penstock.pipelines import Resources as Resources
    from penstock.pipelines import Retry as Retry
    from penstock.pipelines import Step as Step
    from penstock.pipelines import Tolerance as Tolerance
    from penstock.pipelines import loop as loop
    from penstock.pipelines import map as map  # noqa: A004 - see there
    from penstock.pipelines import pipeline as pipeline
    from penstock.pipelines import step as step
    from penstock.pipelines import wait_for_approval as wait_for_approval
    from penstock.pipelines import when as when
    from penstock.proofs import verify as verify
    from penstock.registry import ModelVersion as ModelVersion
    from penstock.registry import Registry as Registry
    from penstock.release import deploy as deploy
    from penstock.release import promote as promote
    from penstock.scaffolding import new_project as new_project
    from penstock.scheduling import Schedule as Schedule
    from penstock.scheduling import Scheduler as Scheduler
    from penstock.scheduling import Schedules as Schedules
    from penstock.scheduling import backfill as backfill
    from penstock.serving import RolloutRules as RolloutRules
    from penstock.serving import serve as serve
    from penstock.stores import NamedParts as NamedParts
    from penstock.stores import Parts as Parts
    from penstock.stores import Store as Store
    from penstock.stores import open_store as open_store
    from penstock.tracking import Run as Run
    from penstock.tracking import autolog as autolog
    from penstock.tracking import checkpoint as checkpoint
    from penstock.tracking import compare_runs as compare
    from penstock.tracking import current_run as current_run
    from penstock.tracking import get_run as get_run
    from penstock.tracking import lineage as lineage
    from penstock.tracking import log_artifact as log_artifact
    from penstock.tracking import log_audio as log_audio
    from penstock.tracking import log_figure as log_figure
    from penstock.tracking import log_histogram as log_histogram
    from penstock.tracking import log_image as log_image
    from penstock.tracking import log_metric as log_metric
    from penstock.tracking import log_metrics as log_metrics
    from penstock.tracking import log_param as log_param
    from penstock.tracking import log_params as log_params
    from penstock.tracking import log_table as log_table
    from penstock.tracking import log_text as log_text
    from penstock.tracking import runs_frame as runs_frame
    from penstock.tracking import search_experiments as search_experiments
    from penstock.tracking import search_runs as search_runs
    from penstock.tracking import set_tags as set_tags
    from penstock.tracking import start_run as start_run

__version__ = "0.1.0"

_PLACES = {
    "data": ("FileSource", "Schema", "Snapshot", "Split"),
    "evaluation": ("EvaluationReport", "evaluate"),
    "execution": (
        "PipelineResult",
        "decide",
        "list_partitions",
        "load_pipeline",
        "prepare_run",
        "run",
        "run_step",
        "step_call",
        "why",
    ),
    "features": ("table_transformer",),
    "hooks": ("Hooks",),
    "models": ("Model",),
    "monitoring": ("DriftReport", "Limits", "Monitor", "Trigger", "check_drift"),
    "pipelines": (
        "Again",
        "NOTHING",
        "Partitions",
        "Pipeline",
        "Resources",
        "Retry",
        "Step",
        "Tolerance",
        "loop",
        "map",
        "pipeline",
        "step",
        "wait_for_approval",
        "when",
    ),
    "proofs": ("verify",),
    "registry": ("ModelVersion", "Registry"),
    "release": ("deploy", "promote"),
    "scaffolding": ("new_project",),
    "scheduling": ("Schedule", "Scheduler", "Schedules", "backfill"),
    "serving": ("RolloutRules", "serve"),
    "stores": ("NamedParts", "Parts", "Store", "open_store"),
    "tracking": (
        "Run",
        "autolog",
        "checkpoint",
        "current_run",
        "get_run",
        "lineage",
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
        "runs_frame",
        "search_experiments",
        "search_runs",
        "set_tags",
        "start_run",
    ),
}
_load, _, _lazy = lazy_exports(
    __name__,
    {name: f"penstock.{package}" for package, names in _PLACES.items() for name in names},
)

__all__ = [  # noqa: PLE0604 - the lazy names are one list with the others
    "PenstockError",
    "Stage",
    "Table",
    "__version__",
    "compare",
    "steps",
    *_lazy,
]


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    match name:
        case "steps":
            return importlib.import_module("penstock.steps")
        case "Table":
            return importlib.import_module("polars").DataFrame
        case "compare":
            return importlib.import_module("penstock.tracking").compare_runs
        case _:
            return _load(name)
