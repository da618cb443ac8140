"""ModelVersion: the output of the register step: facts of a version, without the model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from penstock.core import Edge, GateResult, GateState, ModelVersionRecord, Stage


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A registered version, as of the end of the step.

    Args:
        model: The model's name.
        version: Version number.
        stage: Stage of the version.
        run_id: Id of the run that made the version.
        metrics: Headline metrics on the test rows.
        gates: Results of the gates.
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
        """Return the facts of a record that are of use to later steps."""
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

    def lineage_edges(self, artifact: str) -> list[Edge]:
        """Return the edge from the stored value to the version's lineage node; see HasLineage."""
        return [Edge(artifact, f"version:{self.ref}", "version")]

    def to_bundle(self) -> dict[str, Any]:
        """Return the parts to store."""
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
        """Return the version of parts that ``to_bundle`` returned."""
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
