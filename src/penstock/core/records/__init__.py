"""A frozen record for each stored noun: the values that the metadata store stores and returns."""

from penstock.core.records._artifacts import ArtifactRecord, Edge, ProofRecord, SnapshotRecord
from penstock.core.records._audit import AuditRecord
from penstock.core.records._deployments import (
    AlertRecord,
    DeploymentEvent,
    DeploymentRecord,
    ReportRecord,
)
from penstock.core.records._documents import DocumentRecord
from penstock.core.records._hooks import EventRecord, HookRecord
from penstock.core.records._json import to_json
from penstock.core.records._metrics import MetricColumns, MetricPoint, MetricSummary
from penstock.core.records._models import (
    ApprovalRecord,
    GateResult,
    ModelRecord,
    ModelVersionRecord,
    StageEvent,
)
from penstock.core.records._predictions import PredictionRecord
from penstock.core.records._rollouts import (
    PassedStep,
    RolloutRecord,
    RolloutRules,
    SequentialMetric,
)
from penstock.core.records._runs import ExperimentRecord, RunRecord
from penstock.core.records._schedules import ScheduleRecord, TickRecord
from penstock.core.records._steps import (
    NOT_TAKEN,
    DecisionRecord,
    LogLine,
    StepClaim,
    StepRunRecord,
    StoredArgument,
)
from penstock.core.records._tokens import FailureRecord, SessionRecord, TokenRecord
from penstock.core.records._users import (
    ANY_PROJECT,
    DEFAULT_PROJECT,
    GrantRecord,
    ProjectRecord,
    UserKind,
    UserRecord,
    project_of,
)

__all__ = [
    "ANY_PROJECT",
    "DEFAULT_PROJECT",
    "NOT_TAKEN",
    "AlertRecord",
    "ApprovalRecord",
    "ArtifactRecord",
    "AuditRecord",
    "DecisionRecord",
    "DeploymentEvent",
    "DeploymentRecord",
    "DocumentRecord",
    "Edge",
    "EventRecord",
    "ExperimentRecord",
    "FailureRecord",
    "GateResult",
    "GrantRecord",
    "HookRecord",
    "LogLine",
    "MetricColumns",
    "MetricPoint",
    "MetricSummary",
    "ModelRecord",
    "ModelVersionRecord",
    "PassedStep",
    "PredictionRecord",
    "ProjectRecord",
    "ProofRecord",
    "ReportRecord",
    "RolloutRecord",
    "RolloutRules",
    "RunRecord",
    "ScheduleRecord",
    "SequentialMetric",
    "SessionRecord",
    "SnapshotRecord",
    "StageEvent",
    "StepClaim",
    "StepRunRecord",
    "StoredArgument",
    "TickRecord",
    "TokenRecord",
    "UserKind",
    "UserRecord",
    "project_of",
    "to_json",
]
