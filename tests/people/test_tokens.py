"""Tokens: shown once, limited, and never a way to more than one has."""

import pytest

from penstock.core import (
    AccessError,
    NotFoundError,
    ParameterError,
    Role,
    to_json,
    use_identity,
)
from penstock.people import Authenticator, Tokens, Users


def signed_in(team, secret):
    return use_identity(Authenticator(store=team).of_token(secret))


def test_a_token_is_shown_once(team):
    new = Tokens(store=team).create("ada", label="laptop", role="viewer", project="churn")
    listed = Tokens(store=team).list("ada")
    assert listed == [new.record]
    assert new.secret.reveal() not in repr(new) + repr(listed) + repr(to_json(listed))
    assert "digest" not in to_json(new.record)
    assert new.secret.reveal().startswith(new.record.token_id + "_")


def test_tokens_differ(team, key):
    assert len({key("ada").reveal() for _ in range(50)}) == 50


def test_a_limited_token_makes_no_wider_one(team, key):
    Users(store=team).grant("ada", "approver", project="churn")
    with signed_in(team, key("ada", role="trainer", project="churn")):
        tokens = Tokens(store=team)
        tokens.create("ada", role="viewer", project="churn")
        for options in ({}, {"role": "approver"}, {"role": "admin"}):
            with pytest.raises(AccessError, match="could do more than you"):
                tokens.create("ada", **options)


def test_tokens_of_others_are_an_admins(team, key):
    bobs = Tokens(store=team).create("bob").record
    with signed_in(team, key("ada")):
        with pytest.raises(AccessError):
            Tokens(store=team).create("bob")
        with pytest.raises(AccessError):
            Tokens(store=team).revoke(bobs.token_id)
        own = Tokens(store=team).create("ada").record
        assert Tokens(store=team).revoke(own.token_id).revoked_at is not None
    with signed_in(team, key("root")):
        assert Tokens(store=team).revoke(bobs.token_id).revoked_at is not None


def test_a_token_is_named_by_its_beginning_or_the_whole(team):
    new = Tokens(store=team).create("ada")
    assert Tokens(store=team).get(new.secret.reveal()) == new.record
    with pytest.raises(NotFoundError, match="no token 'pst_0'"):
        Tokens(store=team).get("pst_0")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"expires_after": "0s"}, ParameterError),
        ({"expires_after": "soon"}, ParameterError),
        ({"role": "boss"}, ParameterError),
        ({"label": "x" * 201}, ParameterError),
        ({"project": "fraud"}, NotFoundError),
    ],
)
def test_a_token_that_makes_no_sense_is_not_created(team, options, error):
    with pytest.raises(error):
        Tokens(store=team).create("ada", **options)
    assert Tokens(store=team).list() == []


def test_a_token_may_live_for_ever_and_have_a_role(team):
    record = Tokens(store=team).create("ada", expires_after=None, role=Role.VIEWER).record
    assert (record.expires_at, record.role) == (None, Role.VIEWER)
