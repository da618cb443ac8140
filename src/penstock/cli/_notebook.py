"""``penstock notebook``: notebooks checked, executed, promoted to pipelines, and kept in step with scripts."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

import penstock
from penstock.cli._help import examples
from penstock.cli._output import current_store, duration, emit, json_option, plain, say
from penstock.cli._run import pairs
from penstock.core import RunState, StepState
from penstock.notebooks import (
    FindingLevel,
    NotebookFinding,
    NotebookReport,
    NotebookResult,
    check_notebooks,
    run_notebook,
    to_sarif,
)

_MARKS: dict[FindingLevel, str] = {
    "error": "[bold red]✗[/]",
    "warning": "[yellow]![/]",
    "info": "·",
}
_STATES = {StepState.FINISHED: "[bold green]✓[/]", StepState.FAILED: "[bold red]✗[/]"}
_NOUNS: dict[FindingLevel, str] = {"error": "error", "warning": "warning", "info": "remark"}


@click.group()
def notebook() -> None:
    """Check, run, promote and sync notebooks."""


@notebook.command(
    epilog=examples(
        "penstock notebook check analysis.ipynb",
        "penstock notebook check notebooks/ --fail-on warning",
        "penstock notebook check notebooks/ --sarif > notebooks.sarif",
    )
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "info"]),
    default="error",
    show_default=True,
    help="Least severe level that counts as a negative result.",
)
@click.option("--sarif", "as_sarif", is_flag=True, help="Print a SARIF 2.1.0 log only.")
@json_option
def check(paths: Sequence[Path], fail_on: FindingLevel, as_sarif: bool, as_json: bool) -> None:
    """Check the notebooks of PATHS: order, hidden state, leakage, seeds, paths, packages.

    A comment "# penstock: ignore NB5 REASON" suppresses a rule for its line; on a line of its own,
    for the cell.
    """
    if as_json and as_sarif:
        raise click.UsageError("--json and --sarif exclude each other.")
    reports = check_notebooks(paths)
    failed = any(report.counting(fail_on) for report in reports)
    if as_sarif:
        emit(to_sarif(reports, penstock.__version__))
    elif as_json:
        emit({"ok": not failed, "notebooks": [report.to_json() for report in reports]})
    else:
        _say_reports(reports)
    sys.exit(1 if failed else 0)


def _say_reports(reports: Sequence[NotebookReport]) -> None:
    for report in reports:
        counting = report.counting()
        if counting:
            say(f"[bold]{plain(report.path)}[/]")
        for found in counting:
            _say_finding(found)
    counts = Counter(found.level for report in reports for found in report.counting())
    hidden = sum(found.suppressed is not None for report in reports for found in report.findings)
    parts = [
        f"{counts[level]} {noun}{'s' * (counts[level] != 1)}" for level, noun in _NOUNS.items()
    ]
    parts += [f"{hidden} suppressed"] if hidden else []
    say(f"{len(reports)} notebook{'s' * (len(reports) != 1)}: {', '.join(parts)}")


def _say_finding(found: NotebookFinding) -> None:
    place = f"cell {found.cell}, line {found.line}: " if found.cell else ""
    say(f"  {_MARKS[found.level]} {found.rule} {place}{plain(found.message)}")
    if found.level != "info":
        say(f"      [dim]{plain(found.why)}[/]")
    say(f"      {plain(found.repair)}")


@notebook.command(
    epilog=examples(
        "penstock notebook run analysis.ipynb",
        "penstock notebook run analysis.ipynb -p size=0.3 -o out/analysis.ipynb",
        "penstock notebook run analysis.ipynb --twice",
    )
)
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "-p", "--param", "params", multiple=True, metavar="NAME=VALUE",
    help="Value of a parameter: a name in the cell tagged parameters; repeatable.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write the executed notebook."
)
@click.option("--keep-going", is_flag=True, help="Execute the cells after a failed one too.")
@click.option("--twice", is_flag=True, help="Execute in two fresh kernels and compare the outputs.")
@click.option("--timeout", metavar="SECONDS", type=float, help="Longest duration of a cell.")
@click.option("--kernel", default="python3", show_default=True, help="Name of the Jupyter kernel.")
@click.option("--name", help="Name of the run; default: the file's.")
@click.option("--experiment", default="notebooks", show_default=True, help="Experiment of the run.")
@json_option
@click.pass_context
def run(
    ctx: click.Context,
    path: Path,
    params: tuple[str, ...],
    output: Path | None,
    keep_going: bool,
    twice: bool,
    timeout: float | None,
    kernel: str,
    name: str | None,
    experiment: str,
    as_json: bool,
) -> None:
    """Execute the notebook PATH in a fresh kernel, and record each cell on a run."""
    result = run_notebook(
        path,
        parameters=pairs(params, "-p"),
        keep_going=keep_going,
        twice=twice,
        output=output,
        timeout_s=timeout,
        kernel=kernel,
        name=name,
        experiment=experiment,
        store=current_store(ctx, create=True),
    )
    if as_json:
        emit(result.to_json())
    else:
        _say_result(result)
    sys.exit(3 if result.state is RunState.FAILED else int(not result.ok))


def _say_result(result: NotebookResult) -> None:
    for cell in result.cells:
        name = f"cell {cell.cell}" if cell.cell else "parameters"
        took = duration(cell.seconds) if cell.state is not StepState.SKIPPED else ""
        say(f"  {_STATES.get(cell.state, '·')} {name:<12} {cell.state:<9} {took:>9}")
        if cell.error:
            say(f"      {plain(cell.error)}")
    finished = sum(cell.state is StepState.FINISHED for cell in result.cells)
    say(f"{finished} of {len(result.cells)} cells finished; run {result.run_id}")
    if result.differing is not None:
        cells = ", ".join(map(str, result.differing))
        say(
            f"[bold red]✗[/] two fresh kernels differ in the outputs of cell {cells}"
            if result.differing
            else "[bold green]✓[/] two fresh kernels gave the same outputs"
        )
    if result.output is not None:
        say(f"written: {plain(result.output)}")
