"""A team's store: ada trains, bob approves, root administers, ci is a program."""

import pytest

from penstock.core import Secret, set_clock
from penstock.people import Projects, Tokens, Users
from penstock.stores import open_store

PASSWORD = Secret("correct horse battery")


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        yield opened


@pytest.fixture
def argon2():
    """Passwords can be hashed."""
    return pytest.importorskip("argon2", reason='needs argon2: pip install "penstock[people]"')


@pytest.fixture
def team(store):
    Projects(store=store).add("churn")
    users = Users(store=store)
    users.add("root", role="admin")
    users.add("ada", role="trainer", project="churn")
    users.add("bob", role="approver", project="churn")
    users.add("ci", role="trainer", project="churn", service=True)
    return store


@pytest.fixture
def key(team):
    """The secret of a new token of a user."""
    return lambda user, **options: Tokens(store=team).create(user, **options).secret


@pytest.fixture
def clock():
    """Set the time; the real one comes back."""
    yield set_clock
    set_clock(None)
