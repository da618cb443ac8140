"""``penstock deploy``, ``deployments``, ``serve`` and ``truth``: serving of registered models."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from penstock.cli._help import actor_option, address_options, examples
from penstock.cli._output import ago, current_store, emit, json_option, plain, say, show_table
from penstock.core import (
    DeploymentRecord,
    ModelVersionRecord,
    ParameterError,
    did_you_mean,
    now,
    to_json,
)
from penstock.registry import Registry, parse_ref
from penstock.release import deploy as deploy_version
from penstock.serving import (
    Availability,
    RolloutRules,
    availability,
    rollout_outlook,
    served_names,
    stop_rollout,
)
from penstock.serving import serve as serve_deployments

if TYPE_CHECKING:
    from penstock.stores import Store


@click.command(
    epilog=examples(
        "penstock deploy churn@3",
        "penstock deploy churn@4 --canary 5,25,100 --step-requests 2000",
        "penstock deploy churn --form native",
        'penstock deploy churn --stop "latency too high"',
    )
)
@click.argument("model")
@click.option("--version", type=int, help="Version; default: the newest that may be served.")
@click.option("--canary", metavar="5,25,100", help="Percent of the traffic per canary step.")
@click.option(
    "--step-requests", type=click.IntRange(1), help="Minimum number of canary requests per step."
)
@click.option(
    "--max-error-increase",
    type=click.FloatRange(0, 100, min_open=True, max_open=True),
    metavar="PERCENT",
    help="Maximum increase of the error rate over the control, in percent points; default: 0.5.",
)
@click.option(
    "--accept-changes", metavar="REASON", help="Deploy in spite of breaking signature changes."
)
@click.option(
    "--form",
    type=click.Choice(["native", "onnx", "auto"]),
    help="Form that answers; auto: as the check at registration decided.",
)
@click.option("--stop", metavar="REASON", help="Stop the running rollout and roll back.")
@click.option("--name", help="Name of the deployment; default: the model's.")
@actor_option("deploys")
@json_option
@click.pass_context
def deploy(
    ctx: click.Context,
    model: str,
    version: int | None,
    canary: str | None,
    step_requests: int | None,
    max_error_increase: float | None,
    accept_changes: str | None,
    form: str | None,
    stop: str | None,
    name: str | None,
    actor: str | None,
    as_json: bool,
) -> None:
    """Send traffic to a version of MODEL, at once or in canary steps.

    A canary advances or rolls back automatically, by the error rate and by the metric on ground
    truth. A step passes when an error rate above the limit is excluded at the 95 % level.
    """
    store = current_store(ctx)
    model, number = _version(store, model, version)
    if stop is not None:
        record = stop_rollout(name or model, reason=stop, actor=actor, store=store)
    else:
        record = deploy_version(
            model,
            version=number,
            name=name,
            canary=_percents(canary),
            rules=_rules(step_requests, max_error_increase),
            accept_changes=accept_changes,
            form=form,  # type: ignore[arg-type] # one of the choices
            actor=actor,
            store=store,
        )
    if as_json:
        emit(record)
    else:
        say(f"[green]✓[/] {record.name}: {_traffic(record)}")
        for line in rollout_outlook(record, store=store):
            say(f"  {plain(line)}")


@click.command(epilog=examples("penstock deployments", "penstock deployments churn"))
@click.argument("name", required=False)
@json_option
@click.pass_context
def deployments(ctx: click.Context, name: str | None, as_json: bool) -> None:
    """List deployments; with NAME, traffic, rollout and events of that deployment."""
    store = current_store(ctx)
    if name is None:
        records = store.metadata.deployments.list()
        if as_json:
            emit([_listing(store, record) for record in records])
        elif not records:
            say("Nothing is deployed. Use: penstock deploy MODEL, or penstock serve MODEL.")
        else:
            show_table(
                ["name", "model", "state", "traffic", "server", "changed"],
                [
                    [
                        record.name,
                        record.model,
                        record.state,
                        _traffic(record),
                        _server(availability(record.name, store=store)),
                        ago(record.updated_at),
                    ]
                    for record in records
                ],
            )
        return
    record = store.metadata.deployments.get(name)
    events = store.metadata.deployments.list_events(name)
    if as_json:
        emit(
            {
                **_listing(store, record),
                "events": [
                    {"at": event.at, "kind": event.kind, "message": event.message}
                    for event in events
                ],
                "counts": {
                    str(version): counts
                    for version, counts in store.metadata.predictions.count(name).items()
                },
            }
        )
        return
    say(f"[bold]{record.name}[/] {record.state.value}: {_traffic(record)}")
    if record.form:
        say(f"  form: {record.form}, as deployed")
    say(f"  server: {plain(_server(availability(name, store=store)))}")
    for line in rollout_outlook(record, store=store):
        say(f"  {plain(line)}")
    show_table(
        ["at", "event", "message"], [[event.at, event.kind, event.message] for event in events]
    )


@click.command(
    epilog=examples(
        "penstock serve",
        "penstock serve churn --port 8080",
        "penstock serve models:/churn@champion",
    )
)
@click.argument("models", nargs=-1)
@address_options(8000)
@click.option(
    "--allow-remote", is_flag=True, help="Accept requests from other machines, with tokens."
)
@click.option(
    "--anonymous", is_flag=True, help="Ask nobody for a token: a gateway knows the callers."
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0),
    help="Requests per second of an address or token; 0 for any number; default: 1000, and any"
    " number with --anonymous.",
)
@click.pass_context
def serve(
    ctx: click.Context,
    models: tuple[str, ...],
    host: str,
    port: int,
    allow_remote: bool,
    anonymous: bool,
    rate: float | None,
) -> None:
    """Serve predictions of MODELS over HTTP until interrupted; default: all deployments.

    In a store with users callers send a token: `Authorization: Bearer pst_…`.
    """
    store = current_store(ctx)
    serve_deployments(
        models or None,
        host=host,
        port=port,
        allow_remote=allow_remote,
        anonymous=anonymous,
        rate=rate,
        ready=lambda url: click.echo(_serving_at(url, models, store), err=True),
        store=store,
    )


def _serving_at(url: str, names: Sequence[str], store: "Store") -> str:
    """Return the addresses of a started server; with several deployments, those of the first."""
    served = served_names(names or None, store=store) or sorted(
        record.name for record in store.metadata.deployments.list()
    )
    example = f"{url}/models/{served[0]}"
    return f"Serving at {url}  (stop with Ctrl-C)\n  POST {example}/predict; example: GET {example}"


@click.command(epilog=examples("penstock truth 06h2ccxck4cxf2s90a40 yes"))
@click.argument("prediction_id")
@click.argument("value")
@json_option
@click.pass_context
def truth(ctx: click.Context, prediction_id: str, value: str, as_json: bool) -> None:
    """Record VALUE as the ground truth of the prediction PREDICTION_ID."""
    store = current_store(ctx)
    record = store.metadata.predictions.get(prediction_id)
    version = store.metadata.models.get_version(record.model, record.version)
    label = _true_value(version, value)
    store.metadata.predictions.add_truth({record.prediction_id: label}, now())
    if as_json:
        emit({"prediction_id": record.prediction_id, "truth": label})
    else:
        line = f"{record.prediction_id}: predicted {record.prediction}, was {label}"
        say(f"[green]✓[/] {plain(line)}")


def _listing(store: "Store", record: DeploymentRecord) -> dict[str, Any]:
    status = availability(record.name, store=store)
    return {
        **to_json(record),
        "servers": list(status.servers),
        "last_answer_at": status.last_at,
    }


def _server(status: Availability) -> str:
    """Describe the servers that are up, or the time of the last prediction."""
    if status.servers:
        return ", ".join(status.servers)
    return "none running, " + (
        f"last prediction {ago(status.last_at)}" if status.last_at else "no prediction logged"
    )


def _version(store: "Store", model: str, version: int | None) -> tuple[str, int | None]:
    """Parse MODEL, MODEL@VERSION or MODEL@ALIAS, and --version."""
    name, alias = parse_ref(model)
    if alias is None:
        return name, version
    number = Registry(store=store).get(name, alias).version
    if version not in {None, number}:
        raise ParameterError(
            what=f"Two versions are named: {model} and {version}.",
            fix=f"Write {name}@{version}, or leave --version out.",
        )
    return name, number


def _true_value(version: ModelVersionRecord, text: str) -> Any:
    """Parse a true value as a value of the model's predictions; of several targets a JSON object."""
    targets = {each["name"]: each["classes"] for each in version.signature.get("targets") or ()}
    if not targets:
        return _label_or_number(version, text, version.signature.get("classes") or ())
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, dict) or set(values) != set(targets):
        shown = ", ".join(f'"{name}": …' for name in targets)
        raise ParameterError(
            what=f"{text!r} cannot be the ground truth of {version.ref}.",
            why=f"The model predicts {len(targets)} targets.",
            fix=f"Give a value for each as JSON: {{{shown}}}.",
        )
    return {
        name: _label_or_number(version, str(values[name]), classes)
        for name, classes in targets.items()
    }


def _label_or_number(version: ModelVersionRecord, text: str, labels: Sequence[Any]) -> Any:
    classes = {str(label).lower(): label for label in labels}
    if text.lower() in classes:
        return classes[text.lower()]
    try:
        if not classes and math.isfinite(number := float(text)):
            return number
    except ValueError:
        pass
    raise ParameterError(
        what=f"{text!r} cannot be the ground truth of {version.ref}.",
        why="Ground truth is compared with the predictions of the model.",
        fix=did_you_mean(text.lower(), classes) if classes else "Give a number.",
    )


def _rules(step_requests: int | None, max_error_increase: float | None) -> RolloutRules:
    rules = RolloutRules()
    if step_requests is not None:
        rules = replace(rules, step_requests=step_requests)
    if max_error_increase is not None:
        rules = replace(rules, max_error_rate_increase=max_error_increase / 100)
    return rules


def _percents(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise ParameterError(
            what=f"--canary {text!r} is not a list of percents.", fix="Write for example 5,25,100."
        ) from error


def _traffic(record: DeploymentRecord) -> str:
    return ", ".join(f"v{number} {share:.0%}" for number, share in record.weights.items() if share)
