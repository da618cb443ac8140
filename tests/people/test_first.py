"""The first user: an admin with a token that is shown once, and never a default password."""

from penstock.core import ANY_PROJECT, Permission
from penstock.people import FIRST_USER, Authenticator, Tokens, Users, create_first_admin


def test_the_first_admin_signs_in_with_a_token_shown_once(store):
    new = create_first_admin(store=store)
    identity = Authenticator(store=store).of_token(new.secret)
    assert identity.actor == FIRST_USER
    assert all(identity.may(permission, ANY_PROJECT) for permission in Permission)
    assert Users(store=store).get(FIRST_USER).password_hash is None
    assert create_first_admin(store=store) is None
    assert len(Tokens(store=store).list()) == 1


def test_a_store_with_users_gets_no_admin(team):
    assert create_first_admin(store=team) is None
    assert FIRST_USER not in [user.name for user in Users(store=team).list()]
