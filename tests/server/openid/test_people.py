"""Who a provider's claims are here: a subject, never a name or an address; and what groups give."""

from datetime import timedelta

import pytest
from tests.server.openid.conftest import trouble

from penstock.core import ConflictError, GrantRecord, ParameterError, Permission, Role, now
from penstock.people import Authenticator, Tokens, Users
from penstock.server.openid._people import groups_of, name_from


def roles(store, name="ada"):
    return {(grant.role.value, grant.project) for grant in store.metadata.users.list_grants(name)}


def test_who_is_not_linked_and_in_no_group_is_refused_with_the_command_that_links(
    browser, provider, store
):
    Users(store=store).add("ada")
    provider.person |= {"email": "root@example.org", "preferred_username": "root"}
    said = trouble(browser.sign_in())
    assert f"penstock users link NAME --issuer {provider.issuer} --subject 7" in said
    assert browser.name is None
    Users(store=store).link("ada", issuer=provider.issuer, subject="7")
    assert browser.sign_in().status_code == 200
    assert browser.name == "ada"


def test_a_subject_cannot_write_the_admins_command(browser, provider):
    provider.person["sub"] = "7; rm -rf / #"
    assert "--subject &#39;7; rm -rf / #&#39;" in trouble(browser.sign_in())


def test_groups_give_roles_and_take_them_away_again(browser, provider, store):
    provider.person["groups"] = ["ml", "leads", "others"]
    assert browser.sign_in().status_code == 200
    assert roles(store) == {("trainer", "churn"), ("approver", "churn")}
    Users(store=store).grant("ada", "viewer")
    provider.person["groups"] = ["ml"]
    browser.sign_in()
    assert roles(store) == {("trainer", "churn"), ("viewer", "*")}
    del provider.person["groups"]
    browser.sign_in()
    assert roles(store) == {("viewer", "*")}  # an admin's stays
    actions = [record.action for record in store.metadata.audit.list(subject="ada")]
    assert actions.count("user.sign_in") == 3
    assert actions.count("user.revoke") == 2


def test_roles_by_group_end_without_another_sign_in(browser_with, provider, store):
    provider.person["groups"] = ["ml"]
    browser = browser_with(roles_last=timedelta(seconds=1))
    browser.sign_in()
    token = Tokens(store=store).create("ada").secret
    held = store.metadata.users.list_grants("ada")[0]
    assert timedelta(0) < held.expires_at - now() <= timedelta(seconds=1)
    ended = GrantRecord(
        "ada", "churn", Role.TRAINER, "x", held.at, held.source, now() - timedelta(seconds=1)
    )
    store.metadata.users.replace_grants("ada", provider.issuer, [ended])
    assert not Authenticator(store=store).of_token(token).may(Permission.READ)


def test_a_name_that_somebody_has_is_not_given_to_a_stranger(browser, provider, store):
    Users(store=store).add("ada", role="admin")
    provider.person["groups"] = ["ml"]
    assert "There is another user &#39;ada&#39;" in trouble(browser.sign_in())
    assert store.metadata.users.get("ada").subject is None
    assert roles(store) == {("admin", "*")}


def test_the_same_name_and_address_under_another_subject_is_somebody_else(browser, provider, store):
    provider.person |= {"groups": ["ml"], "email": "ada@example.org"}
    browser.sign_in()
    provider.person["sub"] = "8"
    assert "nobody here is linked to you" in trouble(browser.sign_in())
    assert store.metadata.users.get("ada").subject == f"{provider.issuer} 7"


def test_a_new_name_at_the_provider_is_the_same_person(browser, provider, store):
    provider.person["groups"] = ["ml"]
    browser.sign_in()
    provider.person["preferred_username"] = "root"
    browser.sign_in()
    assert browser.name == "ada"
    assert [user.name for user in store.metadata.users.list()] == ["ada", "root"]


def test_a_disabled_user_is_refused(browser, provider, store):
    provider.person["groups"] = ["ml"]
    browser.sign_in()
    Users(store=store).disable("ada")
    assert browser.name is None
    assert "disabled" in trouble(browser.sign_in())


