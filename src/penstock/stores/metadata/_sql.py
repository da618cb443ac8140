"""The MetadataStore on SQL: one object with the methods of every noun's part."""

from penstock.stores.metadata._artifacts import Artifacts
from penstock.stores.metadata._catalog import Catalog
from penstock.stores.metadata._changes import Changes
from penstock.stores.metadata._database import Database
from penstock.stores.metadata._deployments import Deployments
from penstock.stores.metadata._hooks import Hooks, Outbox
from penstock.stores.metadata._metrics import Metrics
from penstock.stores.metadata._predictions import Predictions
from penstock.stores.metadata._registry import Registry
from penstock.stores.metadata._runs import Runs
from penstock.stores.metadata._schedules import Schedules
from penstock.stores.metadata._steps import Steps
from penstock.stores.metadata._turns import Turns


class SQLMetadataStore:
    """Implements MetadataStore by handing each call to the part that knows the noun.

    Args:
        database: Where the tables are; they exist and are current.
    """

    def __init__(self, database: Database) -> None:  # noqa: PLR0915 - one line for each method
        self.database = database
        outbox = Outbox()
        runs = Runs(database, outbox)
        self.create_run = runs.create_run
        self.get_run = runs.get_run
        self.update_run = runs.update_run
        self.beat = runs.beat
        self.kill_dead_runs = runs.kill_dead_runs
        self.note_missed = runs.note_missed
        self.search_runs = runs.search_runs
        self.count_runs = runs.count_runs
        self.list_experiments = runs.list_experiments
        self.log_params = runs.log_params
        self.set_tags = runs.set_tags
        self.delete_tags = runs.delete_tags
        metrics = Metrics(database, runs)
        self.log_metrics = metrics.log_metrics
        self.append_metrics = metrics.append_metrics
        self.journal_position = metrics.journal_position
        self.forget_journal = metrics.forget_journal
        self.merge_metrics = metrics.merge_metrics
        self.metric_history = metrics.metric_history
        self.copy_metrics = metrics.copy_metrics
        artifacts = Artifacts(database, runs)
        steps = Steps(database, runs, artifacts, outbox)
        self.start_step = steps.start_step
        self.finish_step = steps.finish_step
        self.list_steps = steps.list_steps
        self.find_cached_step = steps.find_cached_step
        self.add_logs = steps.add_logs
        self.list_logs = steps.list_logs
        self.add_artifacts = artifacts.add_artifacts
        self.renew_artifacts = artifacts.renew_artifacts
        self.get_artifact = artifacts.get_artifact
        self.log_artifact = artifacts.log_artifact
        self.log_artifacts = artifacts.log_artifacts
        self.drop_artifacts = artifacts.drop_artifacts
        self.list_artifacts = artifacts.list_artifacts
        self.add_edges = artifacts.add_edges
        self.list_edges = artifacts.list_edges
        self.add_snapshot = artifacts.add_snapshot
        self.last_snapshot = artifacts.last_snapshot
        turns = Turns(database, runs)
        self.add_decision = turns.add_decision
        self.list_decisions = turns.list_decisions
        self.take_lease = turns.take_lease
        self.list_holders = turns.list_holders
        self.drop_lease = turns.drop_lease
        schedules = Schedules(database)
        self.save_schedule = schedules.save_schedule
        self.get_schedule = schedules.get_schedule
        self.list_schedules = schedules.list_schedules
        self.delete_schedule = schedules.delete_schedule
        self.advance_schedule = schedules.advance_schedule
        self.add_tick = schedules.add_tick
        self.list_ticks = schedules.list_ticks
        self.claim_tick = schedules.claim_tick
        self.update_tick = schedules.update_tick
        hooks = Hooks(database, outbox)
        self.save_hook = hooks.save_hook
        self.get_hook = hooks.get_hook
        self.list_hooks = hooks.list_hooks
        self.delete_hook = hooks.delete_hook
        self.list_events = hooks.list_events
        self.count_events = hooks.count_events
        self.drop_events = hooks.drop_events
        self.update_event = hooks.update_event
        self.add_proof = artifacts.add_proof
        self.list_proofs = artifacts.list_proofs
        registry = Registry(database)
        self.create_model_version = registry.create_model_version
        self.get_model_version = registry.get_model_version
        self.list_models = registry.list_models
        self.list_model_versions = registry.list_model_versions
        self.update_model_version = registry.update_model_version
        self.move_stages = registry.move_stages
        self.list_stage_events = registry.list_stage_events
        self.version_at = registry.version_at
        self.add_approval = registry.add_approval
        self.list_approvals = registry.list_approvals
        deployments = Deployments(database)
        self.save_deployment = deployments.save_deployment
        self.get_deployment = deployments.get_deployment
        self.list_deployments = deployments.list_deployments
        self.add_deployment_event = deployments.add_deployment_event
        self.list_deployment_events = deployments.list_deployment_events
        self.add_report = deployments.add_report
        self.list_reports = deployments.list_reports
        self.save_alert = deployments.save_alert
        self.list_alerts = deployments.list_alerts
        predictions = Predictions(database)
        self.add_predictions = predictions.add_predictions
        self.get_prediction = predictions.get_prediction
        self.get_predictions = predictions.get_predictions
        self.add_truth = predictions.add_truth
        self.list_predictions = predictions.list_predictions
        self.count_predictions = predictions.count_predictions
        catalog = Catalog(database)
        self.search_experiments = catalog.search_experiments
        self.update_experiment = catalog.update_experiment
        self.set_experiment_tags = catalog.set_experiment_tags
        self.search_models = catalog.search_models
        self.update_model = catalog.update_model
        self.set_model_tags = catalog.set_model_tags
        self.search_versions = catalog.search_versions
        self.set_version_tags = catalog.set_version_tags
        changes = Changes(database)
        self.change_counter = changes.change_counter
        self.get_setting = changes.get_setting
        self.add_setting = changes.add_setting
        self.set_setting = changes.set_setting

    def close(self) -> None:
        """Close the database."""
        self.database.close()
