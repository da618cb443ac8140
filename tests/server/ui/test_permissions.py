"""Every route of the UI for every role: who may is let in, all others are refused."""

import pytest
from litestar import get
from litestar.handlers import HTTPRouteHandler
from tests.server.ui.team import PEOPLE, browser_of, client, fill_team

from penstock.core import Permission, Role
from penstock.server.ui._actions import ACTIONS, Access
from penstock.server.ui._people import PEOPLE_ACTIONS
from penstock.server.ui._permissions import permission_of, require_declared
from penstock.stores import open_store

SUBJECTS = {"model": "big-tips", "run": "r1", "schedule": "tips"}
PATHS = {
    "{run_id:str}": "r1", "{name:str}": "big-tips", "{study_id:str}": "x", "{digest:str}": "sha256:x",
    "{pipeline:str}": "x", "{prediction_id:str}": "x", "{stamp:str}": "x",
}  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("team")
    with open_store(f"sqlite:///{folder}/penstock.db") as opened:
        fill_team(opened)
        yield opened


@pytest.fixture(scope="module")
def site(store):
    with client(store) as opened:
        yield opened


@pytest.fixture(scope="module")
def people(store, site):
    return {name: browser_of(store, site, name) for name in [*PEOPLE, "boss"]}


def routes(app):
    for route in app.routes:
        for handler in getattr(route, "route_handlers", []):
            if isinstance(handler, HTTPRouteHandler) and "OPTIONS" not in handler.http_methods:
                (method,) = handler.http_methods - {"HEAD"}
                yield method, route.path_format, permission_of(handler)


def test_every_route_declares_who_may_use_it(site):
    found = list(routes(site.app))
    assert len(found) >= 50
    assert {path for method, path, _ in found if method == "POST"} == {
        *ACTIONS,
        *PEOPLE_ACTIONS,
        "/do/sign-in",
        "/do/sign-out",
    }
    assert [path for _, path, who in found if who is Access.ANYONE] == [
        "/sign-in",
        "/do/sign-in",
        "/health",
        "/static/{stamp}/{name}",
    ]


def test_a_route_without_a_permission_stops_the_start_up(store, monkeypatch):
    @get("/forgotten", sync_to_thread=False)
    def forgotten() -> str:
        return "everything"

    app = client(store).app
    app.register(forgotten)
    with pytest.raises(TypeError, match=r"\['/forgotten'\] declares no permission"):
        require_declared(app)


def concrete(path):
    for name, value in PATHS.items():
        path = path.replace("{" + name[1:-1].partition(":")[0] + "}", value)
    return path


def test_strangers_are_let_in_nowhere(site):
    for method, path, who in routes(site.app):
        if who is Access.ANYONE:
            continue
        answer = site.request(method, concrete(path), headers={"origin": "http://127.0.0.1"})
        assert answer.status_code in {303, 401}, (method, path, answer.status_code)
        if answer.status_code == 303:
            assert answer.headers["location"].startswith("/sign-in")
        assert site.get(concrete(path) + "?format=json").status_code in {401, 405}


@pytest.mark.parametrize("role", list(Role))
def test_a_page_is_for_who_may_read_it(site, people, role):
    (who,) = [name for name, each in PEOPLE.items() if each == role.value]
    for method, path, demanded in routes(site.app):
        if method != "GET" or demanded is Access.ANYONE:
            continue
        answer = people[who].get(concrete(path))
        # The trail is about the whole store: an admin of one project does not see it.
        is_allowed = demanded in {Permission.READ, Access.SIGNED_IN}
        assert (answer.status_code != 403) is is_allowed, (path, answer.status_code)
        assert answer.status_code not in {303, 401}
        assert answer.status_code < 500, (path, answer.text[:500])


@pytest.mark.parametrize("path", list(ACTIONS))
@pytest.mark.parametrize("role", list(Role))
def test_a_form_is_for_who_has_the_permission_in_its_project(people, role, path):
    (who,) = [name for name, each in PEOPLE.items() if each == role.value]
    action = ACTIONS[path]
    fields = {action.subject: SUBJECTS[action.subject], "version": "x", "step": "none"}
    answer = people[who].post(path, **fields)  # too little to be done, enough to be judged
    expected = action.permission in role.permissions
    assert (answer.status_code != 403) is expected, answer.text[:500]
    assert answer.status_code < 500


@pytest.mark.parametrize("path", list(ACTIONS))
def test_no_role_in_one_project_reaches_into_another(people, path):
    action = ACTIONS[path]
    other = {"model": "loans", "run": "r2", "schedule": "loans"}[action.subject]
    for who in PEOPLE:
        answer = people[who].post(
            path, **{action.subject: other}, version="1", step="ask", reason="x", tag="x"
        )
        # A run of another project is unknown, as one that does not exist.
        refusals = {403, 404} if action.subject == "run" else {403}
        assert answer.status_code in refusals, (who, answer.text[:300])


@pytest.mark.parametrize("path", [path for path in PEOPLE_ACTIONS if "users" in path])
@pytest.mark.parametrize("who", [name for name in PEOPLE if name != "root"])
def test_users_are_changed_by_admins_only(people, who, path):
    answer = people[who].post(
        path, name="eve", user="boss", role="admin", project="*", password="short", again="short"
    )
    expected = 400 if path.endswith("password") else 403  # one's own, which is too short
    assert answer.status_code == expected, answer.text[:300]
