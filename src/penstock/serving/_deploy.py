"""deploy, stop_rollout: decide which versions answer a deployment; nothing is loaded here."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

from penstock.core import (
    ConflictError,
    DeploymentEvent,
    DeploymentRecord,
    DeploymentState,
    ModelVersionRecord,
    NotFoundError,
    ParameterError,
    RolloutRules,
    current_actor,
    did_you_mean,
    now,
    require_name,
)
from penstock.evaluation.sequential import NEED_POSITIVE
from penstock.hooks import Courier
from penstock.models import require_onnx_form
from penstock.registry import Registry
from penstock.serving._forms import choose_form
from penstock.serving._loadable import require_loadable
from penstock.serving._production import production_version, require_model
from penstock.serving._rollout import roll_back
from penstock.serving.policies import Canary, TrafficPolicy
from penstock.stores import Store, open_store
from penstock.tables import why_unknown

_SERVER = "server"
_FORMS = ("native", "onnx", "auto")
DeployedForm: TypeAlias = Literal["native", "onnx", "auto"]


def deploy(
    model: str,
    *,
    version: int | None = None,
    name: str | None = None,
    canary: Sequence[int] | None = None,
    rules: RolloutRules | None = None,
    accept_changes: str | None = None,
    form: DeployedForm | None = None,
    actor: str | None = None,
    store: Store | str | None = None,
) -> DeploymentRecord:
    """Deploy a model version: all traffic at once, or in canary steps.

    All at once means: the version becomes the production version, by the registry's rules, and
    answers every request. With canary steps the production version remains the control and the new
    version gets a growing share until promotion or rollback. A deployment without a running
    rollout follows the production version automatically.

    A rollout ends in production, so a version that cannot be promoted gets no traffic at all: the
    version is checked here, again before each step that increases the share, and at promotion.

    ```python
    deploy("big-tips")  # the production version
    deploy("big-tips", version=4, canary=(5, 25, 100))
    ```

    Args:
        model: The model's name.
        version: The version's number; None for the production version, or with ``canary`` for the
            newest version that has not been promoted, archived or rejected.
        name: The deployment's name; by default the model's.
        canary: Percent of units per step, rising to 100; None for all at once.
        rules: When the rollout advances and when it is rolled back.
        accept_changes: Why the version may refuse requests that the production version answers;
            without a reason such a version is refused.
        form: The form that answers: ``native``, ``onnx``, or ``auto`` for the form that each
            version's check decided; None leaves the deployment unchanged.
        actor: Actor of the deployment.
        store: The store where the model is registered; by default the project's.

    Returns:
        The deployment; the state becomes ``live`` once a server has loaded the version.

    Raises:
        NotFoundError: If the model or version does not exist, or nothing is in production.
        ConflictError: If a rollout is running, or the version was rejected.
        GateError: If the version may not be promoted, or callers would break.
        DataError: If ``form`` is ``onnx``, and the version's ONNX form did not agree, or was not tried.
        SerializationError: If no model server can load the version: files that MLflow's client registered.
        ParameterError: If ``form`` is none of the three.
    """
    store = open_store(store)
    if accept_changes:
        rules = replace(rules or RolloutRules(), accepted_changes=accept_changes)
    name = require_name(name or model, "deployment")
    require_model(store, model)
    existing = _existing(store, name, model)
    requested_form = _read_form(form, existing)
    if canary is None:
        return _deploy_at_once(
            store,
            existing,
            model,
            version,
            name=name,
            form=requested_form,
            actor=actor,
            accept_changes=accept_changes,
        )
    policy = Canary(canary, rules)
    return _deploy_gradually(
        store, existing, model, version, name=name, form=requested_form, policy=policy, actor=actor
    )


def _require_positive(rules: RolloutRules, version: ModelVersionRecord) -> None:
    """Refuse to watch a metric whose value depends on a positive class that is not known.

    Raises:
        ParameterError: If the rules watch such a metric.
    """
    signature = version.signature
    watched = rules.metric[0] if rules.metric else ""
    if watched not in NEED_POSITIVE or signature.get("positive") is not None:
        return
    classes = signature.get("classes", ())
    if len(classes) != 2:  # noqa: PLR2004 - a question about two
        return
    raise ParameterError(
        what=f"The rollout cannot watch {watched} of {version.ref}: {why_unknown(classes)}.",
        why="The figure of the other class is another one.",
        fix="Register a version that was evaluated with positive=, or watch accuracy.",
        metric=watched,
    )


def stop_rollout(
    name: str, *, reason: str, actor: str | None = None, store: Store | str | None = None
) -> DeploymentRecord:
    """Stop a deployment's running rollout and return all traffic to the control.

    Args:
        name: The deployment.
        reason: Why, as a sentence.
        actor: Actor of the stop; by default the user of this process.
        store: The store of the deployment; by default the project's.

    Raises:
        NotFoundError: If the deployment does not exist.
        ConflictError: If no rollout is running.
    """
    store = open_store(store)
    record = store.metadata.deployments.get(name)
    rollout = record.rollout
    if rollout is None or not rollout.is_open:
        raise ConflictError(
            what=f"Deployment {name!r} has no running rollout.",
            fix=f"To go back to an earlier version, run: penstock rollback {record.model}",
            name=name,
        )
    with Courier(store=store):
        return roll_back(store, record, rollout, f"Stopped by {actor or current_actor()}: {reason}")


def ensure_deployment(name: str, *, store: Store) -> DeploymentRecord:
    """Return a deployment by name; create that if a model of that name has a production version.

    Args:
        name: The deployment's or the model's name.
        store: The store of the deployment or model.

    Raises:
        NotFoundError: If there is neither.
    """
    deployments = {record.name: record for record in store.metadata.deployments.list()}
    if name in deployments:
        return deployments[name]
    models = store.metadata.models.list()
    if name not in models:
        raise NotFoundError(
            what=f"There is no deployment or model {name!r} in {store.url}.",
            why="A server needs a model version to answer with.",
            fix=did_you_mean(name, [*deployments, *models])
            or "Run a pipeline with a register step, then: penstock promote MODEL",
            name=name,
        )
    return deploy(name, actor=_SERVER, store=store)


def _deploy_at_once(
    store: Store,
    existing: DeploymentRecord | None,
    model: str,
    version: int | None,
    *,
    name: str,
    form: str | None,
    actor: str | None,
    accept_changes: str | None,
) -> DeploymentRecord:
    who = actor or "deploy"
    registry = Registry(store=store)
    production = production_version(model, store=store)
    if version is not None and version != production:
        require_loadable(registry.get(model, version), store=store)
        registry.promote(
            model,
            version,
            actor=who,
            reason=f"Deployed to {name} all at once.",
            accept_changes=accept_changes,
        )
        production = version
    if production is None:
        raise _nothing_in_production(model)
    require_loadable(registry.get(model, production), store=store)
    answering = _require_form(store, model, production, form)
    return _write(
        store,
        existing,
        _record(name, model, production, form),
        DeploymentEvent(
            name,
            "deployed",
            f"Version {production} answers all requests"
            + (f", in its {answering} form." if form else "."),
            now(),
            {"actor": who, "version": production, "form": answering},
        ),
    )


def _deploy_gradually(
    store: Store,
    existing: DeploymentRecord | None,
    model: str,
    version: int | None,
    *,
    name: str,
    form: str | None,
    policy: TrafficPolicy,
    actor: str | None,
) -> DeploymentRecord:
    control = production_version(model, store=store)
    if control is None:
        raise _nothing_in_production(model)
    registry = Registry(store=store)
    # Chosen once, so that the version checked here is the version rolled out.
    new = registry.newest_candidate(model).version if version is None else version
    rollout = policy.start(new, control)
    for number in (new, control):
        require_loadable(registry.get(model, number), store=store)
    _require_positive(rollout.rules, registry.get(model, new))
    registry.require_promotable(model, new, accept_changes=bool(rollout.rules.accepted_changes))
    _require_form(store, model, new, form)
    changes = registry.compare_signatures(model, new)
    notes = " ".join((*changes.breaking, *changes.notes))
    weights = policy.weights(rollout)
    return _write(
        store,
        existing,
        replace(_record(name, model, control, form), weights=weights, rollout=rollout),
        DeploymentEvent(
            name,
            "rollout_started",
            f"Version {new} gets {rollout.percent} % of the units, version {control} the rest."
            + (f" For callers: {notes}" if notes else ""),
            now(),
            {
                "actor": actor or "deploy",
                "version": new,
                "steps": list(rollout.steps),
                "changes": [*changes.breaking, *changes.notes],
            },
        ),
    )


def _existing(store: Store, name: str, model: str) -> DeploymentRecord | None:
    deployment = next((one for one in store.metadata.deployments.list() if one.name == name), None)
    if deployment is None:
        return None
    if deployment.model != model:
        raise ConflictError(
            what=f"Deployment {name!r} serves the model {deployment.model!r}.",
            why="A deployment keeps its model, so that its callers keep their columns.",
            fix=f"Choose another name for {model!r} with --name.",
            name=name,
        )
    rollout = deployment.rollout
    if rollout is not None and rollout.is_open:
        raise ConflictError(
            what=f"Deployment {name!r} is rolling out version {rollout.version} "
            f"({rollout.percent} %, {rollout.state}).",
            why="Two rollouts at the same time cannot be distinguished.",
            fix=f"Look with: penstock deployments {name}. Wait for it, or stop it with "
            "penstock.serving.stop_rollout.",
            name=name,
        )
    return deployment


def _read_form(form: str | None, existing: DeploymentRecord | None) -> str | None:
    """Return the form to record: the deployment's own where none is named."""
    if form is None:
        return existing.form if existing else None
    if form not in _FORMS:
        raise ParameterError(
            what=f"form={form!r} is not known.", fix=did_you_mean(form, _FORMS), form=form
        )
    return None if form == "auto" else form


def _require_form(store: Store, model: str, version: int, form: str | None) -> str:
    """Check that the version has the form, and return the form that will answer."""
    record = store.metadata.models.get_version(model, version)
    if form == "onnx":
        require_onnx_form(record, store=store)
    return choose_form(store, record, form)


def _record(name: str, model: str, version: int, form: str | None) -> DeploymentRecord:
    return DeploymentRecord(
        name=name,
        model=model,
        state=DeploymentState.PENDING,
        weights={version: 1.0},
        control=version,
        updated_at=now(),
        form=form,
    )


def _write(
    store: Store,
    existing: DeploymentRecord | None,
    record: DeploymentRecord,
    event: DeploymentEvent,
) -> DeploymentRecord:
    # The generation guards the write: a change by another process since the read is a conflict.
    if existing is not None:
        record = replace(record, state=existing.state, generation=existing.generation)
    with Courier(store=store):
        return store.metadata.deployments.save(
            record, expected_generation=existing.generation if existing else None, event=event
        )


def _nothing_in_production(model: str) -> NotFoundError:
    return NotFoundError(
        what=f"Model {model!r} has no version in production.",
        why="There is nothing that could answer requests.",
        fix=f"Run: penstock promote {model}",
        model=model,
    )
