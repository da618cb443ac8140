"""penstock explain: the contribution of each input to a prediction, for a row or a logged prediction."""

import json
from typing import Any

import click

from penstock.cli._help import examples
from penstock.cli._output import current_store, emit, json_option, plain, say, show_table
from penstock.core import ParameterError
from penstock.registry import Registry, explain_prediction, explain_version, parse_ref

_SHOWN = 20


@click.command(
    epilog=examples(
        'penstock explain churn --row \'{"age": 41, "plan": "basic"}\'',
        "penstock explain --prediction 01JD…",
        'penstock explain churn@3 --row \'{"age": 41, "plan": "basic"}\' --json',
    )
)
@click.argument("model", required=False)
@click.option("--row", metavar="JSON", help="Inputs by column name, as in a request.")
@click.option("--prediction", metavar="ID", help="Id of a logged prediction.")
@json_option
@click.pass_context
def explain(
    ctx: click.Context,
    model: str | None,
    row: str | None,
    prediction: str | None,
    as_json: bool,
) -> None:
    """Show how much each input of MODEL or MODEL@VERSION contributes to a prediction."""
    store = current_store(ctx)
    if (row is None) == (prediction is None) or (row is None) != (model is None):
        raise ParameterError(
            what="An explanation is of one row or of one logged prediction.",
            why="The contributions depend on the inputs.",
            fix="Write penstock explain MODEL --row JSON, or penstock explain --prediction ID.",
        )
    if prediction is not None:
        explanation = explain_prediction(prediction, store=store)
    else:
        name, number = parse_ref(str(model))
        registry = Registry(store=store)
        version = registry.get(name, number) if number is not None else _current(registry, name)
        explanation = explain_version(version, [_read_row(str(row))], store=store)
    document = explanation.row(0)
    if as_json:
        emit(document)
        return
    say(f"{plain(document['explains'])}: {document['output']:.4g} ({document['method']})")
    say(f"base value {document['base']:.4g}, and the contributions:")
    shown = document["contributions"][:_SHOWN]
    show_table(
        ["input", "value", "contribution"],
        [[each["input"], each["value"], f"{each['contribution']:+.4g}"] for each in shown],
    )
    if len(document["contributions"]) > len(shown):
        say(
            f"{len(document['contributions']) - len(shown)} smaller ones are not shown; see --json."
        )


def _current(registry: Registry, name: str) -> Any:
    """Return the production version, else the newest."""
    champion = registry.champion(name)
    return champion if champion is not None else registry.list(name)[-1]


def _read_row(text: str) -> dict[str, Any]:
    try:
        row = json.loads(text)
    except ValueError as error:
        raise ParameterError(
            what=f"--row is no JSON: {error}.",
            fix='Write the inputs as an object: --row \'{"age": 41, "plan": "basic"}\'',
        ) from error
    if not isinstance(row, dict):
        raise ParameterError(
            what=f"--row is a JSON {type(row).__name__}, not an object.",
            fix='Write the inputs as an object: --row \'{"age": 41, "plan": "basic"}\'',
        )
    return row
