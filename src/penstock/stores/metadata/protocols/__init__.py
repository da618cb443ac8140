"""A protocol for each noun of the metadata store."""

from penstock.stores.metadata.protocols._artifacts import ArtifactIndex
from penstock.stores.metadata.protocols._audit import AuditStore
from penstock.stores.metadata.protocols._deployments import DeploymentStore
from penstock.stores.metadata.protocols._documents import DocumentStore
from penstock.stores.metadata.protocols._hooks import HookStore
from penstock.stores.metadata.protocols._metrics import MetricStore
from penstock.stores.metadata.protocols._models import ModelStore
from penstock.stores.metadata.protocols._predictions import PredictionStore
from penstock.stores.metadata.protocols._projects import ProjectStore
from penstock.stores.metadata.protocols._runs import RunStore
from penstock.stores.metadata.protocols._schedules import ScheduleStore
from penstock.stores.metadata.protocols._settings import SettingStore
from penstock.stores.metadata.protocols._steps import StepStore
from penstock.stores.metadata.protocols._tokens import TokenStore
from penstock.stores.metadata.protocols._users import UserStore

__all__ = [
    "ArtifactIndex",
    "AuditStore",
    "DeploymentStore",
    "DocumentStore",
    "HookStore",
    "MetricStore",
    "ModelStore",
    "PredictionStore",
    "ProjectStore",
    "RunStore",
    "ScheduleStore",
    "SettingStore",
    "StepStore",
    "TokenStore",
    "UserStore",
]
