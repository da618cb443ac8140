"""An identity may do what was granted, in the projects where it was granted."""

import threading

import pytest

from penstock.core import (
    ANY_PROJECT,
    Identity,
    Permission,
    Role,
    current_actor,
    current_identity,
    local_identity,
    use_identity,
)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("permission", Permission)
def test_a_role_is_for_its_project(role, permission):
    someone = Identity("ada", {"churn": role.permissions})
    expected = permission in role.permissions
    assert someone.may(permission, "churn") is expected
    assert someone.may(permission) is expected
    assert someone.may(permission, "fraud") is False
    everywhere = Identity("ada", {ANY_PROJECT: role.permissions})
    assert everywhere.may(permission, "fraud") is expected


def test_nobody_may_anything_by_default():
    assert not any(Identity("ada", {}).may(permission) for permission in Permission)


def test_the_actor_is_who_has_signed_in():
    assert current_identity() is None
    with use_identity(Identity("ada", {}, "token pst_1")):
        assert (current_actor(), current_identity().attested) == ("ada", "token pst_1")
        seen = []
        thread = threading.Thread(target=lambda: seen.append(current_identity()))
        thread.start()
        thread.join()
        assert seen == [None]  # a thread of its own has signed in itself
    assert current_identity() is None


def test_whoever_opened_the_files_may_do_all():
    mine = local_identity()
    assert mine.actor == current_actor()
    assert mine.sees_all
    assert all(mine.may(permission, "churn") for permission in Permission)
