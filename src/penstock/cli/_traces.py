"""``penstock traces``: requests to applications, as tracing clients recorded them."""

import click

from penstock import tracking
from penstock.cli._help import examples
from penstock.cli._output import ago, current_store, emit, json_option, plain, say, show_table
from penstock.core import to_json

_SHOWN = 60


@click.group()
def traces() -> None:
    """List traces and show the spans of one; list what applications are evaluated on."""


@traces.command(
    "list", epilog=examples("penstock traces list", "penstock traces list -e assistant")
)
@click.option("-e", "--experiment", help="Experiment of the traces; default: all.")
@click.option("--run", "run_id", metavar="RUN", help="Run in which they were made.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@json_option
@click.pass_context
def list_(
    ctx: click.Context, experiment: str | None, run_id: str | None, limit: int, as_json: bool
) -> None:
    """List traces, newest first."""
    store = current_store(ctx)
    found = tracking.list_traces(experiment, run_id=run_id, limit=limit, store=store)
    if as_json:
        emit([to_json(each) for each in found])
        return
    if not found:
        say("No traces. Applications send them by MLflow's client: @mlflow.trace")
        return
    show_table(
        ["trace", "name", "state", "experiment", "began", "seconds", "request"],
        [
            [
                each.trace_id,
                each.name,
                each.state,
                each.experiment,
                ago(each.began),
                each.seconds,
                each.request[:_SHOWN],
            ]
            for each in found
        ],
    )


@traces.command(epilog=examples("penstock traces show tr-6f0c…"))
@click.argument("trace")
@json_option
@click.pass_context
def show(ctx: click.Context, trace: str, as_json: bool) -> None:
    """Show TRACE (an id): its spans, each under the one around it."""
    found = tracking.get_trace(trace, store=current_store(ctx))
    if as_json:
        emit(to_json(found))
        return
    say(f"[bold]{plain(found.name)}[/]  {plain(found.trace_id)}  {plain(found.state)}")
    show_table(
        ["span", "kind", "state", "seconds", "model", "tokens", "outputs"],
        [
            [
                "  " * span.depth + span.name,
                span.kind,
                span.message or span.state,
                span.seconds,
                span.model,
                span.tokens.get("total"),
                "" if span.outputs is None else str(span.outputs)[:_SHOWN],
            ]
            for span in found.spans
        ],
    )
    if found.assessments:
        show_table(
            ["assessment", "kind", "value", "by", "why"],
            [
                [
                    each.name if each.is_valid else f"{each.name} (overridden)",
                    each.kind,
                    each.error or str(each.value)[:_SHOWN],
                    each.author or each.source,
                    each.rationale[:_SHOWN],
                ]
                for each in found.assessments
            ],
        )


@traces.command(
    "evaluation-sets",
    epilog=examples("penstock traces evaluation-sets", "penstock traces evaluation-sets d-06h3…"),
)
@click.argument("set_id", metavar="[SET]", required=False)
@click.option("-e", "--experiment", help="Experiment of the sets; default: all.")
@json_option
@click.pass_context
def evaluation_sets(
    ctx: click.Context, set_id: str | None, experiment: str | None, as_json: bool
) -> None:
    """List evaluation sets, or show the records of SET (an id)."""
    store = current_store(ctx)
    if set_id is not None:
        _show_set(tracking.get_evaluation_set(set_id, store=store), as_json=as_json)
        return
    found = tracking.list_evaluation_sets(experiment, store=store)
    if as_json:
        emit([to_json(each) for each in found])
        return
    if not found:
        say("No evaluation sets. MLflow's client makes them: mlflow.genai.datasets.create_dataset")
        return
    show_table(
        ["set", "name", "records", "experiments", "changed"],
        [
            [each.set_id, each.name, each.count, ", ".join(each.experiments), ago(each.changed_at)]
            for each in found
        ],
    )


def _show_set(found: tracking.EvaluationSet, *, as_json: bool) -> None:
    if as_json:
        emit(to_json(found))
        return
    say(f"[bold]{plain(found.name)}[/]  {plain(found.set_id)}  {found.count} records")
    show_table(
        ["inputs", "expectations", "source"],
        [
            [str(dict(each.inputs))[:_SHOWN], str(dict(each.expectations))[:_SHOWN], each.source]
            for each in found.records
        ],
    )
