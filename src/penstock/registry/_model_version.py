"""ModelVersion: what the register step gives on: a registered version's facts, without the model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from penstock.core import GateResult, GateState, ModelVersionRecord, Stage


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A registered version, as it was when the step ended.

    Args:
        model: The model's name.
        version: Its number.
        stage: Where it was.
        run_id: The run that made it.
        metrics: Headline metrics on the test rows.
        gates: Answers of its gates.
    """

    bundle_type: ClassVar[str] = "penstock.registry:ModelVersion"

    model: str
    version: int
    stage: Stage = Stage.NONE
    run_id: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    gates: tuple[GateResult, ...] = ()

    @classmethod
    def from_record(cls, record: ModelVersionRecord) -> Self:
        """Take what is of use to later steps from a record."""
        return cls(
            model=record.model,
            version=record.version,
            stage=record.stage,
            run_id=record.run_id,
            metrics=dict(record.metrics),
            gates=record.gates,
        )

    @property
    def ref(self) -> str:
        """``model@version``."""
        return f"{self.model}@{self.version}"

    def lineage_targets(self) -> list[str]:
        """Name the lineage node that comes of it."""
        return [f"version:{self.ref}"]

    def to_bundle(self) -> dict[str, Any]:
        """Give its parts for storing."""
        gates = [[gate.gate, gate.state.value, gate.reason] for gate in self.gates]
        facts = {
            "model": self.model,
            "version": self.version,
            "stage": self.stage.value,
            "run_id": self.run_id,
            "metrics": dict(self.metrics),
            "gates": gates,
        }
        return {"facts": facts}

    @classmethod
    def from_bundle(cls, parts: Mapping[str, Any]) -> Self:
        """Read back what to_bundle gave."""
        facts = parts["facts"]
        return cls(
            model=facts["model"],
            version=facts["version"],
            stage=Stage(facts["stage"]),
            run_id=facts["run_id"],
            metrics=facts["metrics"],
            gates=tuple(
                GateResult(gate, GateState(state), reason) for gate, state, reason in facts["gates"]
            ),
        )
