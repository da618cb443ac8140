"""The MetadataStore on SQL: an object for each noun."""

from penstock.stores.metadata._artifacts import SQLArtifactIndex
from penstock.stores.metadata._audit import SQLAuditStore
from penstock.stores.metadata._database import Database
from penstock.stores.metadata._deployments import SQLDeploymentStore
from penstock.stores.metadata._documents import SQLDocumentStore
from penstock.stores.metadata._hooks import SQLHookStore
from penstock.stores.metadata._metrics import SQLMetricStore
from penstock.stores.metadata._models import SQLModelStore
from penstock.stores.metadata._outbox import Outbox
from penstock.stores.metadata._predictions import SQLPredictionStore
from penstock.stores.metadata._projects import SQLProjectStore
from penstock.stores.metadata._runs import SQLRunStore
from penstock.stores.metadata._schedules import SQLScheduleStore
from penstock.stores.metadata._settings import SQLSettingStore
from penstock.stores.metadata._steps import SQLStepStore
from penstock.stores.metadata._tokens import SQLTokenStore
from penstock.stores.metadata._users import SQLUserStore


class SQLMetadataStore:
    """MetadataStore on a database.

    Args:
        database: Database of the tables; they exist and are current.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        outbox = Outbox()
        self.runs = SQLRunStore(database, outbox)
        self.metrics = SQLMetricStore(database, self.runs)
        self.artifacts = SQLArtifactIndex(database, self.runs)
        self.steps = SQLStepStore(database, self.runs, self.artifacts, outbox)
        self.models = SQLModelStore(database, outbox)
        self.deployments = SQLDeploymentStore(database, outbox)
        self.documents = SQLDocumentStore(database)
        self.predictions = SQLPredictionStore(database)
        self.schedules = SQLScheduleStore(database)
        self.hooks = SQLHookStore(database, outbox)
        self.users = SQLUserStore(database)
        self.tokens = SQLTokenStore(database)
        self.projects = SQLProjectStore(database)
        self.audit = SQLAuditStore(database)
        self.settings = SQLSettingStore(database)

    def close(self) -> None:
        """Close the database."""
        self.database.close()