def test_groups_may_come_from_the_user_info_of_the_same_person(browser, provider, store):
    provider.info = {"sub": "8", "groups": ["ml"]}
    assert trouble(browser.sign_in())  # of somebody else
    provider.info = {"sub": "7", "groups": ["ml"], "preferred_username": "eve"}
    assert browser.sign_in().status_code == 200
    assert browser.name == "ada"  # what is signed goes before


def test_the_user_info_is_not_asked_for_groups_that_are_signed(browser_with, provider):
    provider.person["realm"] = {"roles": ["ml"]}
    browser = browser_with(groups_claim="realm.roles")
    assert browser.sign_in().status_code == 200
    assert "/userinfo" not in provider.asked


def test_strangers_whom_the_provider_knows_keep_nobody_out(browser, provider):
    """They have not guessed, and may sit in the same office."""
    for _ in range(25):
        trouble(browser.sign_in())
    provider.person |= {"sub": "8", "preferred_username": "bob", "groups": ["ml"]}
    assert browser.sign_in().status_code == 200


def test_where_passwords_begin_no_session_nobody_sets_one(browser_with, provider):
    provider.person["groups"] = ["ml"]
    browser = browser_with(local=False)
    browser.sign_in()
    assert "Your password" not in browser.get("/people").text


def test_a_role_in_a_project_that_is_gone_is_not_given(browser, provider, store):
    provider.person["groups"] = ["ml"]
    store.metadata.projects.delete("churn")
    assert trouble(browser.sign_in())


@pytest.mark.parametrize(
    ("claims", "claim", "found"),
    [
        ({"groups": ["a", 7, None, {"b": 1}]}, "groups", ["a"]),
        ({"groups": "a"}, "groups", ["a"]),
        ({"groups": {"a": 1}}, "groups", []),
        ({"a.b/c": ["x"], "a": {"b/c": ["y"]}}, "a.b/c", ["x"]),
        ({"realm_access": {"roles": ["y"]}}, "realm_access.roles", ["y"]),
        ({"realm_access": ["roles"]}, "realm_access.roles", []),
        ({}, "groups", []),
    ],
)
def test_groups_are_texts_in_a_claim(claims, claim, found):
    assert groups_of(claims, claim) == found


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"preferred_username": "Ada.Lovelace@example.org"}, "ada.lovelace@example.org"),
        ({"preferred_username": "раздва", "email": "a@b.c"}, "a@b.c"),
        ({"preferred_username": "  ", "email": ["x"]}, None),
        ({"preferred_username": "a" * 300}, "a" * 100),
        ({"preferred_username": "../<b>"}, None),
        ({"preferred_username": "@"}, None),
    ],
)
def test_a_name_is_made_of_what_names_are_made_of(claims, name):
    assert name_from(claims) == name


def test_a_subject_is_one_person_and_a_person_one_subject(store):
    users = Users(store=store)
    users.add("ada")
    users.add("ci", service=True)
    issuer = "https://sso.example"
    users.link("ada", issuer=issuer, subject="7")
    users.link("ada", issuer=issuer, subject="7")
    with pytest.raises(ConflictError, match="unlink ada"):
        users.link("root", issuer=issuer, subject="7")
    with pytest.raises(ConflictError, match="linked already"):
        users.link("ada", issuer=issuer, subject="8")
    with pytest.raises(ParameterError, match="is a service"):
        users.link("ci", issuer=issuer, subject="8")
    for bad in ({"issuer": "sso", "subject": "7"}, {"issuer": issuer, "subject": " "}):
        with pytest.raises(ParameterError):
            users.link("root", **bad)
    assert users.unlink("ada").subject is None
    links = [record.facts for record in store.metadata.audit.list(subject="ada")]
    assert {"subject": f"{issuer} 7"} in links


def test_unlinking_ends_sessions_and_takes_roles_by_group(browser, provider, store):
    provider.person["groups"] = ["ml"]
    browser.sign_in()
    Users(store=store).unlink("ada")
    assert browser.name is None
    assert roles(store) == set()
