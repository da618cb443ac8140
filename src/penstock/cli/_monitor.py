"""``penstock monitor`` and ``alerts``: is the deployed model still good?"""

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from penstock.cli._output import ago, current_store, emit, json_option, say, show_table
from penstock.core import ParameterError, now, parse_duration
from penstock.monitoring import Monitor


@click.command()
@click.argument("name")
@click.option("--since", metavar="TIME", help="ISO time, or how long ago (7d); default: all.")
@click.option("--until", metavar="TIME", help="ISO time, or how long ago; default: now.")
@click.option(
    "--html", type=click.Path(path_type=Path), help="Write the report with pictures here."
)
@json_option
@click.pass_context
def monitor(
    ctx: click.Context,
    name: str,
    since: str | None,
    until: str | None,
    html: Path | None,
    as_json: bool,
) -> None:
    """Check the deployment NAME: drift of features and predictions, performance where truth came.

    Leaves with 1 if something drifted.
    """
    report = Monitor(current_store(ctx), name).check(since=_moment(since), until=_moment(until))
    if html:
        html.write_text(report.to_html(), encoding="utf-8")
    if as_json:
        emit(report.to_json())
    else:
        say(report.to_markdown().replace("[", r"\["))
        if html:
            say(f"Report: {html}")
    sys.exit(1 if report.drifted else 0)


@click.command()
@click.argument("name", required=False)
@click.option("--all", "with_resolved", is_flag=True, help="Resolved ones too.")
@json_option
@click.pass_context
def alerts(ctx: click.Context, name: str | None, with_resolved: bool, as_json: bool) -> None:
    """List open alerts, of the deployment NAME or of all."""
    found = current_store(ctx).metadata.list_alerts(name, open_only=not with_resolved)
    if as_json:
        emit(
            [
                {
                    "alert_id": alert.alert_id,
                    "deployment": alert.deployment,
                    "kind": alert.kind,
                    "subject": alert.subject,
                    "message": alert.message,
                    "raised_at": alert.raised_at,
                    "resolved_at": alert.resolved_at,
                    "count": alert.count,
                }
                for alert in found
            ]
        )
    elif not found:
        say("No open alerts.")
    else:
        show_table(
            ["deployment", "kind", "subject", "message", "raised", "seen"],
            [
                [a.deployment, a.kind, a.subject, a.message, ago(a.raised_at), a.count]
                for a in found
            ],
        )


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
