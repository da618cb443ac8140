"""Notice: an event as a text for people, in a chat or in a mail."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Level = Literal["good", "bad", "plain"]
_BAD = frozenset(
    {"failed", "killed", "refused", "rejected", "rolled_back", "load_failed", "raised"}
)
_GOOD = frozenset({"finished", "production", "promoted", "approved", "resolved"})
_STATES = {
    "started": "has started",
    "waiting": "is waiting",
    "finished": "has finished",
    "failed": "has failed",
    "killed": "was killed",
    "cached": "was cached",
    "skipped": "was skipped",
    "registered": "is registered",
    "approved": "is approved",
    "refused": "is refused",
    "staging": "is in staging",
    "production": "is in production",
    "archived": "is archived",
    "rejected": "is rejected",
}
_MOST_METRICS = 6


@dataclass(frozen=True, slots=True)
class Notice:
    """An event as a text for people.

    Args:
        title: The event, on a single line.
        text: Error, reason or message; may be empty.
        facts: Names and values, in their order.
        level: Good or bad news.
    """

    title: str
    text: str
    facts: tuple[tuple[str, str], ...]
    level: Level

    @property
    def plain(self) -> str:
        """The notice as plain text."""
        facts = [f"{name}: {value}" for name, value in self.facts]
        return "\n".join([self.title, *filter(None, [self.text]), "", *facts])


def notice_of(message: Mapping[str, Any]) -> Notice:
    """Return the notice of a message.

    >>> facts = {"model": "tips", "version": 3, "actor": "ann", "reason": "Better.", "store": "s"}
    >>> notice_of({"type": "version.production", "data": facts}).title
    'tips v3 is in production'

    Args:
        message: The event in the form of `message_of`.
    """
    noun, _, what = message["type"].partition(".")
    title, text, facts = _TOLD[noun](what, message["data"])
    level: Level = "bad" if what in _BAD else "good" if what in _GOOD else "plain"
    shown_facts = {**facts, "store": message["data"].get("store")}
    shown = tuple(
        (name, str(value)) for name, value in shown_facts.items() if value not in {None, ""}
    )
    return Notice(" ".join(title.split()), str(text or "").strip(), shown, level)


_Told = tuple[str, str, dict[str, Any]]


def _of_run(what: str, data: Mapping[str, Any]) -> _Told:
    name = data.get("pipeline") or data.get("name") or data["run_id"]
    facts = {"run": data["run_id"], "experiment": data.get("experiment"), "user": data.get("user")}
    facts |= dict(_metrics(data.get("metrics") or {}))
    return f"{name} {_STATES.get(what, what)}", data.get("error") or "", facts


def _of_step(what: str, data: Mapping[str, Any]) -> _Told:
    step = data.get("step") or {}
    name = step.get("name", "") if isinstance(step, Mapping) else str(step)
    run, text, facts = _of_run(what, data)
    error = step.get("error") if isinstance(step, Mapping) else None
    return f"Step {name} of {run}", error or text, facts


def _of_version(what: str, data: Mapping[str, Any]) -> _Told:
    names = ("actor", "trained_by")
    facts = {"by": data.get(names[0]), "trained by": data.get(names[1]), "run": data.get("run_id")}
    ref = f"{data['model']} v{data['version']}"
    return f"{ref} {_STATES.get(what, what)}", data.get("reason") or "", facts


def _of_deployment(what: str, data: Mapping[str, Any]) -> _Told:
    title = f"Deployment {data['deployment']}: {what.replace('_', ' ')}"
    return title, data.get("message") or "", {"model": data.get("model")}


def _of_alert(what: str, data: Mapping[str, Any]) -> _Told:
    kind = str(data["kind"]).replace("_", " ")
    title = f"Alert {what} on {data['deployment']}: {kind} of {data['subject']}"
    facts = {"model": data.get("model"), "since": data.get("raised_at")}
    return title, data.get("message") or "", facts


def _metrics(metrics: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in list(metrics.items())[:_MOST_METRICS]:
        if isinstance(value, int | float):
            yield name, f"{value:.4g}"


_TOLD = {
    "run": _of_run,
    "step": _of_step,
    "version": _of_version,
    "deployment": _of_deployment,
    "alert": _of_alert,
}
