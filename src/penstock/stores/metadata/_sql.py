"""The MetadataStore on SQL: an object for each noun."""

from penstock.stores.metadata._artifacts import Artifacts
from penstock.stores.metadata._changes import Changes
from penstock.stores.metadata._database import Database
from penstock.stores.metadata._deployments import Deployments
from penstock.stores.metadata._hooks import Hooks, Outbox
from penstock.stores.metadata._metrics import Metrics
from penstock.stores.metadata._models import Models
from penstock.stores.metadata._predictions import Predictions
from penstock.stores.metadata._runs import Runs
from penstock.stores.metadata._schedules import Schedules
from penstock.stores.metadata._steps import Steps


class SQLMetadataStore:
    """MetadataStore on a database.

    Args:
        database: Database of the tables; they exist and are current.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        outbox = Outbox()
        self.runs = Runs(database, outbox)
        self.metrics = Metrics(database, self.runs)
        self.artifacts = Artifacts(database, self.runs)
        self.steps = Steps(database, self.runs, self.artifacts, outbox)
        self.models = Models(database)
        self.deployments = Deployments(database)
        self.predictions = Predictions(database)
        self.schedules = Schedules(database)
        self.hooks = Hooks(database, outbox)
        self.settings = Changes(database)

    def close(self) -> None:
        """Close the database."""
        self.database.close()
