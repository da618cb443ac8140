"""penstock carries a model from raw data to monitored production, and opens a gate only on proof.

```python
import penstock as ps
```

The names here are those of a pipeline file, a training script and a notebook. All further names are
``penstock.<package>.<Name>``, for example ``ps.monitoring.Limits``; nothing deeper is promised. Some of them may
be written without the package: ``ps.SqlSource`` is ``ps.data.SqlSource``.
Names and packages load on first use, so that importing stays cheap.
"""

import importlib
from typing import TYPE_CHECKING, Any

from penstock.core import (
    PenstockError as PenstockError,
)
from penstock.core import (
    lazy_exports,
)

if TYPE_CHECKING:
    from polars import DataFrame as Table

    from penstock import checkpoints as checkpoints
    from penstock import core as core
    from penstock import data as data
    from penstock import distributed as distributed
    from penstock import evaluation as evaluation
    from penstock import execution as execution
    from penstock import exporters as exporters
    from penstock import features as features
    from penstock import hooks as hooks
    from penstock import importers as importers
    from penstock import lineage as lineage
    from penstock import models as models
    from penstock import monitoring as monitoring
    from penstock import notebooks as notebooks
    from penstock import people as people
    from penstock import pipelines as pipelines
    from penstock import proofs as proofs
    from penstock import registry as registry
    from penstock import release as release
    from penstock import scaffolding as scaffolding
    from penstock import scheduling as scheduling
    from penstock import serving as serving
    from penstock import steps as steps
    from penstock import stores as stores
    from penstock import tracking as tracking
    from penstock import tuning as tuning
    from penstock.core import Stage as Stage
    from penstock.data import DeltaSource as DeltaSource
    from penstock.data import Expectations as Expectations
    from penstock.data import FileSource as FileSource
    from penstock.data import IcebergSource as IcebergSource
    from penstock.data import IncrementalSource as IncrementalSource
    from penstock.data import KafkaSource as KafkaSource
    from penstock.data import Schema as Schema
    from penstock.data import Snapshot as Snapshot
    from penstock.data import Split as Split
    from penstock.data import SqlSource as SqlSource
    from penstock.evaluation import EvaluationReport as EvaluationReport
    from penstock.evaluation import evaluate as evaluate
    from penstock.execution import PipelineResult as PipelineResult
    from penstock.execution import approve_step as approve_step
    from penstock.execution import list_partitions as list_partitions
    from penstock.execution import load_pipeline as load_pipeline
    from penstock.execution import reject_step as reject_step
    from penstock.execution import run as run
    from penstock.execution import run_step as run_step
    from penstock.execution import why as why
    from penstock.features import Entity as Entity
    from penstock.features import FeatureStore as FeatureStore
    from penstock.features import FeatureView as FeatureView
    from penstock.features import table_transformer as table_transformer
    from penstock.lineage import get_lineage as get_lineage
    from penstock.models import Model as Model
    from penstock.models import UnsafeModel as UnsafeModel
    from penstock.monitoring import DriftReport as DriftReport
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
    from penstock.scheduling import backfill as backfill
    from penstock.serving import RolloutRules as RolloutRules
    from penstock.serving import predict as predict
    from penstock.serving import serve as serve
    from penstock.stores import NamedParts as NamedParts
    from penstock.stores import Parts as Parts
    from penstock.stores import Store as Store
    from penstock.stores import open_store as open_store
    from penstock.tracking import Run as Run
    from penstock.tracking import active_run as active_run
    from penstock.tracking import autolog as autolog
    from penstock.tracking import checkpoint as checkpoint
    from penstock.tracking import compare_runs as compare
    from penstock.tracking import end_run as end_run
    from penstock.tracking import get_run as get_run
    from penstock.tracking import log_artifact as log_artifact
    from penstock.tracking import log_audio as log_audio
    from penstock.tracking import log_dict as log_dict
    from penstock.tracking import log_figure as log_figure
    from penstock.tracking import log_histogram as log_histogram
    from penstock.tracking import log_image as log_image
    from penstock.tracking import log_metric as log_metric
    from penstock.tracking import log_metrics as log_metrics
    from penstock.tracking import log_model as log_model
    from penstock.tracking import log_param as log_param
    from penstock.tracking import log_params as log_params
    from penstock.tracking import log_table as log_table
    from penstock.tracking import log_text as log_text
    from penstock.tracking import search_experiments as search_experiments
    from penstock.tracking import search_runs as search_runs
    from penstock.tracking import set_tag as set_tag
    from penstock.tracking import set_tags as set_tags
    from penstock.tracking import start_run as start_run
    from penstock.tuning import tune as tune

