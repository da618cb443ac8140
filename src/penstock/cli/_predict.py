"""penstock predict: a model version over all rows of a source, into a file."""

import click

from penstock.cli._help import examples
from penstock.cli._output import current_store, emit, json_option, plain, say
from penstock.serving import predict as predict_rows


@click.command(
    epilog=examples(
        "penstock predict churn --data customers.parquet --out scores.parquet",
        "penstock predict churn@3 --data 's3://bucket/rides/*.csv' --out scores/ --on processes",
        "penstock predict churn --data new.csv --out 'postgresql://host/shop?table=scores'",
        "penstock predict churn@staging --data new.csv --out new-scores.csv --keep customer_id",
    )
)
@click.argument("model", metavar="MODEL[@VERSION]")
@click.option("--data", required=True, metavar="SOURCE", help="File, folder, glob or URL.")
@click.option(
    "--out",
    required=True,
    metavar="TARGET",
    help="File, folder that ends with a slash, or table of a database.",
)
@click.option(
    "--runner",
    "--on",
    "runner",
    type=click.Choice(["local", "processes", "ray"]),
    default="local",
    show_default=True,
    help="Where parts are predicted.",
)
@click.option("--workers", type=click.IntRange(1), help="Number of workers; by default the cores.")
@click.option("--keep", metavar="COLUMN", multiple=True, help="Column to keep beside predictions.")
@click.option("--probabilities", is_flag=True, help="Write each class's probability.")
@click.option(
    "--refused",
    type=click.Choice(["report", "stop"]),
    default="report",
    show_default=True,
    help="Report rows that the server would refuse in TARGET.refused.jsonl, or stop.",
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["parquet", "csv", "json", "arrow", "delta"]),
    help="Format of TARGET; by default from its ending. delta: a Delta table in a folder.",
)
@click.option(
    "--part-rows", type=click.IntRange(1), default=100_000, show_default=True, help="Rows at once."
)
@click.option(
    "--form",
    type=click.Choice(["native", "onnx"]),
    help="Form that answers; by default as the model server answers.",
)
@json_option
@click.pass_context
def predict(
    ctx: click.Context,
    model: str,
    data: str,
    out: str,
    runner: str,
    workers: int | None,
    keep: tuple[str, ...],
    probabilities: bool,
    refused: str,
    file_format: str | None,
    part_rows: int,
    form: str | None,
    as_json: bool,
) -> None:
    """Predict all rows of a source with MODEL, as the model server does.

    Default version: production. MODEL@staging and MODEL@latest are accepted too. The
    same command after a kill predicts the missing rows only.
    """
    done = predict_rows(
        model,
        data=data,
        out=out,
        runner=runner,  # type: ignore[arg-type] # one of the choices
        workers=workers,
        keep=keep or None,
        probabilities=probabilities,
        refused=refused,  # type: ignore[arg-type] # one of the choices
        format=file_format,
        part_rows=part_rows,
        form=form,  # type: ignore[arg-type] # one of the choices
        progress=None if as_json else lambda text: click.echo(text, err=True),
        store=current_store(ctx),
    )
    if as_json:
        emit(done)
        return
    again = f" ({done.resumed:,} parts were finished before)" if done.resumed else ""
    say(f"{done.predicted:,} rows predicted by {plain(done.version)} in {plain(done.out)}{again}.")
    if done.form == "onnx":
        say("  Its ONNX form answered, as on the server.")
    if done.warned:
        say(f"  [yellow]![/] {done.warned:,} rows have warnings: column 'warnings'.")
    if done.refused_out:
        say(f"  [yellow]![/] {done.refused:,} rows are refused: {plain(done.refused_out)}")
    for note in done.notes:
        say(f"  [yellow]![/] {plain(note)}")
    say(f"Next:  penstock lineage {done.batch_id}-0")
