"""penstock models, promote, approve, reject, archive, rollback, history."""

import getpass
import sqlite3

import pytest


def stages(world):
    return {v["version"]: v["stage"] for v in world("models", "fraud", "--json").json}


def test_models_are_listed_with_gates_and_reasons(world):
    assert stages(world) == {1: "production", 2: "none", 3: "none"}
    out = world("models", "fraud").out
    assert "✗ roc_auc >= 0.999" in out
    assert "is not >= 0.999" in out
    # an interval in a reason is text, not a style
    assert "[0." in out
    assert "roc_auc >= 0.999" not in world("models").out
    one = world("models", "fraud@champion", "--json").json
    assert [version["version"] for version in one] == [1]
    assert one[0]["gates"][0]["state"] == "passed"
    assert "Did you mean 'fraud'?" in world("models", "frod", code=2).err
    assert "no version 9" in world("models", "fraud@9", code=2).err


def test_a_version_with_a_failed_gate_is_not_promoted(world):
    answer = world("promote", "fraud", code=1)
    assert "fraud@3 may not go to production" in answer.err
    assert "is not >= 0.999" in answer.err
    document = world("promote", "fraud@3", "--json", code=1).json
    assert set(document["error"]) == {"what", "why", "fix"}
    assert stages(world)[1] == "production"


@pytest.mark.parametrize("words", [("fraud", "2"), ("fraud", "v2"), ("fraud@2",), ("fraud@v2",)])
def test_a_version_is_named_in_any_of_four_ways(world, words):
    assert "fraud@2 is in production." in world("promote", *words).out
    assert stages(world) == {1: "archived", 2: "production", 3: "none"}


def test_two_versions_at_once_are_refused(world):
    for command in ("promote", "archive"):
        assert "Two versions are named" in world(command, "fraud@2", "3", code=2).err
    assert "Two versions" in world("approve", "fraud@2", "3", "--reason", "x", code=2).err
    assert "Two versions" in world("rollback", "fraud@2", "--to", "3", code=2).err
    assert stages(world) == {1: "production", 2: "none", 3: "none"}


def test_staging_asks_for_no_gate(world):
    record = world("promote", "fraud@3", "--to", "staging", "--json").json
    assert record["stage"] == "staging"
    assert world("models", "fraud@challenger", "--json").json[0]["version"] == 3


def test_in_a_team_somebody_else_must_approve(world):
    me = getpass.getuser()
    assert "is used by a team" in world("store", "users", "team").out
    answer = world("promote", "fraud@2", code=1)
    assert "approve" in answer.err
    answer = world("approve", "fraud@2", "--reason", "mine is good", code=1)
    assert me in answer.err
    approval = world("approve", "fraud@2", "--actor", "ada", "--reason", "[bold]ok", "--json").json
    assert approval["actor"] == "ada"
    assert approval["approved"] is True
    assert "fraud@2 is in production." in world("promote", "fraud@2").out
    assert "single person" in world("store", "users", "single").out
    assert world("store", "users", "team", "--json").json == {"single_user": False}


def test_an_approval_is_told_as_it_was_written(world):
    answer = world("approve", "fraud", "2", "--actor", "ada", "--reason", "[red]looked[/red] [/x]")
    assert answer.out == "✓ ada approved fraud@2: [red]looked[/red] [/x]\n"
    assert "needs the option '--reason'" in world("approve", "fraud", code=2).err


def test_rejected_is_final(world):
    assert "fraud@2 is rejected." in world("reject", "fraud@2", "--reason", "unfair").out
    assert stages(world)[2] == "rejected"
    answer = world("promote", "fraud@2", code=1)
    assert "rejected" in answer.err
    assert world("approve", "fraud@2", "--actor", "ada", "--reason", "but", code=1)


def test_what_is_archived_is_named(world):
    assert "No version of 'fraud' is named" in world("archive", "fraud", code=2).err
    assert "fraud@2 is archived." in world("archive", "fraud@2", "--reason", "old").out
    assert world("archive", "fraud", "1", "--json").json["stage"] == "archived"
    assert "in production" in world("deploy", "fraud", code=2).err


def test_a_rollback_puts_the_previous_version_back_and_twice_returns(world):
    assert "nothing to go back to" in world("rollback", "fraud", code=1).err
    world("promote", "fraud@2")
    assert "fraud@1 is in production again." in world("rollback", "fraud").out
    assert world("rollback", "fraud", "--expected", "1", "--json").json["version"] == 2
    assert world("rollback", "fraud@1", "--json").json["version"] == 1
    assert world("rollback", "fraud", "--to", "2", "--json").json["version"] == 2
    assert "was never in production" in world("rollback", "fraud", "--to", "3", code=2).err


def test_a_second_rollback_within_a_minute_does_not_undo_the_first(world):
    world("promote", "fraud@2")
    world("rollback", "fraud", "--actor", "ana", "--reason", "complaints")
    told = world("rollback", "fraud", "--actor", "ben", "--reason", "complaints", code=1).err
    assert "fraud@1 was brought back a moment ago by ana: complaints" in told
    assert "penstock rollback fraud --expected 1" in told
    moves = [
        event
        for event in world("history", "fraud", "--json").json
        if event["from_stage"] != event["to_stage"]
    ]
    assert [event["version"] for event in moves if event["to_stage"] == "production"][-2:] == [2, 1]


def test_history_tells_who_when_and_why(world):
    world("promote", "fraud@2", "--actor", "ada", "--reason", "[better]")
    out = world("history", "fraud").out
    assert "ada" in out
    assert "[better]" in out
    events = world("history", "fraud", "--json").json
    assert [(e["version"], e["to_stage"]) for e in events[-2:]] == [
        (1, "archived"),
        (2, "production"),
    ]
    assert {e["version"] for e in world("history", "fraud@2", "--json").json} == {2}
    assert "Did you mean 'fraud'?" in world("history", "frod", code=2).err


def test_history_at_a_time_says_what_was_live_then(world):
    assert (
        "no version of 'fraud' was in production"
        in world("history", "fraud", "--at", "2020-01-01").out
    )
    document = world("history", "fraud", "--at", "2099-01-01", "--json").json
    assert document["version"] == 1
    assert world("history", "fraud", "--at", "yesterday", code=2).err.startswith("✗")


def test_a_history_that_was_tampered_with_is_reported_with_one(world):
    path = world.folder / ".penstock" / "penstock.db"
    with sqlite3.connect(path) as database:
        database.execute("UPDATE stage_events SET reason = 'better' WHERE reason = 'the first'")
    database.close()
    answer = world("history", "fraud", code=1)
    assert "The history is damaged at event 4" in answer.err
    assert len(world("history", "fraud", "--json", code=1).json) == 4


def test_the_model_card_is_printed_as_markdown(world):
    card = world("models", "fraud@1", "--card").out
    assert card.startswith("# Model card: fraud, version 1")
    readme = world("models", "fraud@1", "--hub-card").out
    assert readme.startswith('---\nlibrary_name: "sklearn"\n')
    assert card in readme
    document = world("models", "fraud", "--card", "--json").json
    assert document["version"] == 3
    assert "## Metrics" in document["card"]
