"""Router: which loaded version answers which deployment; replaced whole, never in parts."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from penstock.core import (
    AlertRecord,
    ConflictError,
    DeploymentEvent,
    DeploymentRecord,
    DeploymentState,
    NotFoundError,
    Stage,
    did_you_mean,
    now,
    summarize_error,
)
from penstock.http import HttpError
from penstock.models import require_unsafe_allowed
from penstock.serving._deploy import ensure_deployment
from penstock.serving._presence import Presence
from penstock.serving._production import production_version
from penstock.serving._rollout import OnPromote, RolloutController, save
from penstock.serving._served_version import ServedVersion
from penstock.serving._traffic import TrafficSplit
from penstock.stores import Store

_log = logging.getLogger("penstock.serving")
_RETRY_LOAD_S = 30.0
_Key = tuple[str, int, str | None]
"""Model, version and the form that a deployment asks for."""


@dataclass(frozen=True, slots=True)
class ServedDeployment:
    """A generation of a deployment, ready to answer; immutable.

    Args:
        record: The deployment.
        split: Chooses the version.
        versions: The loaded versions by number.
    """

    record: DeploymentRecord
    split: TrafficSplit
    versions: Mapping[int, ServedVersion]

    @property
    def current(self) -> ServedVersion:
        """The version that owns most units; that signature describes the deployment to callers."""
        weights = self.record.weights
        return self.versions[max(sorted(weights), key=weights.__getitem__)]

    def choose(self, unit: str | None, version: int | None = None) -> ServedVersion:
        """Choose the version that answers.

        Args:
            unit: The caller's id, or None.
            version: A version requested by number, or None.

        Raises:
            NotFoundError: If that version is not served here.
        """
        if version is None:
            return self.versions[self.split.choose(unit).version]
        if version not in self.versions:
            raise NotFoundError(
                what=f"Deployment {self.record.name!r} does not serve version {version}.",
                fix=f"Served: {', '.join(map(str, sorted(self.versions)))}.",
                version=version,
            )
        return self.versions[version]


class _CannotServe(Exception):  # noqa: N818 - never leaves the module
    """No version can answer for a deployment; the text is the reason."""


class _LoadFailed(Exception):  # noqa: N818 - never leaves the module
    def __init__(self, version: int, error: Exception) -> None:
        super().__init__(str(error))
        self.version, self.error = version, error


class Router:
    """The routes of a server, synchronized with the store.

    Threads: ``route`` may be called from any thread; ``refresh`` and ``poll`` from a single thread.

    Args:
        store: The store of the deployments and models.
        names: Deployments (or models, which then get a deployment) to serve; None for all of them.
        on_promote: See RolloutController.

    Attributes:
        ready: True if every deployment that should be served is served.
    """

    def __init__(
        self,
        store: Store,
        names: Sequence[str] | None = None,
        *,
        on_promote: OnPromote | None = None,
    ) -> None:
        self._store, self._on_promote = store, on_promote
        self._names = tuple(names) if names is not None else None
        self._table: Mapping[str, ServedDeployment] = {}
        self._unserved: Mapping[str, str] = {}
        self._loaded: dict[_Key, ServedVersion] = {}
        self._failed: dict[_Key, float] = {}
        self._errors: dict[_Key, Exception] = {}
        self._wanted: set[_Key] = set()
        self._controllers: dict[str, RolloutController] = {}
        self._counter: int | None = None
        self._lock = threading.Lock()
        self.ready = False
        for name in self._names or ():
            ensure_deployment(name, store=store)

    @property
    def routes(self) -> Mapping[str, ServedDeployment]:
        """The routes now, by deployment name; never changed in place but replaced."""
        return self._table

    @property
    def failed(self) -> list[str]:
        """Versions that could not be loaded, as ``model@version``."""
        return sorted({f"{model}@{version}" for model, version, _ in self._failed})

    def route(self, name: str) -> ServedDeployment:
        """Return a deployment's route.

        Raises:
            NotFoundError: If this server has no such deployment.
            HttpError: 503 if the deployment cannot be served now, with the reason.
        """
        deployment = self._table.get(name)
        if deployment is None and name in self._unserved:
            raise HttpError(
                503,
                f"Deployment {name!r} cannot answer: {self._unserved[name]}",
                "The server retries automatically.",
                "Promote another version, or: penstock rollback MODEL",
            )
        if deployment is None:
            raise NotFoundError(
                what=f"No deployment {name!r} is served here.",
                fix=did_you_mean(name, self._table) or f"Run: penstock deploy {name}",
                name=name,
            )
        return deployment

    def controller(self, name: str) -> RolloutController:
        """Return the single controller of a deployment."""
        if name not in self._controllers:
            controller = RolloutController(name, on_promote=self._on_promote, store=self._store)
            self._controllers.setdefault(name, controller)  # another thread may have been first
        return self._controllers[name]

    def poll(self) -> None:
        """Advance rollouts, and load changes of the store; cheap when nothing changed."""
        for name, route in self._table.items():
            rollout = route.record.rollout
            if rollout is not None and rollout.is_open:
                self.controller(name).tick()
        due = any(time.monotonic() >= again for again in self._failed.values())
        if due or self._store.metadata.settings.change_counter() != self._counter:
            self.refresh()

    def refresh(self) -> None:
        """Load the store's deployments and swap the routes; a failed load leaves the old route."""
        with self._lock:
            # Read before the work, so that a change made meanwhile is loaded by the next poll.
            self._counter = self._store.metadata.settings.change_counter()
            self._wanted.clear()
            table: dict[str, ServedDeployment] = {}
            unserved: dict[str, str] = {}
            records = self._records()
            for record in records:
                try:
                    table[record.name] = self._route_or_old(record)
                except _CannotServe as error:
                    unserved[record.name] = str(error)
            self._table, self._unserved = table, unserved
            self.ready = len(table) == len(records)
            used = {
                (route.record.model, version, route.record.form)
                for route in table.values()
                for version in route.versions
            }
            self._loaded = {key: self._loaded[key] for key in self._loaded if key in used}
            self._failed = {key: self._failed[key] for key in self._failed if key in self._wanted}

    def _records(self) -> list[DeploymentRecord]:
        if self._names is None:
            self._deploy_undeployed()
        records = self._store.metadata.deployments.list()
        return [
            record
            for record in records
            if record.state is not DeploymentState.RETIRED
            and (self._names is None or record.name in self._names)
        ]

    def _deploy_undeployed(self) -> None:
        """Deploy every model in production that has no deployment yet."""
        served = {record.model for record in self._store.metadata.deployments.list()}
        for model in self._store.metadata.models.list():
            if model not in served and production_version(model, store=self._store) is not None:
                ensure_deployment(model, store=self._store)

    def _route_or_old(self, record: DeploymentRecord) -> ServedDeployment:
        old = self._table.get(record.name)
        self._require_version(record)
        if old is not None and old.record.generation == record.generation and self._is_settled(old):
            return old
        try:
            return self._build(record)
        except _LoadFailed as failure:
            return self._without(record, failure, old)
        except ConflictError:
            self._counter = None  # another process was first: read again at the next poll
            return _old_route(old, "another server is changing it")

    def _require_version(self, record: DeploymentRecord) -> None:
        """Check that the answering version was not taken out of use: the history records that."""
        if production_version(record.model, store=self._store) is not None:
            return
        control = self._store.metadata.models.get_version(record.model, record.control)
        if control.stage in {Stage.ARCHIVED, Stage.REJECTED}:
            raise _CannotServe(
                f"version {control.version} is {control.stage}, and no version is in production."
            )

    def _is_settled(self, route: ServedDeployment) -> bool:
        rollout = route.record.rollout
        # During a rollout only the controller changes the record.
        if rollout is not None and rollout.is_open:
            return True
        return production_version(route.record.model, store=self._store) in {
            route.record.control,
            None,
        }

    def _build(self, record: DeploymentRecord) -> ServedDeployment:
        target = self._following(record)
        numbers = sorted({*target.weights, target.control})
        versions = {number: self._load(target, number) for number in numbers}
        if target.control != record.control:
            target = save(
                self._store,
                replace(target, state=DeploymentState.LIVE),
                target.rollout,
                weights=target.weights,
                kind="followed",
                message=f"Version {target.control} is in production now and answers all requests.",
                facts={"version": target.control, "before": record.control},
            )
        elif record.state is not DeploymentState.LIVE:
            target = save(
                self._store,
                replace(target, state=DeploymentState.LIVE),
                target.rollout,
                weights=target.weights,
                kind="live",
                message="A server has loaded the deployment and answers requests.",
            )
        return ServedDeployment(target, TrafficSplit.of(target), versions)

    def _following(self, record: DeploymentRecord) -> DeploymentRecord:
        """Return the record to serve: the production version unless a rollout is running."""
        rollout = record.rollout
        production = production_version(record.model, store=self._store)
        if (rollout is not None and rollout.is_open) or production in {None, record.control}:
            return record
        assert production is not None
        return replace(record, weights={production: 1.0}, control=production)

    def _load(self, record: DeploymentRecord, version: int) -> ServedVersion:
        key = (record.model, version, record.form)
        self._wanted.add(key)
        if key in self._loaded:
            return self._loaded[key]
        if time.monotonic() < self._failed.get(key, 0.0):
            raise _LoadFailed(version, self._errors[key])
        try:
            record_of_version = self._store.metadata.models.get_version(record.model, version)
            artifact = self._store.metadata.artifacts.get(record_of_version.artifact)
            require_unsafe_allowed(artifact, "answer requests", store=self._store)
            served = ServedVersion.load(self._store, record_of_version, record.form)
        except Exception as error:
            again = key in self._failed
            self._failed[key] = time.monotonic() + _RETRY_LOAD_S
            self._errors[key] = error
            # Reported once, not at every retry.
            if not again:
                self._record_failure(record, version, error)
            raise _LoadFailed(version, error) from error
        if self._failed.pop(key, None) is not None:
            self._resolve_failure(record, version)
        self._loaded[key] = served
        return served

    def _without(
        self, record: DeploymentRecord, failure: _LoadFailed, old: ServedDeployment | None
    ) -> ServedDeployment:
        """Continue without a version that cannot be loaded: roll back, or serve the old route."""
        why = f"version {failure.version} cannot be loaded ({summarize_error(failure.error)})."
        rollout = record.rollout
        if rollout is None or not rollout.is_open:
            return _old_route(old, why)
        controller = self.controller(record.name)
        controller.fault(
            failure.version, f"Version {failure.version} cannot be loaded: {failure.error}"
        )
        after = controller.tick()
        if after.generation == record.generation:
            return _old_route(old, why)
        try:
            return self._build(after)
        except _LoadFailed:
            return _old_route(old, why)

    def _record_failure(self, record: DeploymentRecord, version: int, error: Exception) -> None:
        message = f"Version {version} cannot be loaded: {error}"[:500]
        _log.error("Deployment %s: %s", record.name, message)
        at = now()
        self._store.metadata.deployments.add_event(
            DeploymentEvent(record.name, "load_failed", message, at, {"version": version})
        )
        self._store.metadata.deployments.save_alert(
            AlertRecord(
                alert_id=_alert_id(record, version),
                deployment=record.name,
                model=record.model,
                kind="errors",
                subject=f"version {version}",
                message=message,
                raised_at=at,
                last_seen_at=at,
            )
        )

    def _resolve_failure(self, record: DeploymentRecord, version: int) -> None:
        for alert in self._store.metadata.deployments.list_alerts(record.name, open_only=True):
            if alert.alert_id == _alert_id(record, version):
                self._store.metadata.deployments.save_alert(replace(alert, resolved_at=now()))


def _old_route(old: ServedDeployment | None, why: str) -> ServedDeployment:
    if old is None:
        raise _CannotServe(why)
    return old


def _alert_id(record: DeploymentRecord, version: int) -> str:
    return f"{record.name}-load-{version}"


class Reloader:
    """A thread that polls a router until stopped, and records the server's presence.

    Args:
        router: The router to poll.
        poll_s: Seconds between polls.
        presence: Records in the store that the server is up.
    """

    def __init__(self, router: Router, poll_s: float, presence: Presence) -> None:
        self._router, self._poll_s, self._presence = router, poll_s, presence
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the polling thread."""
        self._thread = threading.Thread(target=self._run, name="penstock-reload", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop polling, and wait for the poll that is under way."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
        self._presence.end()

    def _run(self) -> None:
        failing = False
        while not self._stop.wait(self._poll_s):
            try:
                self._router.poll()
                self._presence.renew()
            except Exception as error:  # noqa: BLE001 - the old routes serve on; a later poll may work
                if not failing:
                    _log.warning("The store cannot be polled (%s); serving continues.", error)
                failing = True
            else:
                failing = False
