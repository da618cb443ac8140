"""``penstock new``: a readable pipeline for the user's own table."""

from pathlib import Path

import click

from penstock.cli._help import examples
from penstock.cli._output import emit, json_option, plain, say
from penstock.scaffolding import MODEL_CHOICES, ModelChoice, new_project


@click.command(
    epilog=examples(
        "penstock new churn --data telco_churn.csv --target Churn",
        "penstock new churn --data postgresql://db/shop --table customers --target left --time at",
        "penstock new churn --data telco_churn.csv --target Churn --model xgboost",
        'penstock new tips --data "taxi/*.parquet" --target big_tip --time pickup_at --group driver',
    )
)
@click.argument("name")
@click.option(
    "--data",
    required=True,
    metavar="TEXT",
    help="Table: file, folder, glob, Delta table or database, or a URL.",
)
@click.option("--table", metavar="NAME", help="Table of a database.")
@click.option("--query", metavar="SELECT", help="Query of a database, in the place of a table.")
@click.option("--target", required=True, metavar="COL", help="Column to predict.")
@click.option("--time", metavar="COL", help="Time column; two as DATE,HOUR.")
@click.option("--group", metavar="COL", help="Column whose groups must not be split.")
@click.option("--no-header", is_flag=True, help="The first line is data; name the columns.")
@click.option("--columns", metavar="A,B,…", help="Column names in file order.")
@click.option(
    "--folder", type=click.Path(path_type=Path), help="Folder to write to; default: ./NAME."
)
@click.option(
    "--model",
    type=click.Choice(MODEL_CHOICES),
    default="auto",
    show_default=True,
    help="Kind of model; auto chooses by task and size.",
)
@json_option
def new(
    name: str,
    data: str,
    table: str | None,
    query: str | None,
    target: str,
    time: str | None,
    group: str | None,
    no_header: bool,
    columns: str | None,
    folder: Path | None,
    model: ModelChoice,
    as_json: bool,
) -> None:
    """Create a pipeline file for a table, with a README and a test; the file runs as written."""
    project = new_project(
        name,
        data=data,
        target=target,
        time=time,
        group=group,
        table=table,
        query=query,
        has_header=not no_header,
        columns=[part.strip() for part in columns.split(",")] if columns else None,
        folder=folder,
        model=model,
    )
    if as_json:
        files = [str(path) for path in project.files]
        facts = {"folder": str(project.folder), "file": str(project.file), "files": files}
        emit({**facts, "expectations": list(project.checks)})
        return
    say(f"[bold]{plain(_near(project.file))}[/]  ({project.task})")
    for note in project.notes.lines():
        say(f"  • {plain(note)}")
    say(f"\nalso written: {plain(', '.join(path.name for path in project.files[1:]))}")
    say("expectations of later readings, checked on these rows:")
    for check in project.checks:
        mark = "[bold red]✗[/]" if check["findings"] else "[bold green]✓[/]"
        say(f"  {mark} {plain(', '.join(check['columns']))}: {check['expects']}")
    say("  • learned: like the readings before, from the fourth one on")
    say(f"Next:  penstock run {plain(_near(project.file))}")


def _near(path: Path) -> Path:
    """Return a path relative to the current folder if below that folder."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
