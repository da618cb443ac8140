"""Forms of the pages: action, permission and next page of each.

A form without a declared permission cannot be written down: the field has no default.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from penstock.core import (
    AuditRecord,
    ParameterError,
    Permission,
    current_identity,
    now,
)
from penstock.execution import approve_step, reject_step
from penstock.people import project_named, require_permission
from penstock.registry import Registry
from penstock.scheduling import Schedules
from penstock.server.ui._page import Page, path_link
from penstock.tracking import get_run

if TYPE_CHECKING:
    from penstock.server.ui._site import Site

Outcome = str | Page
"""Where the reader goes, or the page that answers."""


class Access(Enum):
    """Access to a route that demands no permission of the store."""

    ANYONE = "anyone"
    SIGNED_IN = "signed in"


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form as they came."""

    fields: Mapping[str, str]

    def text(self, name: str) -> str:
        """Return a field; empty if absent."""
        return self.fields.get(name, "").strip()

    def need(self, name: str) -> str:
        """Return a field that has to be there.

        Raises:
            ParameterError: If the field is empty.
        """
        text = self.text(name)
        if not text:
            raise ParameterError(
                what=f"The field {name!r} is empty.", fix="Go back and fill it in."
            )
        return text

    def number(self, name: str) -> int:
        """Return a field with a whole number.

        Raises:
            ParameterError: If the number is none.
        """
        text = self.need(name)
        if not (text.isascii() and text.isdecimal() and len(text) < 10):  # noqa: PLR2004 - of a version
            raise ParameterError(what=f"{name} is {text[:40]!r}, no number.", fix="Go back.")
        return int(text)


@dataclass(frozen=True, slots=True)
class Action:
    """The action of a form.

    Args:
        permission: Required permission, in the project of its subject.
        act: Acts, and returns the next page.
        subject: Field with the name of the model, schedule or run under change; empty if the
            action asks for the permission itself.
    """

    permission: Permission | Access
    act: "Callable[[Site, Form], Outcome]"
    subject: str = ""


def perform(site: "Site", path: str, action: Action, form: Form) -> Outcome:
    """Act on a form, if the sender may, and write the action into the audit trail.

    Raises:
        AccessError: If they may not.
    """
    if isinstance(action.permission, Permission):
        name = form.need(action.subject)
        owner = get_run(name, store=site.store).experiment if action.subject == "run" else name
        require_permission(action.permission, project_named(owner, store=site.store))
    outcome = action.act(site, form)
    if isinstance(action.permission, Permission):
        _note(site, path, form, form.need(action.subject))
    return outcome


def _note(site: "Site", path: str, form: Form, subject: str) -> None:
    noun, _, verb = path.removeprefix("/do/").partition("/")
    identity = current_identity()
    shown = {"version", "reason", "tag", "value"} & form.fields.keys()
    facts = {name: form.text(name) for name in sorted(shown)}
    if identity is not None:
        site.metadata.audit.add(
            AuditRecord(
                now(), identity.actor, f"{noun[:-1]}.{verb}", subject, facts, identity.attested
            )
        )


def _approve(site: "Site", form: Form) -> str:
    model, version = form.need("model"), form.number("version")
    Registry(store=site.store).approve(model, version, reason=form.need("reason"))
    return _back(form, path_link("models", model) + f"?version={version}")


def _reject(site: "Site", form: Form) -> str:
    model, version = form.need("model"), form.number("version")
    Registry(store=site.store).reject(model, version, reason=form.need("reason"))
    return _back(form, path_link("models", model) + f"?version={version}")


def _promote(site: "Site", form: Form) -> str:
    model, version = form.need("model"), form.number("version")
    Registry(store=site.store).promote(model, version, reason=form.text("reason"))
    return path_link("models", model)


def _stage(site: "Site", form: Form) -> str:
    model, version = form.need("model"), form.number("version")
    registry = Registry(store=site.store)
    registry.promote(model, version, to="staging", reason=form.text("reason"))
    return path_link("models", model) + f"?version={version}"


def _roll_back(site: "Site", form: Form) -> str:
    model = form.need("model")
    Registry(store=site.store).rollback(model, reason=form.need("reason"))
    return path_link("models", model)


def _archive(site: "Site", form: Form) -> str:
    model, version = form.need("model"), form.number("version")
    Registry(store=site.store).archive(model, version, reason=form.need("reason"))
    return path_link("models", model)


def _tag_model(site: "Site", form: Form) -> str:
    model, version = form.need("model"), form.number("version")
    site.metadata.models.set_version_tags(model, version, {form.need("tag"): form.text("value")})
    return path_link("models", model) + f"?version={version}"


def _pause(site: "Site", form: Form) -> str:
    Schedules(store=site.store).pause(form.need("schedule"))
    return path_link("schedules", form.need("schedule"))


def _resume(site: "Site", form: Form) -> str:
    Schedules(store=site.store).resume(form.need("schedule"))
    return path_link("schedules", form.need("schedule"))


def _tag_run(site: "Site", form: Form) -> str:
    run = get_run(form.need("run"), store=site.store)
    run.set_tag(form.need("tag"), form.text("value"))
    return path_link("runs", run.run_id)


def _delete_run(site: "Site", form: Form) -> str:
    get_run(form.need("run"), store=site.store).delete()
    return "/runs"


def _restore_run(site: "Site", form: Form) -> str:
    run = get_run(form.need("run"), store=site.store)
    run.restore()
    return path_link("runs", run.run_id)


def _approve_step(site: "Site", form: Form) -> str:
    run, step = form.need("run"), form.need("step")
    approve_step(run, step, reason=form.need("reason"), store=site.store)
    return _back(form, path_link("runs", run))


def _reject_step(site: "Site", form: Form) -> str:
    run, step = form.need("run"), form.need("step")
    reject_step(run, step, reason=form.need("reason"), store=site.store)
    return _back(form, path_link("runs", run))


def _back(form: Form, otherwise: str) -> str:
    return "/waiting" if form.text("from") == "waiting" else otherwise


ACTIONS: Mapping[str, Action] = {
    "/do/models/approve": Action(Permission.APPROVE, _approve, "model"),
    "/do/models/reject": Action(Permission.APPROVE, _reject, "model"),
    "/do/models/promote": Action(Permission.OPERATE, _promote, "model"),
    "/do/models/stage": Action(Permission.WRITE, _stage, "model"),
    "/do/models/rollback": Action(Permission.OPERATE, _roll_back, "model"),
    "/do/models/archive": Action(Permission.OPERATE, _archive, "model"),
    "/do/models/tag": Action(Permission.WRITE, _tag_model, "model"),
    "/do/schedules/pause": Action(Permission.OPERATE, _pause, "schedule"),
    "/do/schedules/resume": Action(Permission.OPERATE, _resume, "schedule"),
    "/do/steps/approve": Action(Permission.APPROVE, _approve_step, "run"),
    "/do/steps/reject": Action(Permission.APPROVE, _reject_step, "run"),
    "/do/runs/tag": Action(Permission.WRITE, _tag_run, "run"),
    "/do/runs/delete": Action(Permission.ADMIN, _delete_run, "run"),
    "/do/runs/restore": Action(Permission.ADMIN, _restore_run, "run"),
}
