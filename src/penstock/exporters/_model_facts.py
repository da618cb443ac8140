"""What exports of a registered model say of it, and what no registry of a cloud has a field for."""

from collections.abc import Mapping
from typing import Any

from penstock.core import ModelVersionRecord, Stage


def facts_of(version: ModelVersionRecord) -> dict[str, str]:
    """Return what names a version here, as texts."""
    found = {
        "penstock.ref": version.ref,
        "penstock.content_digest": version.content_digest,
        "penstock.stage": version.stage.value,
        "penstock.run_id": version.run_id or "",
        "penstock.trained_by": version.trained_by,
        "penstock.created_at": version.created_at.isoformat(),
    }
    return {name: text for name, text in found.items() if text}


def lost_of(version: ModelVersionRecord, *, also: Mapping[str, Any]) -> list[str]:
    """Return what has no place in a cloud's registry, as sentences.

    Args:
        version: The version.
        also: Further facts of the version by name; those that are not empty have no place.
    """
    gates = ", ".join(f"{gate.gate} {gate.state.value}" for gate in version.gates)
    found = {
        f"results of its gates ({gates})": version.gates,
        "its evaluation report": version.report,
        "its training profile, to which drift is compared": version.profile,
        "its model card": version.card,
        "its ONNX form": version.onnx,
        f"its stage, {version.stage.value}": version.stage is Stage.ARCHIVED,
        "its approvals and its history": True,
        **also,
    }
    return [f"{version.ref}: {what}" for what, value in found.items() if value]
