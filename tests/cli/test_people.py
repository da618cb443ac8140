"""`penstock users`, `tokens`, `projects` and `history` as a user calls them."""

import json
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from penstock.cli import cli
from penstock.stores import open_store


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """Call a command in an empty project, in this process."""
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.chdir(tmp_path)

    def call(*words, code=0, stdin=None):
        done = CliRunner().invoke(cli, list(words), input=stdin, prog_name="penstock")
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == code, f"{words}: {done.stdout} {done.stderr}"
        document = json.loads(done.stdout) if "--json" in words and not code else None
        return SimpleNamespace(out=done.stdout, err=done.stderr, json=document)

    return call


def test_from_the_first_user_to_a_revoked_token(shell):
    assert "no store" in shell("users", "list", code=2).err
    first = shell("users", "first", "--json").json
    assert first["user"] == "admin"
    assert first["token"].startswith("pst_")
    assert "has users already" in shell("users", "first").out
    shell("projects", "add", "churn")
    shell("users", "add", "ada", "--role", "trainer", "--project", "churn")
    shell("users", "add", "ci", "--role", "trainer", "--service")
    shell("users", "grant", "ada", "viewer")
    listed = shell("users", "list").out
    assert "trainer in churn" in listed
    made = shell("tokens", "create", "ada", "--label", "laptop", "--json").json
    assert made["token"].startswith(made["token_id"])
    everything = shell("tokens", "list").out + shell("tokens", "list", "ada", "--json").out
    assert made["token"] not in everything
    assert "never" in everything
    assert "is revoked" in shell("tokens", "revoke", made["token_id"]).out
    assert "revoked" in shell("tokens", "list").out
    shell("users", "revoke", "ada", "viewer")
    assert "only admin" in shell("users", "disable", "admin", code=1).err
    assert "is disabled" in shell("users", "disable", "ada").out
    assert "(disabled)" in shell("users", "list").out
    shell("users", "enable", "ada")
    shell("projects", "remove", "churn")
    trail = shell("history", "--json").json
    assert [record["action"] for record in trail][-3:] == [
        "user.change",
        "user.change",
        "project.delete",
    ]
    assert first["token"] not in shell("history").out
    assert {r["subject"] for r in shell("history", "--about", "ci", "--json").json} == {"ci"}


def test_a_password_is_asked_for_and_never_an_option(shell):
    pytest.importorskip("argon2", reason='needs argon2: pip install "penstock[people]"')
    typed = "correct horse battery\n" * 2
    shell("users", "add", "ada", "--role", "admin", "--password", stdin=typed)
    (ada,) = shell("users", "list", "--json").json
    assert ada["has_password"]
    assert "argon2" not in shell("users", "list", "--json").out
    shell("users", "password", "ada", stdin=typed)
    assert "12 to 1024 characters" in shell("users", "password", "ada", stdin="x\nx\n", code=2).err


def test_a_token_for_ever_and_limits(shell):
    shell("users", "add", "ada", "--role", "admin")
    options = ("--expires", "never", "--role", "viewer")
    made = shell("tokens", "create", "ada", *options, "--json").json
    assert (made["expires_at"], made["role"], made["project"]) == (None, "viewer", "*")
    text = shell("tokens", "create", "ada").out
    assert "shown only now" in text
    assert "PENSTOCK_TOKEN=pst_" in text


def test_mistakes_are_told(shell):
    shell("projects", "add", "churn")
    assert "whoever can open the store" in shell("users", "list").out
    assert "no user 'ada'" in shell("tokens", "create", "ada", code=2).err
    assert "penstock users first" in shell("users", "add", "ada", code=1).err
    assert "no name for a user" in shell("users", "add", "Ada", code=2).err
    assert (
        "no project 'x'"
        in shell("users", "add", "a", "--role", "admin", "--project", "x", code=2).err
    )
    assert "about a model" in shell("history", "--at", "2026-01-31", code=2).err
    shell("projects", "remove", "churn")
    assert "No projects" in shell("projects", "list").out
    assert "No tokens" in shell("tokens", "list").out


def test_a_changed_trail_is_noticed(shell):
    shell("users", "add", "ada", "--role", "admin")
    shell("users", "add", "bob")
    with open_store() as store, store.metadata.database.write() as transaction:
        transaction.execute("UPDATE audit SET actor = 'eve' WHERE subject = 'ada'")
    assert "damaged at event 1" in shell("history", code=1).err


def test_how_many_approve_is_a_setting_of_the_store(shell):
    assert "1 person other than the trainer" in shell("store", "approvals").out
    rules = shell("store", "approvals", "--needed", "2", "--expires", "7d", "--json").json
    assert rules == {"needed": 2, "expires_after_s": 604800.0}
    assert "2 people other than the trainer" in shell("store", "approvals").out
    assert "Use 1 to 20" in shell("store", "approvals", "--needed", "0", code=2).err


def test_a_user_is_linked_to_a_provider_and_unlinked(shell):
    shell("users", "add", "ada", "--role", "admin")
    options = ("--issuer", "https://sso.example.org/ml", "--subject", "7 of 9")
    text = "https://sso.example.org/ml 7 of 9"
    assert text in shell("users", "link", "ada", *options).out
    assert "OpenID (sso.example.org)" in shell("users", "list").out
    assert shell("users", "list", "--json").json[0]["subject"] == text
    assert shell("users", "unlink", "ada", "--json").json["subject"] is None
    assert (
        "nobody at an OpenID"
        in shell("users", "link", "ada", "--issuer", "sso", "--subject", "7", code=2).err
    )
    assert text in str(shell("history", "--json").json)
