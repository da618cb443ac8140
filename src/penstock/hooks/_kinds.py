"""Kinds of events, and which of them each form gets unless told otherwise."""

from collections.abc import Mapping
from typing import Literal, get_args

Form = Literal["webhook", "openlineage", "slack", "teams", "email"]
FORMS: tuple[Form, ...] = get_args(Form)
KINDS = tuple(
    f"{noun}.{what}"
    for noun, whats in {
        "run": ("started", "waiting", "finished", "failed", "killed"),
        "step": ("started", "waiting", "finished", "cached", "skipped", "failed", "killed"),
        "version": (
            "registered",
            "approved",
            "refused",
            "staging",
            "production",
            "archived",
            "rejected",
        ),
        "deployment": (
            "deployed",
            "rollout_started",
            "rollout_step",
            "rollout_paused",
            "rollout_resumed",
            "promoted",
            "rolled_back",
            "load_failed",
            "retrain",
        ),
        "alert": ("raised", "resolved"),
    }.items()
    for what in whats
)
_FOR_PEOPLE = (
    "run.failed",
    "run.killed",
    "run.waiting",
    "version.staging",
    "version.production",
    "version.re*",
    "deployment.*",
    "alert.*",
)
DEFAULTS: Mapping[Form, tuple[str, ...]] = {
    "webhook": ("run.*",),
    "openlineage": ("*",),
    "slack": _FOR_PEOPLE,
    "teams": _FOR_PEOPLE,
    "email": _FOR_PEOPLE,
}
SECRET_URLS = frozenset({"slack", "teams"})
"""Forms whose URL is itself the key: who knows it can write into the channel."""
