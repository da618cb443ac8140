"""``export_pipeline``: a pipeline in the form of another engine."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

from penstock.core import ParameterError, RunRecord, require_choice
from penstock.execution import load_pipeline, project_of
from penstock.exporters._airflow import export_airflow
from penstock.exporters._argo import export_argo
from penstock.exporters._dagster import export_dagster
from penstock.exporters._exported import Exported
from penstock.exporters._github_actions import export_github_actions
from penstock.exporters._kfp import export_kfp
from penstock.exporters._kubernetes import export_kubernetes
from penstock.exporters._plan import ExportPlan, plan_export
from penstock.exporters._prefect import export_prefect
from penstock.exporters._sagemaker import export_sagemaker
from penstock.exporters._traced import trace_spec
from penstock.exporters._vertex import export_vertex
from penstock.pipelines import EntryPoint, Pipeline, PipelineSpec, require_timezone
from penstock.scheduling import require_cron

Engine = Literal[
    "airflow",
    "argo",
    "dagster",
    "github-actions",
    "kfp",
    "kubernetes",
    "prefect",
    "sagemaker",
    "vertex",
]
ENGINES: tuple[str, ...] = get_args(Engine)
_EXPORTERS: Mapping[str, Callable[[ExportPlan], Exported]] = {
    "airflow": export_airflow,
    "argo": export_argo,
    "dagster": export_dagster,
    "github-actions": export_github_actions,
    "kfp": export_kfp,
    "kubernetes": export_kubernetes,
    "prefect": export_prefect,
    "sagemaker": export_sagemaker,
    "vertex": export_vertex,
}


def export_pipeline(
    pipeline: Pipeline[..., Any] | str,
    *,
    to: Engine,
    cron: str | None = None,
    timezone: str = "UTC",
    image: str | None = None,
    params: Mapping[str, object] | None = None,
) -> Exported:
    """Return a pipeline as a file for another engine, which calls penstock for each step.

    The file's first task records a run (`penstock run --prepare`), each further task executes a step
    of that run (`penstock step`), on the store of the engine's own secrets. To parse the file needs
    no penstock.

    ```python
    exported = export_pipeline("churn.py:churn", to="airflow", cron="0 3 * * *")
    Path("dags/churn.py").write_text(exported.text)
    ```

    Args:
        pipeline: The pipeline, or an entry point ``file.py:name``.
        to: The engine.
        cron: When the engine starts it; by default when a partition by time is over, else never.
        timezone: Time zone of ``cron``.
        image: Container image with the project, for engines that run containers.
        params: Parameters that the file has as defaults; those without a default are needed to
            trace the steps.

    Raises:
        ParameterError: If the engine is unknown, a parameter is missing or cannot be used, or a
            step's name cannot be passed on.
        DefinitionError: If the pipeline's definition is wrong, or it is not in a file, or the cron
            expression or the time zone cannot be read.
    """
    require_choice("to", to, ENGINES)
    target = load_pipeline(pipeline) if isinstance(pipeline, str) else pipeline
    entry = EntryPoint.of(target, project_of(target.file))
    if entry is None:
        raise ParameterError(
            what=f"Pipeline {target.name!r} is in no file of the project.",
            why="The exported tasks load it from its file.",
            fix="Define it at the top of a FILE.py.",
        )
    spec = trace_spec(target, params or {})
    texts = {name: str(value) for name, value in (params or {}).items()}
    return _export(spec, str(entry), to, texts, cron=cron, timezone=timezone, image=image)


def export_run(
    run: RunRecord,
    *,
    to: Engine,
    cron: str | None = None,
    timezone: str = "UTC",
    image: str | None = None,
) -> Exported:
    """Return the pipeline of a run as `export_pipeline` does, from what the run has recorded.

    Args:
        run: A run of a pipeline in a file.
        to: The engine.
        cron: When the engine starts the pipeline.
        timezone: Time zone of ``cron``.
        image: Container image with the project, for engines that run containers.

    Raises:
        ParameterError: If the engine is unknown, or the run is not of a pipeline in a file.
        DefinitionError: If the cron expression or the time zone cannot be read.
    """
    require_choice("to", to, ENGINES)
    if run.pipeline is None or run.entry is None:
        raise ParameterError(
            what=f"Run {run.run_id} is not of a pipeline in a file.",
            why="The exported tasks load the pipeline from its file.",
            fix="Export a pipeline: penstock export FILE.py --to airflow",
        )
    spec = PipelineSpec.from_json(run.graph)
    return _export(spec, run.entry, to, {}, cron=cron, timezone=timezone, image=image)


def _export(
    spec: PipelineSpec,
    entry: str,
    to: str,
    defaults: Mapping[str, str],
    *,
    cron: str | None,
    timezone: str,
    image: str | None,
) -> Exported:
    require_timezone(timezone)
    if cron is not None:
        require_cron(cron, timezone)
    plan = plan_export(
        spec, entry, defaults=defaults, cron=cron, timezone=timezone, image=image or ""
    )
    return _EXPORTERS[to](plan)
