"""The routes of MLflow's protocol: method, path, permission and operation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from penstock.core import Permission
from penstock.server.mlflow import (
    _artifacts,
    _assessments,
    _evaluation_sets,
    _experiments,
    _inputs,
    _legacy,
    _logged_models,
    _metrics,
    _model_versions,
    _registered_models,
    _runs,
    _scorers,
    _search_runs,
    _search_traces,
    _traces,
)
from penstock.server.mlflow._desk import Desk
from penstock.server.mlflow._fields import Fields

Operation = Callable[[Desk, Fields], dict[str, Any]]
_READ, _WRITE = Permission.READ, Permission.WRITE


@dataclass(frozen=True, slots=True)
class MlflowRoute:
    """A call of the protocol.

    Args:
        method: HTTP method.
        path: Path under ``/api/2.0/mlflow`` and ``/ajax-api/2.0/mlflow``; or of another version.
        permission: What the caller must be allowed; some values of fields need more.
        operation: What it does, on JSON-like fields.
        version: Version of the API in the path.
    """

    method: str
    path: str
    permission: Permission
    operation: Operation
    version: str = "2.0"


def _noun(
    prefix: str, *rows: tuple[str, str, Permission, Operation], version: str = "2.0"
) -> list[MlflowRoute]:
    return [
        MlflowRoute(method, prefix + path, permission, call, version)
        for method, path, permission, call in rows
    ]


_TRACE_CHANGES = (
    ("PATCH", "/{trace_id:str}/tags", _WRITE, _traces.set_tag),
    ("DELETE", "/{trace_id:str}/tags", _WRITE, _traces.delete_tag),
    ("POST", "/delete-traces", _WRITE, _traces.delete),
)
ROUTES: tuple[MlflowRoute, ...] = (
    *_noun(
        "/experiments",
        ("POST", "/create", _WRITE, _experiments.create),
        ("GET", "/get", _READ, _experiments.get),
        ("GET", "/get-by-name", _READ, _experiments.get_by_name),
        ("POST", "/search", _READ, _experiments.search),
        ("GET", "/search", _READ, _experiments.search),
        ("POST", "/update", _WRITE, _experiments.update),
        ("POST", "/delete", _WRITE, _experiments.delete),
        ("POST", "/restore", _WRITE, _experiments.restore),
        ("POST", "/set-experiment-tag", _WRITE, _experiments.set_tag),
        ("POST", "/delete-experiment-tag", _WRITE, _experiments.delete_tag),
        ("POST", "/search-datasets", _READ, _inputs.search_datasets),
    ),
    *_noun(
        "/runs",
        ("POST", "/create", _WRITE, _runs.create),
        ("GET", "/get", _READ, _runs.get),
        ("POST", "/update", _WRITE, _runs.update),
        ("POST", "/delete", _WRITE, _runs.delete),
        ("POST", "/restore", _WRITE, _runs.restore),
        ("POST", "/search", _READ, _search_runs.search_runs),
        ("POST", "/log-metric", _WRITE, _metrics.log_metric),
        ("POST", "/log-parameter", _WRITE, _runs.log_parameter),
        ("POST", "/log-batch", _WRITE, _metrics.log_batch),
        ("POST", "/set-tag", _WRITE, _runs.set_tag),
        ("POST", "/delete-tag", _WRITE, _runs.delete_tag),
        ("POST", "/log-inputs", _WRITE, _inputs.log_inputs),
        ("POST", "/outputs", _WRITE, _inputs.log_outputs),
        ("POST", "/log-model", _WRITE, _legacy.log_model),
    ),
    *_noun(
        "/metrics",
        ("GET", "/get-history", _READ, _metrics.get_history),
        ("GET", "/get-history-bulk", _READ, _metrics.get_bulk),
        ("GET", "/get-history-bulk-interval", _READ, _metrics.get_bulk_interval),
    ),
    MlflowRoute("GET", "/artifacts/list", _READ, _artifacts.list_of_run),
    *_noun(
        "/logged-models",
        ("POST", "", _WRITE, _logged_models.create),
        ("POST", "/search", _READ, _logged_models.search),
        ("GET", "/{model_id:str}", _READ, _logged_models.get),
        ("PATCH", "/{model_id:str}", _WRITE, _logged_models.finalize),
        ("DELETE", "/{model_id:str}", _WRITE, _logged_models.delete),
        ("POST", "/{model_id:str}/params", _WRITE, _logged_models.log_params),
        ("PATCH", "/{model_id:str}/tags", _WRITE, _logged_models.set_tags),
        ("DELETE", "/{model_id:str}/tags/{tag_key:path}", _WRITE, _logged_models.delete_tag),
        ("GET", "/{model_id:str}/artifacts/directories", _READ, _artifacts.list_of_model),
    ),
    *_noun(
        "/registered-models",
        ("POST", "/create", _WRITE, _registered_models.create),
        ("POST", "/rename", _WRITE, _registered_models.rename),
        ("PATCH", "/update", _WRITE, _registered_models.update),
        ("DELETE", "/delete", Permission.ADMIN, _registered_models.delete),
        ("GET", "/get", _READ, _registered_models.get),
        ("GET", "/search", _READ, _registered_models.search),
        ("POST", "/get-latest-versions", _READ, _registered_models.get_latest),
        ("GET", "/get-latest-versions", _READ, _registered_models.get_latest),
        ("POST", "/set-tag", _WRITE, _registered_models.set_tag),
        ("DELETE", "/delete-tag", _WRITE, _registered_models.delete_tag),
        ("POST", "/alias", _WRITE, _registered_models.set_alias),
        ("GET", "/alias", _READ, _registered_models.get_by_alias),
        ("DELETE", "/alias", _WRITE, _registered_models.delete_alias),
    ),
    *_noun(
        "/model-versions",
        ("POST", "/create", _WRITE, _model_versions.create),
        ("PATCH", "/update", _WRITE, _model_versions.update),
        ("POST", "/transition-stage", _WRITE, _model_versions.transition),
        ("DELETE", "/delete", _WRITE, _model_versions.delete),
        ("GET", "/get", _READ, _model_versions.get),
        ("GET", "/search", _READ, _model_versions.search),
        ("GET", "/get-download-uri", _READ, _model_versions.get_download_uri),
        ("POST", "/set-tag", _WRITE, _model_versions.set_tag),
        ("DELETE", "/delete-tag", _WRITE, _model_versions.delete_tag),
    ),
    *_noun(
        "/traces",
        ("POST", "", _WRITE, _traces.start_trace),
        ("POST", "/search", _READ, _search_traces.search),
        ("POST", "/calculate-filter-correlation", _READ, _search_traces.correlate),
        ("GET", "/get", _READ, _traces.get_trace),
        ("GET", "/batchGet", _READ, _traces.get_several),
        ("POST", "/batchGetInfos", _READ, _traces.get_infos),
        ("GET", "/{trace_id:str}", _READ, _traces.get_info),
        ("POST", "/{trace_id:str}/assessments", _WRITE, _assessments.create),
        *[
            (method, "/{trace_id:str}/assessments/{assessment_id:str}", permission, call)
            for method, permission, call in (
                ("GET", _READ, _assessments.get),
                ("PATCH", _WRITE, _assessments.update),
                ("DELETE", _WRITE, _assessments.delete),
            )
        ],
        *_TRACE_CHANGES,
        version="3.0",
    ),
    *_noun(
        "/traces",
        *_TRACE_CHANGES,
        ("POST", "/link-to-run", _WRITE, _traces.link_to_run),
        ("POST", "/link-prompts", _WRITE, _traces.link_prompts),
    ),
    *_noun(
        "/datasets",
        ("POST", "/create", _WRITE, _evaluation_sets.create),
        ("POST", "/search", _READ, _evaluation_sets.search),
        ("GET", "/search", _READ, _evaluation_sets.search),
        ("GET", "/{dataset_id:str}", _READ, _evaluation_sets.get),
        ("DELETE", "/{dataset_id:str}", _WRITE, _evaluation_sets.delete),
        ("PATCH", "/{dataset_id:str}/tags", _WRITE, _evaluation_sets.set_tags),
        ("DELETE", "/{dataset_id:str}/tags/{tag_key:path}", _WRITE, _evaluation_sets.delete_tag),
        ("GET", "/{dataset_id:str}/experiment-ids", _READ, _evaluation_sets.get_experiment_ids),
        ("POST", "/{dataset_id:str}/add-experiments", _WRITE, _evaluation_sets.add_experiments),
        (
            "POST",
            "/{dataset_id:str}/remove-experiments",
            _WRITE,
            _evaluation_sets.remove_experiments,
        ),
        ("GET", "/{dataset_id:str}/records", _READ, _evaluation_sets.get_records),
        ("POST", "/{dataset_id:str}/records", _WRITE, _evaluation_sets.upsert_records),
        ("DELETE", "/{dataset_id:str}/records", _WRITE, _evaluation_sets.delete_records),
        version="3.0",
    ),
    *_noun(
        "/scorers",
        ("POST", "/register", _WRITE, _scorers.register),
        ("GET", "/list", _READ, _scorers.list_all),
        ("GET", "/versions", _READ, _scorers.list_versions),
        ("GET", "/get", _READ, _scorers.get),
        ("GET", "/online-configs", _READ, _scorers.list_online),
        ("DELETE", "/delete", _WRITE, _scorers.delete),
        version="3.0",
    ),
)
"""The calls whose request and answer are JSON; the rest are in `_app`."""

SERVER_INFO = {
    "store_type": "SqlStore",
    "workspaces_enabled": False,
    "multipart_uploads_enabled": False,
    "multipart_downloads_enabled": False,
    "artifact_serving_enabled": True,
    "artifacts_presigned_only": False,
    "trace_archival_enabled": False,
}
"""What a client may use beside the calls here."""
