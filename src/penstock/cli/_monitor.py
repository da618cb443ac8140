"""``penstock monitor`` and ``alerts``: drift and performance of a deployed model."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from penstock.cli._help import examples
from penstock.cli._output import ago, current_store, emit, json_option, plain, say, show_table
from penstock.core import ParameterError, now, parse_duration
from penstock.monitoring import (
    EVERYTHING,
    Monitor,
    Trigger,
    render_html,
    render_markdown,
    start_pipeline,
)


@click.command(
    epilog=examples(
        "penstock monitor churn --since 7d --html drift.html",
        "penstock monitor churn --retrain churn.py",
    )
)
@click.argument("name")
@click.option(
    "--since",
    metavar="TIME",
    help="ISO time, an age (7d), or 'all'; default: the last day, or the newest 1,000 rows.",
)
@click.option("--until", metavar="TIME", help="ISO time or an age; default: now.")
@click.option(
    "--html", type=click.Path(path_type=Path), help="Write the report with figures to this file."
)
@click.option("--retrain", metavar="TARGET", help="Pipeline to run with a new cutoff after drift.")
@click.option(
    "--cool-down", default="1d", show_default=True, help="Minimum time between two retraining runs."
)
@json_option
@click.pass_context
def monitor(
    ctx: click.Context,
    name: str,
    since: str | None,
    until: str | None,
    html: Path | None,
    retrain: str | None,
    cool_down: str,
    as_json: bool,
) -> None:
    """Check the deployment NAME: drift of features and predictions; performance on ground truth.

    Exits with 1 after drift, and with 2 if the rows are too few to detect or to exclude a change
    above the minimum effect size.
    """
    store = current_store(ctx)
    report = Monitor(name, store=store).check(since=_start(since), until=_moment(until))
    if html:
        _write(html, render_html(report))
    decision = None
    if retrain:
        trigger = Trigger(
            start=start_pipeline(retrain, store=store), cool_down=cool_down, store=store
        )
        decision = trigger.consider(report)
    if as_json:
        started = {"retrain": decision} if decision else {}
        emit({**report.to_json(), **started})
    else:
        say(plain(render_markdown(report)))
        if decision:
            say(plain(decision.reason))
        if html:
            say(f"Report: {plain(html)}")
    if report.drifted:
        sys.exit(1)
    sys.exit(0 if report.verdict == "steady" else 2)


@click.command(epilog=examples("penstock alerts", "penstock alerts churn --all"))
@click.argument("name", required=False)
@click.option("--all", "with_resolved", is_flag=True, help="Include resolved alerts.")
@json_option
@click.pass_context
def alerts(ctx: click.Context, name: str | None, with_resolved: bool, as_json: bool) -> None:
    """List open alerts of the deployment NAME, or of all deployments."""
    metadata = current_store(ctx).metadata
    if name is not None:
        metadata.deployments.get(name)  # a misspelt name must not look like the absence of alerts
    listed = metadata.deployments.list_alerts(name, open_only=not with_resolved)
    if as_json:
        emit(listed)
    elif not listed:
        say("No alerts." if with_resolved else "No open alerts.")
    else:
        show_table(
            ["deployment", "kind", "subject", "message", "raised", "seen"],
            [
                [a.deployment, a.kind, a.subject, a.message, ago(a.raised_at), a.count]
                for a in listed
            ],
        )


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ParameterError(
            what=f"The report cannot be written to {path}: {error.strerror}.",
            fix="Name a file in a folder that exists: --html drift.html",
        ) from error


def _start(text: str | None) -> datetime | None:
    return EVERYTHING if text == "all" else _moment(text)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            return now() - parse_duration(text)
        except ParameterError as error:
            raise ParameterError(
                what=f"{text!r} is neither a time nor a duration.",
                fix="Write for example 2026-11-01, 2026-11-01T12:00 or 7d.",
            ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
