"""The page of a pipeline in the form of an orchestrator: to look at, and to copy into a file."""

import shlex
from typing import Any

from penstock.core import PenstockError
from penstock.exporters import ENGINES, Exported, export_run
from penstock.server.ui._page import Page, Query
from penstock.server.ui._site import Site

_NAMES = {
    "airflow": "Airflow",
    "argo": "Argo",
    "dagster": "Dagster",
    "github-actions": "GitHub Actions",
    "kfp": "Kubeflow",
    "kubernetes": "Kubernetes",
    "prefect": "Prefect",
    "sagemaker": "SageMaker",
    "vertex": "Vertex AI",
}


def export_page(site: Site, query: Query, run_id: str) -> Page:
    """Show the pipeline of a run in the form of an orchestrator.

    The file is made of what the run has recorded: no code of the project is loaded.

    Raises:
        NotFoundError: If there is no such run.
        ParameterError: If the orchestrator is unknown, or the run is not of a pipeline in a file.
    """
    run = site.metadata.runs.get(run_id)
    to = query.text("to") or "airflow"
    asked = {name: query.text(name) for name in ("cron", "timezone", "image")}
    exported, fault = None, None
    try:
        exported = export_run(
            run,
            to=to,  # type: ignore[arg-type]  # export_run checks the choice
            cron=asked["cron"] or None,
            timezone=asked["timezone"] or "UTC",
            image=asked["image"] or None,
        )
    except PenstockError as error:
        if to not in ENGINES or run.entry is None or run.pipeline is None:
            raise
        fault = error.to_json()  # of the form's values, which remain to be corrected
    data = {
        "run_id": run.run_id,
        "pipeline": run.pipeline,
        "to": to,
        "file": exported.file if exported else None,
        "text": exported.text if exported else None,
        "notes": list(exported.notes) if exported else [],
        "error": fault,
    }
    tabs = {_NAMES[each]: (query.link(to=each), each == to) for each in ENGINES}
    view = {
        "tabs": tabs,
        "asked": asked,
        "command_text": _command(str(run.entry), asked, exported, to),
    }
    title = f"{run.pipeline} for {_NAMES[to]}"
    return Page("exported.html", title, data, view, section="runs")


def _command(entry: str, asked: dict[str, Any], exported: Exported | None, to: str) -> str:
    """Return the command that writes the file."""
    words = ["penstock", "export", entry, "--to", to]
    for name, value in asked.items():
        words += [f"--{name}", value] if value else []
    return shlex.join([*words, "-o", exported.file if exported else "FILE"])
