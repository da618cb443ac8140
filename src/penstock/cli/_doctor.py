"""``penstock doctor``: faults of the installation and their fixes."""

import sys

import click

from penstock.cli._help import examples
from penstock.cli._output import emit, json_option, plain, say
from penstock.health import check_installation

_MARKS = {"ok": "[green]✓[/]", "warn": "[yellow]![/]", "fail": "[red]✗[/]"}


@click.command(epilog=examples("penstock doctor"))
@json_option
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Check the installation, the project and the store; print a fix for each fault."""
    checks = check_installation(ctx.find_root().obj)
    failed = any(check.level == "fail" for check in checks)
    if as_json:
        emit({"ok": not failed, "checks": [check.to_json() for check in checks]})
    else:
        for check in checks:
            say(f" {_MARKS[check.level]} {check.name:<22} {plain(check.found)}")
            if check.fix:
                say(f"     {plain(check.fix)}")
    sys.exit(2 if failed else 0)
