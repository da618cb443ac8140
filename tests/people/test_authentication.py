"""A request's sender is known by a token or a session, and by nothing else."""

import base64
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import (
    ANY_PROJECT,
    GrantRecord,
    Permission,
    Role,
    Secret,
    SignInError,
    current_actor,
    now,
)
from penstock.people import SESSION_COOKIE, Authenticator, SignIns, Tokens, Users
from penstock.people._authentication import permissions_of, read_session_key


def test_a_store_without_users_belongs_to_whoever_opened_it(store):
    identity = Authenticator(store=store).authenticate(None)
    assert (identity.actor, identity.attested) == (current_actor(), "")
    assert identity.may(Permission.ADMIN, "churn")


def test_with_the_first_user_nobody_is_let_in_without_signing_in(team):
    with pytest.raises(SignInError, match="says nothing of who sends it"):
        Authenticator(store=team).authenticate(None)


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "Basic {}"])
def test_a_token_says_who_sends(team, key, form):
    text = key("ada").reveal()
    if form.startswith("Basic"):
        text = base64.b64encode(f"ada:{text}".encode()).decode()
    identity = Authenticator(store=team).authenticate(form.format(text))
    assert identity.actor == "ada"
    assert identity.attested.startswith("token pst_")
    assert identity.may(Permission.WRITE, "churn")
    assert not identity.may(Permission.WRITE, "fraud")
    assert not identity.may(Permission.APPROVE, "churn")


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer x",
        f"Bearer pst_0123456789_{'A' * 43}",
        "Basic !",
        "Basic YQ==",
        "Negotiate x",
        f"Basic {base64.b64encode(b'ada:correct horse battery').decode()}",
        "pst_0",
        "Bearer \udcff",
    ],
)
def test_what_is_no_token_is_refused(team, header):
    with pytest.raises(SignInError):
        Authenticator(store=team).authenticate(header)


def test_the_store_has_the_tokens_digest_only(team, key, tmp_path):
    secret = key("ada").reveal()
    team.metadata.database.close()
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert secret.encode() not in held
    assert secret.split("_", 2)[2].encode() not in held  # it may hold a "_" itself
    assert secret[:14].encode() in held  # the public beginning


def test_a_revoked_token_and_a_disabled_user_are_refused_at_once(team, key):
    authenticator, users, tokens = Authenticator(store=team), Users(store=team), Tokens(store=team)
    header = f"Bearer {key('ada').reveal()}"
    authenticator.authenticate(header)
    users.disable("ada")
    with pytest.raises(SignInError, match="'ada' is disabled"):
        authenticator.authenticate(header)
    users.enable("ada")
    authenticator.authenticate(header)
    tokens.revoke(tokens.list("ada")[0].token_id)
    with pytest.raises(SignInError, match="has been revoked"):
        authenticator.authenticate(header)


def test_a_token_expires_and_its_last_use_is_shown(team, key, clock):
    began = now()
    header = f"Bearer {key('ada', expires_after='1h').reveal()}"
    for minutes, used in ((0, 0), (0.5, 0), (5, 5)):  # written to the minute
        clock(lambda minutes=minutes: began + timedelta(minutes=minutes))
        Authenticator(store=team).authenticate(header)
        seen = Tokens(store=team).list("ada")[0].used_at
        assert abs(seen - began - timedelta(minutes=used)) < timedelta(seconds=10)
    clock(lambda: began + timedelta(hours=2))
    with pytest.raises(SignInError, match="has expired"):
        Authenticator(store=team).authenticate(header)


def test_a_change_of_roles_holds_from_the_next_request_on(team, key):
    authenticator, header = Authenticator(store=team), f"Bearer {key('ada').reveal()}"
    assert authenticator.authenticate(header).may(Permission.WRITE, "churn")
    Users(store=team).revoke("ada", project="churn")
    assert not authenticator.authenticate(header).may(Permission.READ)


@pytest.mark.parametrize("cookie", [None, "", "a=b", f"{SESSION_COOKIE}=", "\x00=;;", "=" * 5000])
def test_what_is_no_session_is_no_cookie_of_ours(cookie):
    assert read_session_key(cookie) is None


def test_a_session_is_found_among_other_cookies(team, key):
    session = SignIns(store=team).with_token(key("ada"))
    cookie = f"theme=dark; {SESSION_COOKIE}={session.secret.reveal()}; x=1"
    identity = Authenticator(store=team).authenticate(None, cookie)
    assert (identity.actor, identity.attested) == ("ada", f"session {session.record.session_id}")


roles = st.sampled_from(list(Role))
projects = st.sampled_from(["a", "b", ANY_PROJECT])
grants = st.lists(st.builds(GrantRecord, st.just("u"), projects, roles, st.just("r"), st.none()))


@given(grants, roles | st.none(), projects, st.sampled_from(["a", "b"]))
def test_a_token_never_permits_more_than_its_user_and_its_limits(held, role, project, where):
    def may(permission):
        return any(
            g.project in {where, ANY_PROJECT} and permission in g.role.permissions for g in held
        )

    found = permissions_of(held, role, project)
    allowed = found.get(where, frozenset()) | found.get(ANY_PROJECT, frozenset())
    inside = project in {where, ANY_PROJECT}
    limit = frozenset(Permission) if role is None else role.permissions
    assert allowed == {p for p in Permission if may(p) and p in limit and inside}


def test_a_secret_of_the_wrong_kind_is_no_token(team, key):
    session = SignIns(store=team).with_token(key("ada"))
    with pytest.raises(SignInError):
        Authenticator(store=team).of_token(session.secret)
    with pytest.raises(SignInError):
        Authenticator(store=team).of_session(key("ada"))
    with pytest.raises(SignInError):
        Authenticator(store=team).of_session(Secret("é"))


def test_a_role_that_a_claim_gave_ends_unless_it_is_claimed_again(team, key):
    at = now()
    claimed = [
        GrantRecord("ada", "fraud", role, "ada", at, "https://sso", at + timedelta(hours=hours))
        for role, hours in ((Role.VIEWER, 1), (Role.OPERATOR, -1))
    ]
    team.metadata.users.replace_grants("ada", "https://sso", claimed)
    identity = Authenticator(store=team).of_token(key("ada"))
    assert identity.may(Permission.READ, "fraud")
    assert not identity.may(Permission.OPERATE, "fraud")
