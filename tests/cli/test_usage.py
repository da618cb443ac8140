"""Wrong use of a command line: what, why, fix, the closest name and the command's help."""

import pytest
from click.testing import CliRunner

from penstock.cli import cli
from penstock.cli._main import _MODULES


def test_an_unknown_option_is_answered_with_the_closest_and_the_help(world):
    answer = world("runs", "--ordr-by", "x", code=2)
    assert answer.out == ""
    assert answer.err.splitlines() == [
        "✗ `penstock runs` has no option '--ordr-by'.",
        "  The command was not executed.",
        "  Did you mean '--order-by'? See: penstock runs --help",
    ]


def test_an_unknown_option_of_all_commands_has_the_same_form(world):
    err = world("--storre", "x", "runs", code=2).err
    assert "`penstock` has no option '--storre'." in err
    assert "Did you mean '--store'? See: penstock --help" in err


def test_an_option_of_all_commands_after_the_command_is_told_its_place(world):
    err = world("runs", "--store", "x", code=2).err
    assert "Write it before the command: penstock --store … runs." in err


def test_a_missing_argument_is_named_as_the_usage_names_it(world):
    err = world("approve", "--reason", "good", code=2).err
    assert "`penstock approve` needs MODEL." in err
    assert "Write it as `penstock approve [OPTIONS] MODEL [VERSION]`. " in err
    assert "See: penstock approve --help" in err


def test_a_missing_option_says_what_it_is_for(world):
    err = world("approve", "fraud", code=2).err
    assert "`penstock approve` needs the option '--reason': " in err


def test_a_value_that_cannot_be_used_is_shown_with_what_is_allowed(world):
    err = world("runs", "--limit", "many", code=2).err
    assert "--limit got a value that cannot be used: 'many' is not a valid" in err
    assert "Correct --limit. See: penstock runs --help" in err


def test_an_option_without_its_value_and_a_word_too_many_have_the_same_form(world):
    assert "Write it as `penstock runs [OPTIONS]" in world("runs", "--limit", code=2).err
    err = world("store", "backup", "x", "--no-such", code=2).err
    assert "`penstock store backup` has no option '--no-such'." in err
    err = world("doctor", "now", code=2).err
    assert "Got unexpected extra argument (now)." in err
    assert "See: penstock doctor --help" in err


def test_an_unknown_command_of_a_group_is_answered_with_the_closest(world):
    err = world("store", "bakup", code=2).err
    assert "`penstock store` has no command 'bakup'." in err
    assert "Did you mean 'backup'? See: penstock store --help" in err


def test_with_json_the_error_is_a_document(world):
    error = world("runs", "--json", "--ordr-by", "x", code=2).json["error"]
    assert error["what"] == "`penstock runs` has no option '--ordr-by'."
    assert world("runs", "--ordr-by", "x", "--json", code=2).json["error"] == error


def test_a_group_without_a_command_prints_its_help(world):
    assert "Usage: penstock store" in world("store", code=2).err


@pytest.mark.parametrize("name", [name for name in _MODULES if name != "run"])
def test_every_command_answers_an_unknown_option_in_this_form(world_of_nothing, name):
    err = world_of_nothing(name, "--no-such-option")
    assert f"`penstock {name}` has no option '--no-such-option'." in err
    assert f"See: penstock {name} --help" in err


@pytest.fixture
def world_of_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(*words):
        done = CliRunner().invoke(cli, words, prog_name="penstock")
        assert done.exit_code == 2
        return done.stderr

    return call
