"""Vertex AI Pipelines: KFP's pipeline spec in JSON, with secrets from Secret Manager.

Vertex reads what Kubeflow Pipelines reads, but not what is of Kubernetes: secrets and devices.
"""

import json
from typing import Any

from penstock.exporters._exported import Exported
from penstock.exporters._kfp import kfp_documents
from penstock.exporters._notes import find_notes
from penstock.exporters._plan import ExportPlan
from penstock.exporters._text import head_lines

ENGINE = "Vertex AI"
_CARRIES = frozenset({"retries", "cpu", "gpu", "memory", "map", "environment"})
_SECRET = "penstock"  # noqa: S105 - the secret's name
_ACCELERATOR = "NVIDIA_TESLA_T4"
_IMAGE = (
    "The image {} must have the project in its working directory, and google-cloud-secret-manager"
    " (--image)."
)
# Reads the secret, a JSON object of environment variables, and hands over to the command.
_ENTRY = """import json, os, sys
import google.auth
from google.cloud import secretmanager
project = os.environ.get("CLOUD_ML_PROJECT_ID") or google.auth.default()[1]
name = f"projects/{project}/secrets/{os.environ['PENSTOCK_SECRET']}/versions/latest"
secret = secretmanager.SecretManagerServiceClient().access_secret_version(name=name)
os.environ.update(json.loads(secret.payload.data))
os.execvp(sys.argv[1], sys.argv[1:])
"""


def export_vertex(plan: ExportPlan) -> Exported:
    """Return a pipeline as JSON that `aiplatform.PipelineJob` takes as its template."""
    notes = [
        *find_notes(plan, ENGINE, _CARRIES),
        *(
            f"{task.name}: the GPU is a {_ACCELERATOR}; write another type into the file."
            for task in plan.tasks
            if task.options.gpu
        ),
        _IMAGE.format(plan.image),
    ]
    document, _ = kfp_documents(plan)
    document["pipelineInfo"]["description"] = "\n".join(_head(plan, notes))
    for executor in document["deploymentSpec"]["executors"].values():
        _adapt(executor["container"])
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    return Exported("vertex", f"{plan.id}_vertex.json", text, tuple(notes))


def _head(plan: ExportPlan, notes: list[str]) -> list[str]:
    secret = f"Secrets: the secret {_SECRET!r} of Secret Manager, a JSON object with the three names above."
    return [*head_lines(plan, ENGINE, notes), "", secret]


def _adapt(container: dict[str, Any]) -> None:
    container["command"] = ["python", "-c", _ENTRY, *container["command"]]
    container["env"] = [{"name": "PENSTOCK_SECRET", "value": _SECRET}]
    accelerator = container.get("resources", {}).get("accelerator")
    if accelerator:
        accelerator |= {"type": _ACCELERATOR, "resourceType": _ACCELERATOR}
