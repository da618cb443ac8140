"""Users: names of one spelling, roles given by admins, never a store without an admin."""

import pytest

from penstock.core import (
    AccessError,
    ConflictError,
    Identity,
    NotFoundError,
    ParameterError,
    Permission,
    Role,
    Secret,
    is_password,
    require_password,
    to_json,
    use_identity,
)
from penstock.people import Authenticator, SignIns, Tokens, Users
from penstock.stores import dump_json

PASSWORD = Secret("correct horse battery")


def as_user(team, key, name):
    return use_identity(Authenticator(store=team).of_token(key(name)))


@pytest.mark.parametrize("name", ["Ada", "ada lovelace", "", "-a", "ä", "a/b", "a" * 101, "ada\n"])
def test_a_name_has_one_spelling(store, name):
    with pytest.raises(ParameterError, match="no name for a user"):
        Users(store=store).add(name)


@pytest.mark.parametrize("name", ["ada", "ada@example.org", "a.b+c", "0"])
def test_usual_logins_are_names(store, name):
    assert Users(store=store).add(name, role="admin").name == name


@pytest.mark.parametrize("options", [{}, {"role": "trainer"}, {"service": True}])
def test_the_first_user_administers_the_store(store, options):
    users = Users(store=store)
    with pytest.raises(ConflictError, match="penstock users first"):
        users.add("ada", **options)
    assert users.list() == []
    users.add("root", role="admin")
    users.add("ada", **options)


@pytest.mark.parametrize(
    "password", ["", "short", "a" * 40, "abcabcabcabc", "x" * 2000, "ada-12345678"]
)
def test_a_password_that_would_be_guessed_is_refused(password):
    with pytest.raises(ParameterError, match="would be guessed"):
        require_password(Secret(password), "ada")


def test_a_password_is_kept_as_argon2id_and_shown_nowhere(argon2, store):
    users = Users(store=store)
    users.add("ada", role="admin", password=PASSWORD)
    kept = users.get("ada").password_hash
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert is_password(PASSWORD, kept)
    assert not is_password(Secret("correct horse batterz"), kept)
    assert not is_password(Secret("no such user"), None)
    for shown in (
        repr(users.get("ada")),
        dump_json(to_json(users.list())),
        repr(store.metadata.audit.list()),
    ):
        assert "argon2" not in shown


def test_a_service_has_no_password(store):
    users = Users(store=store)
    with pytest.raises(ParameterError, match="'ci' is a service"):
        users.add("ci", service=True, password=PASSWORD)
    users.add("root", role="admin")
    users.add("ci", service=True)
    with pytest.raises(ParameterError, match="'ci' is a service"):
        users.set_password("ci", PASSWORD)


def test_only_an_admin_adds_and_disables_users(team, key):
    for name in ("ada", "bob", "ci"):
        with as_user(team, key, name):
            for change in (
                lambda users: users.add("eve", role="admin"),
                lambda users: users.disable("root"),
                lambda users: users.enable("root"),
                lambda users: users.grant("ada", "admin"),
                lambda users: users.grant("ada", "approver", project="churn"),
                lambda users: users.revoke("bob", project="churn"),
                lambda users: users.set_password("root", PASSWORD),
            ):
                with pytest.raises(AccessError, match="no permission to admin"):
                    change(Users(store=team))
    with as_user(team, key, "root"):
        Users(store=team).add("eve", role="viewer", project="churn")
    assert team.metadata.audit.list(subject="eve")[0].actor == "root"


def test_an_admin_of_a_project_gives_roles_there_and_nowhere_else(team, key):
    users = Users(store=team)
    users.add("pat", role="admin", project="churn")
    with as_user(team, key, "pat"):
        users.grant("ada", "approver", project="churn")
        for project in ("*", "default"):
            with pytest.raises(AccessError):
                users.grant("ada", "approver", project=project)
        with pytest.raises(AccessError):
            users.revoke("root")
    assert {grant.role for grant in users.grants("ada")} == {Role.APPROVER, Role.TRAINER}


def test_the_last_admin_stays(team):
    users = Users(store=team)
    for change in (users.disable, users.revoke, lambda name: users.revoke(name, role="admin")):
        with pytest.raises(ConflictError, match="only admin of the store"):
            change("root")
    users.add("sue", role="admin")
    users.disable("root")
    with pytest.raises(ConflictError, match="only admin of the store"):
        users.disable("sue")


def test_a_role_in_an_unknown_project_or_of_an_unknown_kind_is_an_error(store):
    with pytest.raises(NotFoundError, match="no project 'churn'"):
        Users(store=store).add("ada", role="viewer", project="churn")
    with pytest.raises(ParameterError, match="trainer"):
        Users(store=store).add("ada", role="trainr")
    assert Users(store=store).list() == []


def test_a_changed_password_ends_all_sessions(argon2, team, key):
    users, sessions = Users(store=team), SignIns(store=team)
    cookie = sessions.with_token(key("ada")).secret
    users.set_password("ada", PASSWORD)
    assert team.metadata.tokens.end_sessions("ada") == 0
    with as_user(team, key, "ada"):
        with pytest.raises(ParameterError, match="old password is another"):
            users.set_password("ada", Secret("another four words"))
        users.set_password("ada", Secret("another four words"), old=PASSWORD)
    assert is_password(Secret("another four words"), users.get("ada").password_hash)
    assert team.metadata.tokens.find_session(cookie.reveal()) is None


def test_a_first_password_opens_no_more_than_the_token_that_sets_it(argon2, team, key):
    users, limited = Users(store=team), Tokens(store=team).create("ada", role="viewer").secret
    narrow = use_identity(Authenticator(store=team).of_token(limited))
    with narrow, pytest.raises(AccessError, match="has no password so far"):
        users.set_password("ada", PASSWORD)
    assert users.get("ada").password_hash is None
    with as_user(team, key, "ada"):
        users.set_password("ada", PASSWORD)
    assert is_password(PASSWORD, users.get("ada").password_hash)


def test_who_signs_in_with_a_provider_gives_themselves_no_password(argon2, team, key):
    users = Users(store=team)
    users.link("ada", issuer="https://sso.example", subject="7")
    with as_user(team, key, "ada"), pytest.raises(AccessError, match="an OpenID provider"):
        users.set_password("ada", PASSWORD)
    users.set_password("ada", PASSWORD)  # at the server's terminal


def test_a_permission_elsewhere_is_no_permission(team):
    with use_identity(Identity("x", {"churn": frozenset(Permission)})), pytest.raises(AccessError):
        Users(store=team).add("eve")
