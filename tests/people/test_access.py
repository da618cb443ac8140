"""Who decides: whoever has signed in; over HTTP, whoever the server knows the token to be of."""

import pytest
from tests.server.serving import serving

from penstock.core import AccessError, GateError, Permission, SignInError, current_actor, use_actor
from penstock.people import Users, decide_as
from penstock.registry import Registry
from penstock.server._app import users_of
from penstock.stores import open_store
from penstock.testing._records import a_run, a_version


@pytest.fixture
def remote(team, key, monkeypatch):
    """The team's store over HTTP, with somebody's token, on the machine of somebody else."""
    team.metadata.runs.create(a_run(run_id="r1", user="ada", experiment="churn"))
    version = a_version("churn", run_id="r1", trained_by="ada")
    team.metadata.models.create_version(version, actor="ada")
    with serving(team, authenticate=users_of(team)) as url:

        def open_as(user):
            monkeypatch.setenv("PENSTOCK_TOKEN", key(user).reveal())
            return open_store(url)

        yield open_as


def test_an_approver_approves_from_a_machine_whose_user_is_called_as_the_trainer(remote, team):
    with use_actor("ada"), remote("bob") as store:
        assert decide_as(None, Permission.APPROVE, "churn", store=store)[0] == "bob"
        Registry(store=store).approve("churn", 1, reason="Seen.")
    [approval] = team.metadata.models.list_approvals("churn", 1)
    assert approval.actor == "bob"
    assert approval.attested.startswith("token pst_")


def test_the_trainer_is_refused_whatever_the_machines_user_is_called(remote, team):
    with use_actor("bob"), remote("ada") as store, pytest.raises((AccessError, GateError)):
        Registry(store=store).approve("churn", 1, reason="Mine.")
    Users(store=team).grant("ada", "approver", project="churn")
    with use_actor("bob"), remote("ada") as store, pytest.raises(GateError, match="'ada' trained"):
        Registry(store=store).approve("churn", 1, reason="Mine.")
    assert list(team.metadata.models.list_approvals("churn", 1)) == []


def test_nobody_decides_in_somebody_elses_name_over_http(remote):
    with remote("bob") as store, pytest.raises(AccessError, match="'bob' cannot decide as 'root'"):
        Registry(store=store).approve("churn", 1, reason="Seen.", actor="root")


def test_over_http_a_store_without_users_takes_the_word_of_the_client(store):
    with serving(store, authenticate=users_of(store)) as url, open_store(url) as opened:
        assert decide_as("eve", Permission.APPROVE, "churn", store=opened) == ("eve", "")
        found = decide_as(None, Permission.APPROVE, "churn", store=opened)
        assert found == (current_actor(), "")


def test_in_a_store_with_users_nobody_decides_without_signing_in(team):
    with pytest.raises(SignInError, match="nobody has signed in"):
        decide_as("bob", Permission.APPROVE, "churn", store=team)