__version__ = "0.1.0"

_NAMES = {
    "data": (
        "Expectations",
        "FileSource",
        "Snapshot",
        "Split",
    ),
    "evaluation": ("EvaluationReport", "evaluate"),
    "execution": ("approve_step", "reject_step", "run", "why"),
    "features": ("table_transformer",),
    "models": ("Model",),
    "monitoring": ("Monitor", "check_drift"),
    "pipelines": (
        "Again",
        "Partitions",
        "Resources",
        "Retry",
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
    "scheduling": ("Schedule",),
    "serving": ("predict", "serve"),
    "stores": ("open_store",),
    "tracking": (
        "Run",
        "active_run",
        "autolog",
        "checkpoint",
        "end_run",
        "get_run",
        "log_artifact",
        "log_dict",
        "log_figure",
        "log_image",
        "log_metric",
        "log_metrics",
        "log_model",
        "log_param",
        "log_params",
        "log_table",
        "log_text",
        "search_runs",
        "set_tag",
        "set_tags",
        "start_run",
    ),
    "tuning": ("tune",),
}
_SHORT = {
    "DeltaSource": "data",
    "DriftReport": "monitoring",
    "Entity": "features",
    "FeatureStore": "features",
    "FeatureView": "features",
    "IcebergSource": "data",
    "IncrementalSource": "data",
    "KafkaSource": "data",
    "NOTHING": "pipelines",
    "NamedParts": "stores",
    "Parts": "stores",
    "Pipeline": "pipelines",
    "PipelineResult": "execution",
    "RolloutRules": "serving",
    "Scheduler": "scheduling",
    "Schema": "data",
    "SqlSource": "data",
    "Stage": "core",
    "Step": "pipelines",
    "Store": "stores",
    "Tolerance": "pipelines",
    "Trigger": "monitoring",
    "UnsafeModel": "models",
    "backfill": "scheduling",
    "get_lineage": "lineage",
    "list_partitions": "execution",
    "load_pipeline": "execution",
    "log_audio": "tracking",
    "log_histogram": "tracking",
    "new_project": "scaffolding",
    "run_step": "execution",
    "search_experiments": "tracking",
}
"""Names that may be written without their package, as in ``ps.SqlSource``; the list of sixty is `__all__`."""
_PACKAGES = frozenset(
    {
        "checkpoints",
        "core",
        "data",
        "distributed",
        "evaluation",
        "execution",
        "exporters",
        "features",
        "hooks",
        "importers",
        "lineage",
        "models",
        "monitoring",
        "notebooks",
        "people",
        "pipelines",
        "proofs",
        "registry",
        "release",
        "scaffolding",
        "scheduling",
        "serving",
        "stores",
        "tracking",
        "steps",
        "tuning",
    }
)
_load, _, _lazy = lazy_exports(
    __name__,
    {name: f"penstock.{package}" for package, names in _NAMES.items() for name in names},
)

__all__ = [  # noqa: PLE0604 - the lazy names are one list with the others
    "PenstockError",
    "Table",
    "__version__",
    "compare",
    "steps",
    *_lazy,
]


def load_ipython_extension(shell: Any) -> None:  # Any: IPython's shell, which is optional
    """Load the notebook extension: ``%load_ext penstock``."""
    importlib.import_module("penstock.notebooks").load_extension(shell)


def unload_ipython_extension(shell: Any) -> None:  # Any: IPython's shell, which is optional
    """Unload the notebook extension: ``%unload_ext penstock``."""
    importlib.import_module("penstock.notebooks").unload_extension(shell)


def __dir__() -> list[str]:
    return sorted({*__all__, *_PACKAGES})


def __getattr__(name: str) -> Any:  # Any: a module or any of the names above
    if name in _PACKAGES:
        return importlib.import_module(f"penstock.{name}")
    match name:
        case "Table":
            return importlib.import_module("polars").DataFrame
        case "compare":
            return importlib.import_module("penstock.tracking").compare_runs
        case _ if name in _SHORT:
            return getattr(importlib.import_module(f"penstock.{_SHORT[name]}"), name)
        case _:
            return _load(name)
