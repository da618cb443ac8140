"""A team's store behind the pages, and browsers of its people that tests drive by hand."""

import re
from dataclasses import replace
from typing import Any

from litestar.testing import TestClient

from penstock.core import RunState, Secret, StepRunRecord, StepState
from penstock.people import Projects, Tokens, Users
from penstock.server import create_ui
from penstock.stores import Store
from penstock.testing._records import a_run, a_step, a_version

OWN = {"origin": "http://127.0.0.1", "sec-fetch-site": "same-origin"}
PEOPLE = {
    "viv": "viewer",
    "ada": "trainer",
    "bob": "approver",
    "opa": "operator",
    "root": "admin",
}


def fill_team(store: Store) -> None:
    """Add people of each role in project tips, a version that waits, a run, another team's model."""
    Projects(store=store).add("tips", names=["big-*", "tips"])
    users = Users(store=store)
    users.add("boss", role="admin")
    for name, role in PEOPLE.items():
        users.add(name, role=role, project="tips")
    metadata = store.metadata
    for model in ("big-tips", "loans"):
        metadata.models.create_version(a_version(model, trained_by="ada"), actor="ada")
    for run_id, experiment in (("r1", "tips"), ("r2", "loans")):
        run = a_run(run_id=run_id, experiment=experiment, user="ada", state=RunState.QUEUED)
        metadata.runs.create(run)
        step: StepRunRecord = a_step(run_id, step="ask")
        metadata.steps.start(step)
        metadata.steps.finish(replace(step, state=StepState.QUEUED, error="waits"))


def client(store: Store) -> TestClient[Any]:
    opened: TestClient[Any] = TestClient(create_ui(store=store), base_url="http://127.0.0.1")
    opened.follow_redirects = False
    return opened


class Browser:
    """Someone who has signed in: the cookie is carried along, and forms are filled in."""

    def __init__(self, site: TestClient[Any], key: Secret | None = None) -> None:
        self.site, self.cookie = site, ""
        if key is not None:
            answer = self.post("/do/sign-in", token=key.reveal())
            assert answer.status_code == 303, answer.text
            self.cookie = answer.headers["set-cookie"].partition(";")[0]

    def get(self, path: str, **headers: str) -> Any:
        return self.site.get(path, headers={"cookie": self.cookie, **headers})

    def token(self) -> str:
        return self.token_on("/people" if self.cookie else "/sign-in")

    def token_on(self, path: str) -> str:
        found = re.search(r'name="form_token" value="([^"]+)"', self.get(path).text)
        return found[1] if found else ""

    def post(self, path: str, **fields: Any) -> Any:
        sent = {"form_token": self.token(), **{name: str(v) for name, v in fields.items()}}
        return self.site.post(path, data=sent, headers={"cookie": self.cookie, **OWN})


def browser_of(store: Store, site: TestClient[Any], user: str) -> Browser:
    return Browser(site, Tokens(store=store).create(user).secret)
