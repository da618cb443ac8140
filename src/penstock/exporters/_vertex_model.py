"""A registered version as the request that uploads a model to Vertex AI, in protobuf's JSON."""

import json
import math
import re
from typing import TYPE_CHECKING

from penstock.core import ModelVersionRecord, ParameterError, Stage, digest_bytes
from penstock.exporters._exported import Exported
from penstock.exporters._model_facts import facts_of, lost_of
from penstock.registry import Registry, parse_ref
from penstock.stores import open_store

if TYPE_CHECKING:
    from penstock.stores import Store

_PLACE = re.compile(r"gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9](?:/.*)?")
_LABEL = re.compile(r"[a-z0-9_-]{0,63}")
_NAME, _MOST_NAME, _LABELS = re.compile(r"[a-z][a-z0-9_-]*"), 63, 64
_ALIASES = {Stage.PRODUCTION: "champion", Stage.STAGING: "challenger"}
_PORT = 8080
_TEXT = 128


def export_vertex_model(
    ref: str,
    *,
    to: str,
    image: str,
    project: str,
    location: str,
    existing: bool = False,
    store: "Store | str | None" = None,
) -> Exported:
    """Return the UploadModelRequest of a version, for Vertex AI's model registry.

    Nothing is sent: the request is for ``ModelServiceClient.upload_model`` once the model's folder is
    where it says. The same version gives the same request. What a version is here is in the model's
    metadata; the champion and the challenger are aliases.

    Args:
        ref: The version, such as ``churn@3`` or ``churn@champion``.
        to: ``gs://bucket/prefix``: where the folder of the model is copied to, such as what ``penstock
            export mlflow-model`` writes.
        image: Image of a container that answers ``/ping`` and ``/invocations``, as MLflow's do.
        project: Project of Google Cloud.
        location: Region, such as ``europe-west4``.
        existing: Whether the model is there already, and this becomes its next version.
        store: The version's store; by default the project's.

    Raises:
        NotFoundError: If there is no such version.
        ParameterError: If ``to`` is no place in Cloud Storage.
    """
    if not _PLACE.fullmatch(to):
        raise ParameterError(
            what=f"{to!r} is no place in Cloud Storage.",
            why="Vertex AI reads a model's files from there.",
            fix="Give a bucket and a prefix: --to gs://bucket/prefix",
            to=to,
        )
    version = Registry(store=open_store(store)).get(*parse_ref(ref))
    parent = f"projects/{project}/locations/{location}"
    model_id, lost = _model_id(version.model), list[str]()
    alias = _ALIASES.get(version.stage)
    name = version.model[:_TEXT]
    model = {
        "displayName": name,
        **({"versionDescription": version.note} if version.note else {}),
        **({"versionAliases": [alias]} if alias else {}),
        "artifactUri": f"{to.rstrip('/')}/{model_id}/{version.version}",
        "containerSpec": {
            "imageUri": image,
            "predictRoute": "/invocations",
            "healthRoute": "/ping",
            "ports": [{"containerPort": _PORT}],
        },
        "metadata": _metadata(version, lost),
        "labels": _labels(version, lost),
    }
    named = {"parentModel": f"{parent}/models/{model_id}"} if existing else {"modelId": model_id}
    text = json.dumps({"parent": parent, **named, "model": model}, indent=1, ensure_ascii=False)
    notes = (
        f"The folder of the model must be at {model['artifactUri']} first (gcloud storage cp -r).",
        f"The image {image} must answer /ping and /invocations, as MLflow's containers do.",
        "Vertex AI counts versions itself: the number here is in the metadata.",
        *lost,
        *lost_of(version, also={"its stage, rejected": version.stage is Stage.REJECTED}),
    )
    return Exported("vertex-model", f"{model_id}.upload.json", f"{text}\n", notes)


def _model_id(name: str) -> str:
    if _NAME.fullmatch(name) and len(name) <= _MOST_NAME:
        return name
    mark = digest_bytes(name.encode()).removeprefix("sha256:")[:8]
    plain = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_")
    plain = plain if plain[:1].isalpha() else f"m-{plain}"
    return f"{plain[: _MOST_NAME - 9]}-{mark}"


def _metadata(version: ModelVersionRecord, lost: list[str]) -> dict[str, object]:
    odd = sorted(name for name, value in version.metrics.items() if not math.isfinite(value))
    if odd:
        lost.append(f"{version.ref}: metrics that are no finite numbers ({', '.join(odd)})")
    finite = {name: value for name, value in version.metrics.items() if name not in odd}
    return {
        **facts_of(version),
        "penstock.version": version.version,
        "metrics": finite,
        "signature": dict(version.signature),
        "tags": dict(version.tags),
    }


def _labels(version: ModelVersionRecord, lost: list[str]) -> dict[str, str]:
    """Return the tags that are labels of Google Cloud; all are in the metadata."""
    found = dict[str, str]()
    for key, value in sorted(version.tags.items()):
        is_label = _LABEL.fullmatch(key) and _LABEL.fullmatch(value) and key[:1].isalpha()
        if is_label and len(found) < _LABELS:
            found[key] = value
        else:
            lost.append(f"{version.ref}: the label of tag {key[:100]!r}, which is in the metadata")
    return found
