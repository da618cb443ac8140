"""Projects: which names are whose, changed by admins only."""

import pytest

from penstock.core import AccessError, ConflictError, NotFoundError, ParameterError, use_identity
from penstock.people import Authenticator, Projects, Users, project_named


def test_a_project_has_its_own_name_and_what_begins_with_it(store):
    projects = Projects(store=store)
    assert projects.add("churn").names == ("churn", "churn-*")
    projects.add("big", names=["churn-big-*"])
    assert [projects.find(n) for n in ("churn", "churn-eu", "churn-big-1", "churned")] == [
        "churn",
        "churn",
        "big",
        "default",
    ]
    assert project_named("churn-eu", store=store) == "churn"


def test_two_projects_have_no_name_in_common(store):
    projects = Projects(store=store)
    projects.add("churn")
    with pytest.raises(ConflictError, match="belongs to project 'churn'"):
        projects.add("other", names=["churn-*"])
    assert [project.name for project in projects.list()] == ["churn"]


@pytest.mark.parametrize("names", [["*"], ["a*b"], [""], ["a" * 102], ["-x"]])
def test_a_pattern_that_takes_too_much_or_nothing_is_refused(store, names):
    with pytest.raises(ParameterError):
        Projects(store=store).add("churn", names=names)


def test_the_rest_is_no_project_to_create(store):
    with pytest.raises(ParameterError, match="all names that no project claims"):
        Projects(store=store).add("default")


def test_a_removed_project_takes_its_roles_along(team):
    Projects(store=team).remove("churn")
    assert list(Users(store=team).grants("ada")) == []
    with pytest.raises(NotFoundError):
        Projects(store=team).get("churn")


def test_only_an_admin_of_the_store_changes_projects(team, key):
    with use_identity(Authenticator(store=team).of_token(key("ada"))):
        with pytest.raises(AccessError):
            Projects(store=team).add("fraud")
        with pytest.raises(AccessError):
            Projects(store=team).remove("churn")
