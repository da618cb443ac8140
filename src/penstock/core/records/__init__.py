"""A frozen record for each stored noun: the values that the metadata store stores and returns."""

from typing import TYPE_CHECKING

from penstock.core._lazy import lazy_exports

if TYPE_CHECKING:
    from penstock.core.records._artifacts import ArtifactRecord as ArtifactRecord
    from penstock.core.records._artifacts import Edge as Edge
    from penstock.core.records._artifacts import ProofRecord as ProofRecord
    from penstock.core.records._artifacts import SnapshotRecord as SnapshotRecord
    from penstock.core.records._audit import AuditRecord as AuditRecord
    from penstock.core.records._deployments import AlertRecord as AlertRecord
    from penstock.core.records._deployments import DeploymentEvent as DeploymentEvent
    from penstock.core.records._deployments import DeploymentRecord as DeploymentRecord
    from penstock.core.records._deployments import ReportRecord as ReportRecord
    from penstock.core.records._documents import DocumentRecord as DocumentRecord
    from penstock.core.records._hooks import EventRecord as EventRecord
    from penstock.core.records._hooks import HookRecord as HookRecord
    from penstock.core.records._json import to_json as to_json
    from penstock.core.records._metrics import MetricColumns as MetricColumns
    from penstock.core.records._metrics import MetricPoint as MetricPoint
    from penstock.core.records._metrics import MetricSummary as MetricSummary
    from penstock.core.records._models import ApprovalRecord as ApprovalRecord
    from penstock.core.records._models import GateResult as GateResult
    from penstock.core.records._models import ModelRecord as ModelRecord
    from penstock.core.records._models import ModelVersionRecord as ModelVersionRecord
    from penstock.core.records._models import StageEvent as StageEvent
    from penstock.core.records._predictions import PredictionRecord as PredictionRecord
    from penstock.core.records._rollouts import PassedStep as PassedStep
    from penstock.core.records._rollouts import RolloutRecord as RolloutRecord
    from penstock.core.records._rollouts import RolloutRules as RolloutRules
    from penstock.core.records._rollouts import SequentialMetric as SequentialMetric
    from penstock.core.records._runs import ExperimentRecord as ExperimentRecord
    from penstock.core.records._runs import RunRecord as RunRecord
    from penstock.core.records._schedules import ScheduleRecord as ScheduleRecord
    from penstock.core.records._schedules import TickRecord as TickRecord
    from penstock.core.records._steps import NOT_TAKEN as NOT_TAKEN
    from penstock.core.records._steps import DecisionRecord as DecisionRecord
    from penstock.core.records._steps import LogLine as LogLine
    from penstock.core.records._steps import StepClaim as StepClaim
    from penstock.core.records._steps import StepRunRecord as StepRunRecord
    from penstock.core.records._steps import StoredArgument as StoredArgument
    from penstock.core.records._tokens import FailureRecord as FailureRecord
    from penstock.core.records._tokens import SessionRecord as SessionRecord
    from penstock.core.records._tokens import TokenRecord as TokenRecord
    from penstock.core.records._users import ANY_PROJECT as ANY_PROJECT
    from penstock.core.records._users import DEFAULT_PROJECT as DEFAULT_PROJECT
    from penstock.core.records._users import GrantRecord as GrantRecord
    from penstock.core.records._users import ProjectRecord as ProjectRecord
    from penstock.core.records._users import UserKind as UserKind
    from penstock.core.records._users import UserRecord as UserRecord
    from penstock.core.records._users import project_of as project_of

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "ANY_PROJECT": "_users",
        "AlertRecord": "_deployments",
        "ApprovalRecord": "_models",
        "ArtifactRecord": "_artifacts",
        "AuditRecord": "_audit",
        "DEFAULT_PROJECT": "_users",
        "DecisionRecord": "_steps",
        "DeploymentEvent": "_deployments",
        "DeploymentRecord": "_deployments",
        "DocumentRecord": "_documents",
        "Edge": "_artifacts",
        "EventRecord": "_hooks",
        "ExperimentRecord": "_runs",
        "FailureRecord": "_tokens",
        "GateResult": "_models",
        "GrantRecord": "_users",
        "HookRecord": "_hooks",
        "LogLine": "_steps",
        "MetricColumns": "_metrics",
        "MetricPoint": "_metrics",
        "MetricSummary": "_metrics",
        "ModelRecord": "_models",
        "ModelVersionRecord": "_models",
        "NOT_TAKEN": "_steps",
        "PassedStep": "_rollouts",
        "PredictionRecord": "_predictions",
        "ProjectRecord": "_users",
        "ProofRecord": "_artifacts",
        "ReportRecord": "_deployments",
        "RolloutRecord": "_rollouts",
        "RolloutRules": "_rollouts",
        "RunRecord": "_runs",
        "ScheduleRecord": "_schedules",
        "SequentialMetric": "_rollouts",
        "SessionRecord": "_tokens",
        "SnapshotRecord": "_artifacts",
        "StageEvent": "_models",
        "StepClaim": "_steps",
        "StepRunRecord": "_steps",
        "StoredArgument": "_steps",
        "TickRecord": "_schedules",
        "TokenRecord": "_tokens",
        "UserKind": "_users",
        "UserRecord": "_users",
        "project_of": "_users",
        "to_json": "_json",
    },
)
