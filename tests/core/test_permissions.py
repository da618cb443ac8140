"""Roles and what each may do."""

import pytest

from penstock.core import Permission, Role


def test_every_role_may_read():
    assert all(Permission.READ in role.permissions for role in Role)


@pytest.mark.parametrize(
    ("permission", "roles"),
    [
        (Permission.WRITE, {Role.TRAINER, Role.ADMIN}),
        (Permission.APPROVE, {Role.APPROVER, Role.ADMIN}),
        (Permission.OPERATE, {Role.OPERATOR, Role.ADMIN}),
        (Permission.ADMIN, {Role.ADMIN}),
    ],
)
def test_each_further_permission_belongs_to_one_role_and_the_administrator(permission, roles):
    assert {role for role in Role if permission in role.permissions} == roles


def test_no_role_but_the_administrators_both_trains_and_approves():
    both = {Permission.WRITE, Permission.APPROVE}
    assert [role for role in Role if both <= role.permissions] == [Role.ADMIN]
