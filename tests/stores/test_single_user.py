"""A store with users belongs to no single person, whatever its setting says."""

import pytest

from penstock.core import AccessError, UserRecord, now
from penstock.stores import open_store
from penstock.stores._single_user import is_single_user


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        yield opened


def test_the_setting_decides_until_there_are_users(store):
    assert store.single_user
    assert not is_single_user(store.metadata, on_server=True)
    store.metadata.settings.set("single_user", "true")
    assert is_single_user(store.metadata, on_server=True)
    store.metadata.users.add(UserRecord("ada", now()))
    assert not store.single_user
    assert not is_single_user(store.metadata, on_server=True)


def test_a_server_that_does_not_say_has_users(store, monkeypatch):
    def refuse():
        raise AccessError(what="no")

    monkeypatch.setattr(store.metadata.users, "count", refuse)
    assert not store.single_user
