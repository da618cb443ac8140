"""A registered version as a model package of SageMaker, with its approval status."""

import json
import re
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.core import ModelVersionRecord, Stage, digest_bytes
from penstock.exporters._aws import AwsTarget, aws_name, sha256_of
from penstock.exporters._model_facts import facts_of, lost_of
from penstock.registry import Registry, parse_ref
from penstock.stores import open_store

if TYPE_CHECKING:
    from penstock.stores import Store

_NAME, _TEXT, _PAIRS, _KEY, _VALUE = 63, 1024, 50, 128, 256
_PLAIN = re.compile(r"[\w .:/=+\-@]+")
_STATUS = {Stage.PRODUCTION: "Approved", Stage.REJECTED: "Rejected"}
_PENDING = "PendingManualApproval"
_ID = "penstock.package"


@dataclass(slots=True)
class SagemakerModelExport:
    """The result of an export.

    Args:
        ref: The version.
        group: Name of the model package group.
        arn: ARN of the model package.
        status: Approval status there.
        unchanged: Whether it was there already, as it is here.
        lost: What has no place there, as sentences.
    """

    ref: str
    group: str
    arn: str = ""
    status: str = _PENDING
    unchanged: bool = False
    lost: list[str] = field(default_factory=list)


def export_sagemaker_model(
    ref: str,
    *,
    folder: str | Path,
    to: str,
    image: str,
    region: str | None = None,
    store: "Store | str | None" = None,
) -> SagemakerModelExport:
    """Register a version as a model package in SageMaker; one that is there is not registered again.

    The model is a group, the version a package in it: Approved if it is in production here, Rejected
    if it was rejected, else PendingManualApproval. A repeated export changes the status if that has
    changed here. Test metrics are a file in S3, as SageMaker has it.

    Args:
        ref: The version, such as ``churn@3`` or ``churn@champion``.
        folder: The model as the container reads it in ``/opt/ml/model``: for MLflow's containers what
            ``penstock export mlflow-model`` writes.
        to: ``s3://bucket/prefix``, where the model's archive and the metrics are written.
        image: Image of a container that answers SageMaker's ``/ping`` and ``/invocations``.
        region: Region of AWS; by default boto3's.
        store: The version's store; by default the project's.

    Raises:
        NotFoundError: If there is no such version.
        ParameterError: If ``to`` is no place in S3.
        StoreError: If AWS refuses a call.
        MissingPackageError: If boto3 is not installed.
    """
    opened = open_store(store)
    version = Registry(store=opened).get(*parse_ref(ref))
    aws = AwsTarget(to, region)
    group = aws_name(version.model, most=_NAME)
    done = SagemakerModelExport(version.ref, group, status=_STATUS.get(version.stage, _PENDING))
    facts = _facts(version, image, done)
    found = _find(aws, group, facts[_ID])
    if found is None:
        _ensure_group(aws, group, version.model)
        done.arn = _create(aws, version, Path(folder), image, facts, done)
    else:
        done.arn = found["ModelPackageArn"]
        done.unchanged = found.get("ModelApprovalStatus") == done.status
        if not done.unchanged:
            aws.call(
                aws.sagemaker,
                "update_model_package",
                ModelPackageArn=done.arn,
                ModelApprovalStatus=done.status,
                CustomerMetadataProperties=facts,
            )
    done.lost += lost_of(
        version, also={f"its note beyond {_TEXT} characters": version.note[_TEXT:]}
    )
    return done


def _facts(version: ModelVersionRecord, image: str, done: SagemakerModelExport) -> dict[str, str]:
    """Return the package's own properties; the first names the version, its model and its image."""
    identity = digest_bytes(f"{version.ref}\n{version.content_digest}\n{image}".encode())
    found = {_ID: identity, **facts_of(version)}
    for key, value in sorted(version.tags.items()):
        is_fine = len(key) <= _KEY and len(value) <= _VALUE and key not in found
        if is_fine and _PLAIN.fullmatch(key) and _PLAIN.fullmatch(value) and len(found) < _PAIRS:
            found[key] = value
        else:
            done.lost.append(f"{version.ref}: tag {key[:100]!r}")
    return found


def _find(aws: AwsTarget, group: str, identity: str) -> dict[str, Any] | None:
    """Return the package that an export has registered."""
    if aws.find("describe_model_package_group", ModelPackageGroupName=group) is None:
        return None
    rows = aws.pages("list_model_packages", "ModelPackageSummaryList", ModelPackageGroupName=group)
    for row in rows:
        found = aws.find("describe_model_package", ModelPackageName=row["ModelPackageArn"])
        if found and found.get("CustomerMetadataProperties", {}).get(_ID) == identity:
            return found
    return None


def _ensure_group(aws: AwsTarget, group: str, model: str) -> None:
    if aws.find("describe_model_package_group", ModelPackageGroupName=group) is None:
        aws.call(
            aws.sagemaker,
            "create_model_package_group",
            ModelPackageGroupName=group,
            ModelPackageGroupDescription=f"penstock: {model}"[:_TEXT],
        )


def _create(
    aws: AwsTarget,
    version: ModelVersionRecord,
    folder: Path,
    image: str,
    facts: Mapping[str, str],
    done: SagemakerModelExport,
) -> str:
    place = f"{done.group}/{facts[_ID].removeprefix('sha256:')[:16]}"
    with tempfile.TemporaryDirectory(prefix="penstock-sagemaker-") as room:
        archive = Path(room) / "model.tar.gz"
        with tarfile.open(archive, "w:gz") as opened:
            opened.add(folder, arcname=".")
        aws.upload(f"{place}/model.tar.gz", archive)
        metrics = _upload_metrics(aws, version, place, Path(room))
    note = {"ModelPackageDescription": version.note[:_TEXT]} if version.note else {}
    made = aws.call(
        aws.sagemaker,
        "create_model_package",
        ModelPackageGroupName=done.group,
        **note,
        InferenceSpecification={
            "Containers": [{"Image": image, "ModelDataUrl": aws.uri(f"{place}/model.tar.gz")}],
            "SupportedContentTypes": ["application/json"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
        ModelApprovalStatus=done.status,
        CustomerMetadataProperties=dict(facts),
        # Twice with one token is one package, should the answer be lost.
        ClientToken=facts[_ID].removeprefix("sha256:")[:36],
        **metrics,
    )
    return str(made["ModelPackageArn"])


def _upload_metrics(
    aws: AwsTarget, version: ModelVersionRecord, place: str, room: Path
) -> dict[str, Any]:
    if not version.metrics:
        return {}
    file = room / "metrics.json"
    file.write_text(json.dumps({"metrics": dict(version.metrics)}), encoding="utf-8")
    aws.upload(f"{place}/metrics.json", file)
    statistics = {
        "ContentType": "application/json",
        "ContentDigest": f"sha256:{sha256_of(file)}",
        "S3Uri": aws.uri(f"{place}/metrics.json"),
    }
    return {"ModelMetrics": {"ModelQuality": {"Statistics": statistics}}}
