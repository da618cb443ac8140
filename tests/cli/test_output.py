"""What commands print: errors as sentences or one document, text as it was written."""

from datetime import timedelta

import click
import pytest
from click.testing import CliRunner

from penstock.cli._output import ago, duration, emit, fail, json_option, plain, say, show_table
from penstock.core import ConflictError, GateError, NotFoundError, PenstockError, StepError, now


def test_square_brackets_of_users_are_printed_and_do_not_crash(capsys):
    say(plain("[red]x[/red] ['a'] [/] [/never]"))
    show_table(["[b]"], [["[/oops]"], [["a", 1]]])
    out = capsys.readouterr().out
    assert out.startswith("[red]x[/red] ['a'] [/] [/never]\n")
    assert "[/oops]" in out
    assert "['a', 1]" in out


def test_numbers_stand_to_the_right_and_nothing_is_an_empty_cell(capsys):
    show_table(["name", "value"], [["a", 1.23456], ["b", None], ["c", 100]])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert lines[2:] == [" a      1.235", " b", " c        100"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (GateError("The gate says no."), 1),
        (ConflictError("Someone was first."), 1),
        (StepError("The step raised."), 3),
        (NotFoundError("No such thing."), 2),
        (PenstockError("Something else."), 2),
    ],
)
def test_an_error_leaves_with_the_code_of_its_kind(error, code, capsys):
    with pytest.raises(SystemExit) as left:
        fail(click.Context(click.Command("any")), error)
    assert left.value.code == code
    assert capsys.readouterr().err == f"✗ {error.what}\n"


def test_an_error_is_a_document_if_the_command_was_asked_for_one_and_not_otherwise():
    @click.command()
    @json_option
    @click.argument("word")
    @click.pass_context
    def command(ctx, word, as_json):
        fail(ctx, PenstockError(what=word, why="Because.", fix="Mend it."))

    asked = CliRunner().invoke(command, ["a", "--json"])
    assert asked.exit_code == 2
    assert '"what": "a"' in asked.stdout
    assert asked.stderr == ""
    # A word that only looks like the option is not it.
    unasked = CliRunner().invoke(command, ["--", "--json"])
    assert unasked.stdout == ""
    assert unasked.stderr == "✗ --json\n  Because.\n  Mend it.\n"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 s ago"), (59, "59 s ago"), (60, "1 min ago"), (7200, "2 h ago"), (90_000, "1 d ago")],
)
def test_how_long_ago_is_told_in_the_unit_that_fits(seconds, told):
    assert ago(now() - timedelta(seconds=seconds)) == told


def test_a_duration_is_told_in_the_unit_that_fits():
    told = [duration(value) for value in (None, -5, 0.0123, 3.14159, 59.99, 3661)]
    assert told == ["", "", "12 ms", "3.1 s", "60.0 s", "61 min 1 s"]


def test_what_json_does_not_know_is_written_as_text(capsys):
    emit({"at": now().replace(year=2026), "not a number": float("nan"), "other": timedelta(1)})
    out = capsys.readouterr().out
    assert '"at": "2026-' in out
    assert '"not a number": null' in out
