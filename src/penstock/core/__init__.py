"""Terms, errors, records and small tools for all packages; imports no package of ours."""

from typing import TYPE_CHECKING

from penstock.core._lazy import lazy_exports as lazy_exports

if TYPE_CHECKING:
    from penstock.core._actors import current_actor as current_actor
    from penstock.core._actors import is_same_person as is_same_person
    from penstock.core._actors import use_actor as use_actor
    from penstock.core._checks import require_choice as require_choice
    from penstock.core._checks import require_number as require_number
    from penstock.core._checks import require_reason as require_reason
    from penstock.core._checks import require_type as require_type
    from penstock.core._clock import now as now
    from penstock.core._clock import now_micros as now_micros
    from penstock.core._clock import set_clock as set_clock
    from penstock.core._closing import ClosedAtExit as ClosedAtExit
    from penstock.core._digest import digest_bytes as digest_bytes
    from penstock.core._digest import digest_file as digest_file
    from penstock.core._digest import digest_json as digest_json
    from penstock.core._digest import short as short
    from penstock.core._durations import parse_duration as parse_duration
    from penstock.core._errors import AccessError as AccessError
    from penstock.core._errors import ConflictError as ConflictError
    from penstock.core._errors import DataError as DataError
    from penstock.core._errors import DefinitionError as DefinitionError
    from penstock.core._errors import ExpectationError as ExpectationError
    from penstock.core._errors import GateError as GateError
    from penstock.core._errors import LeakageError as LeakageError
    from penstock.core._errors import MissingPackageError as MissingPackageError
    from penstock.core._errors import NoStoreError as NoStoreError
    from penstock.core._errors import NotFoundError as NotFoundError
    from penstock.core._errors import ParameterError as ParameterError
    from penstock.core._errors import PenstockError as PenstockError
    from penstock.core._errors import RateLimitError as RateLimitError
    from penstock.core._errors import SchemaError as SchemaError
    from penstock.core._errors import SerializationError as SerializationError
    from penstock.core._errors import ServingError as ServingError
    from penstock.core._errors import SettingsError as SettingsError
    from penstock.core._errors import SignInError as SignInError
    from penstock.core._errors import StepError as StepError
    from penstock.core._errors import StoreError as StoreError
    from penstock.core._errors import did_you_mean as did_you_mean
    from penstock.core._errors import summarize_error as summarize_error
    from penstock.core._identity import Identity as Identity
    from penstock.core._identity import current_identity as current_identity
    from penstock.core._identity import local_identity as local_identity
    from penstock.core._identity import use_identity as use_identity
    from penstock.core._ids import LABEL_BYTES as LABEL_BYTES
    from penstock.core._ids import NAME_BYTES as NAME_BYTES
    from penstock.core._ids import TEXT_BYTES as TEXT_BYTES
    from penstock.core._ids import new_id as new_id
    from penstock.core._ids import require_label as require_label
    from penstock.core._ids import require_name as require_name
    from penstock.core._ids import require_short as require_short
    from penstock.core._lineage import HasLineage as HasLineage
    from penstock.core._memory import available_memory as available_memory
    from penstock.core._nesting import describe_nesting as describe_nesting
    from penstock.core._nesting import find_circle as find_circle
    from penstock.core._optional import require as require
    from penstock.core._passwords import hash_password as hash_password
    from penstock.core._passwords import is_password as is_password
    from penstock.core._passwords import needs_new_hash as needs_new_hash
    from penstock.core._passwords import require_password as require_password
    from penstock.core._permissions import Permission as Permission
    from penstock.core._permissions import Role as Role
    from penstock.core._secret import HIDDEN as HIDDEN
    from penstock.core._secret import Secret as Secret
    from penstock.core._secret import hide_known as hide_known
    from penstock.core._secret import redact as redact
    from penstock.core._settings import Setting as Setting
    from penstock.core._settings import Settings as Settings
    from penstock.core._settings import allowed_hosts as allowed_hosts
    from penstock.core._settings import find_project as find_project
    from penstock.core._settings import limit_of as limit_of
    from penstock.core._settings import online_store_url as online_store_url
    from penstock.core._settings import settings as settings
    from penstock.core._settings import shared_folders as shared_folders
    from penstock.core._sizes import parse_bytes as parse_bytes
    from penstock.core._states import ROLLOUT_MOVES as ROLLOUT_MOVES
    from penstock.core._states import RUN_MOVES as RUN_MOVES
    from penstock.core._states import STAGE_MOVES as STAGE_MOVES
    from penstock.core._states import DeploymentState as DeploymentState
    from penstock.core._states import EventState as EventState
    from penstock.core._states import GateState as GateState
    from penstock.core._states import RolloutState as RolloutState
    from penstock.core._states import RunState as RunState
    from penstock.core._states import Stage as Stage
    from penstock.core._states import StepState as StepState
    from penstock.core._states import TickState as TickState
    from penstock.core._states import Verdict as Verdict
    from penstock.core._threads import side_by_side as side_by_side
    from penstock.core._tls import tls_context as tls_context
    from penstock.core._torch_alone import one_torch_thread as one_torch_thread
    from penstock.core._words import with_article as with_article
    from penstock.core.records import ANY_PROJECT as ANY_PROJECT
    from penstock.core.records import DEFAULT_PROJECT as DEFAULT_PROJECT
    from penstock.core.records import NOT_TAKEN as NOT_TAKEN
    from penstock.core.records import AlertRecord as AlertRecord
    from penstock.core.records import ApprovalRecord as ApprovalRecord
    from penstock.core.records import ArtifactRecord as ArtifactRecord
    from penstock.core.records import AuditRecord as AuditRecord
    from penstock.core.records import DecisionRecord as DecisionRecord
    from penstock.core.records import DeploymentEvent as DeploymentEvent
    from penstock.core.records import DeploymentRecord as DeploymentRecord
    from penstock.core.records import DocumentRecord as DocumentRecord
    from penstock.core.records import Edge as Edge
    from penstock.core.records import EventRecord as EventRecord
    from penstock.core.records import ExperimentRecord as ExperimentRecord
    from penstock.core.records import FailureRecord as FailureRecord
    from penstock.core.records import GateResult as GateResult
    from penstock.core.records import GrantRecord as GrantRecord
    from penstock.core.records import HookRecord as HookRecord
    from penstock.core.records import LogLine as LogLine
    from penstock.core.records import MetricColumns as MetricColumns
    from penstock.core.records import MetricPoint as MetricPoint
    from penstock.core.records import MetricSummary as MetricSummary
    from penstock.core.records import ModelRecord as ModelRecord
    from penstock.core.records import ModelVersionRecord as ModelVersionRecord
    from penstock.core.records import PassedStep as PassedStep
    from penstock.core.records import PredictionRecord as PredictionRecord
    from penstock.core.records import ProjectRecord as ProjectRecord
    from penstock.core.records import ProofRecord as ProofRecord
    from penstock.core.records import ReportRecord as ReportRecord
    from penstock.core.records import RolloutRecord as RolloutRecord
    from penstock.core.records import RolloutRules as RolloutRules
    from penstock.core.records import RunRecord as RunRecord
    from penstock.core.records import ScheduleRecord as ScheduleRecord
    from penstock.core.records import SequentialMetric as SequentialMetric
    from penstock.core.records import SessionRecord as SessionRecord
    from penstock.core.records import SnapshotRecord as SnapshotRecord
    from penstock.core.records import StageEvent as StageEvent
    from penstock.core.records import StepClaim as StepClaim
    from penstock.core.records import StepRunRecord as StepRunRecord
    from penstock.core.records import StoredArgument as StoredArgument
    from penstock.core.records import TickRecord as TickRecord
    from penstock.core.records import TokenRecord as TokenRecord
    from penstock.core.records import UserKind as UserKind
    from penstock.core.records import UserRecord as UserRecord
    from penstock.core.records import project_of as project_of
    from penstock.core.records import to_json as to_json

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "hash_password": "_passwords",
        "is_password": "_passwords",
        "needs_new_hash": "_passwords",
        "require_password": "_passwords",
        "ANY_PROJECT": "penstock.core.records",
        "AccessError": "_errors",
        "AlertRecord": "penstock.core.records",
        "ApprovalRecord": "penstock.core.records",
        "ArtifactRecord": "penstock.core.records",
        "AuditRecord": "penstock.core.records",
        "ClosedAtExit": "_closing",
        "ConflictError": "_errors",
        "DEFAULT_PROJECT": "penstock.core.records",
        "DataError": "_errors",
        "DecisionRecord": "penstock.core.records",
        "DefinitionError": "_errors",
        "DeploymentEvent": "penstock.core.records",
        "DeploymentRecord": "penstock.core.records",
        "DeploymentState": "_states",
        "DocumentRecord": "penstock.core.records",
        "Edge": "penstock.core.records",
        "EventRecord": "penstock.core.records",
        "EventState": "_states",
        "ExpectationError": "_errors",
        "ExperimentRecord": "penstock.core.records",
        "FailureRecord": "penstock.core.records",
        "GateError": "_errors",
        "GateResult": "penstock.core.records",
        "GateState": "_states",
        "GrantRecord": "penstock.core.records",
        "HIDDEN": "_secret",
        "HasLineage": "_lineage",
        "HookRecord": "penstock.core.records",
        "Identity": "_identity",
        "LABEL_BYTES": "_ids",
        "NAME_BYTES": "_ids",
        "TEXT_BYTES": "_ids",
        "LeakageError": "_errors",
        "LogLine": "penstock.core.records",
        "MetricColumns": "penstock.core.records",
        "MetricPoint": "penstock.core.records",
        "MetricSummary": "penstock.core.records",
        "MissingPackageError": "_errors",
        "ModelRecord": "penstock.core.records",
        "ModelVersionRecord": "penstock.core.records",
        "NOT_TAKEN": "penstock.core.records",
        "NoStoreError": "_errors",
        "NotFoundError": "_errors",
        "ParameterError": "_errors",
        "PassedStep": "penstock.core.records",
        "PenstockError": "_errors",
        "Permission": "_permissions",
        "PredictionRecord": "penstock.core.records",
        "ProjectRecord": "penstock.core.records",
        "ProofRecord": "penstock.core.records",
        "ROLLOUT_MOVES": "_states",
        "RUN_MOVES": "_states",
        "RateLimitError": "_errors",
        "ReportRecord": "penstock.core.records",
        "Role": "_permissions",
        "RolloutRecord": "penstock.core.records",
        "RolloutRules": "penstock.core.records",
        "RolloutState": "_states",
        "RunRecord": "penstock.core.records",
        "RunState": "_states",
        "STAGE_MOVES": "_states",
        "ScheduleRecord": "penstock.core.records",
        "SchemaError": "_errors",
        "Secret": "_secret",
        "SequentialMetric": "penstock.core.records",
        "SerializationError": "_errors",
        "ServingError": "_errors",
        "SessionRecord": "penstock.core.records",
        "Setting": "_settings",
        "Settings": "_settings",
        "SettingsError": "_errors",
        "SignInError": "_errors",
        "SnapshotRecord": "penstock.core.records",
        "Stage": "_states",
        "StageEvent": "penstock.core.records",
        "StepClaim": "penstock.core.records",
        "StepError": "_errors",
        "StepRunRecord": "penstock.core.records",
        "StepState": "_states",
        "StoreError": "_errors",
        "StoredArgument": "penstock.core.records",
        "TickRecord": "penstock.core.records",
        "TickState": "_states",
        "TokenRecord": "penstock.core.records",
        "UserKind": "penstock.core.records",
        "UserRecord": "penstock.core.records",
        "Verdict": "_states",
        "allowed_hosts": "_settings",
        "current_actor": "_actors",
        "current_identity": "_identity",
        "describe_nesting": "_nesting",
        "did_you_mean": "_errors",
        "digest_bytes": "_digest",
        "digest_file": "_digest",
        "digest_json": "_digest",
        "find_circle": "_nesting",
        "find_project": "_settings",
        "hide_known": "_secret",
        "is_same_person": "_actors",
        "lazy_exports": "_lazy",
        "limit_of": "_settings",
        "local_identity": "_identity",
        "new_id": "_ids",
        "now": "_clock",
        "now_micros": "_clock",
        "one_torch_thread": "_torch_alone",
        "online_store_url": "_settings",
        "available_memory": "_memory",
        "parse_bytes": "_sizes",
        "parse_duration": "_durations",
        "project_of": "penstock.core.records",
        "redact": "_secret",
        "require": "_optional",
        "require_choice": "_checks",
        "require_label": "_ids",
        "require_name": "_ids",
        "require_short": "_ids",
        "require_number": "_checks",
        "require_reason": "_checks",
        "require_type": "_checks",
        "set_clock": "_clock",
        "settings": "_settings",
        "shared_folders": "_settings",
        "short": "_digest",
        "side_by_side": "_threads",
        "summarize_error": "_errors",
        "tls_context": "_tls",
        "to_json": "penstock.core.records",
        "use_actor": "_actors",
        "use_identity": "_identity",
        "with_article": "_words",
    },
)
