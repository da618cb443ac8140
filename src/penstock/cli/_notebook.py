"""``penstock notebook``: notebooks checked, executed, promoted to pipelines, and kept in step with scripts."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

import penstock
from penstock.cli._help import examples
from penstock.cli._output import emit, json_option, plain, say
from penstock.notebooks import (
    FindingLevel,
    NotebookFinding,
    NotebookReport,
    check_notebooks,
    to_sarif,
)

_MARKS: dict[FindingLevel, str] = {
    "error": "[bold red]✗[/]",
    "warning": "[yellow]![/]",
    "info": "·",
}
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
