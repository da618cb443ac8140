"""Hooks: those of a store; added, listed, tried, paused, removed."""

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from penstock.core import (
    ConflictError,
    EventRecord,
    EventState,
    HookRecord,
    ParameterError,
    did_you_mean,
    new_id,
    now,
    require_name,
)
from penstock.hooks._courier import Attempt, Courier, open_client, post
from penstock.hooks._destination import require_destination
from penstock.hooks._signature import new_secret, read_secret
from penstock.stores import Store, open_store

FORMS = ("webhook", "openlineage")
KINDS = tuple(
    f"{noun}.{state}"
    for noun, states in {
        "run": ("started", "waiting", "finished", "failed", "killed"),
        "step": ("started", "waiting", "finished", "cached", "skipped", "failed", "killed"),
    }.items()
    for state in states
)
_DEFAULTS = {"webhook": ("run.*",), "openlineage": ("*",)}


class Hooks:
    """Who is told when runs and steps begin and end.

    ```python
    hook = ps.Hooks().add("https://example.org/penstock", events=["run.failed"])
    print(hook.secret)  # what the receiver checks signatures with
    ```

    Args:
        store: A store or its URL; by default the project's.
    """

    def __init__(self, store: Store | str | None = None) -> None:
        self.store = open_store(store) if store is None or isinstance(store, str) else store
        self._metadata = self.store.metadata

    def add(
        self,
        url: str,
        *,
        name: str | None = None,
        form: str = "webhook",
        events: Sequence[str] = (),
        secret: str | None = None,
    ) -> HookRecord:
        """Add a hook; what happens from now on is posted to its URL.

        Args:
            url: ``https://…``; http and addresses of a private network must be allowed by
                ``[tool.penstock] hook-hosts`` or PENSTOCK_HOOK_HOSTS.
            name: A unique name; by default the form.
            form: ``webhook``, signed as Standard Webhooks says, or ``openlineage``.
            events: Patterns such as ``run.failed`` or ``step.*``; by default those about runs, for
                OpenLineage all.
            secret: What webhooks are signed with; made by default. For OpenLineage the API key.

        Raises:
            ParameterError: If the URL, a pattern or the secret cannot be used.
            ConflictError: If there is a hook of that name.
        """
        _require_form(form)
        require_destination(url)
        name = require_name(name or form, "hook")
        if any(hook.name == name for hook in self._metadata.hooks.list()):
            raise ConflictError(
                what=f"There is a hook {name!r} already.",
                fix=f"Give another name, or remove it: penstock hooks remove {name}",
                name=name,
            )
        wanted = tuple(events) or _DEFAULTS[form]
        for pattern in wanted:
            _require_pattern(pattern)
        if form == "webhook":
            secret = secret or new_secret()
            read_secret(secret)
        hook = HookRecord(name, url, form, secret, wanted, now())
        self._metadata.hooks.save(hook)
        return hook

    def all(self) -> list[HookRecord]:
        """List them by name."""
        return self._metadata.hooks.list()

    def get(self, name: str) -> HookRecord:
        """Give one.

        Raises:
            NotFoundError: If there is none of that name.
        """
        return self._metadata.hooks.get(name)

    def events(self, name: str, *, dead: bool = False, limit: int = 100) -> list[EventRecord]:
        """List what a hook has not been told yet, or what was given up."""
        state = EventState.DEAD if dead else EventState.PENDING
        return self._metadata.hooks.list_events(self.get(name).name, state=state, limit=limit)

    def try_out(self, name: str) -> Attempt:
        """Post an event of the newest run, whatever it is, and say what came of it.

        Raises:
            NotFoundError: If there is no such hook, or no run yet.
        """
        hook, run = self.get(name), self._metadata.runs.get("last")
        moment = now()
        event = EventRecord(new_id(), name, "run.finished", run.run_id, moment, moment)
        with open_client() as client:
            return post(client, self.store, hook, event)

    def deliver(self) -> int:
        """Post what is waiting now; says how many events arrived."""
        return Courier(self.store).deliver()

    def retry(self, name: str) -> int:
        """Try again what was given up, and what waits, at once; says how many events these are."""
        events = [
            event for dead in (True, False) for event in self.events(name, dead=dead, limit=100_000)
        ]
        for event in events:
            self._metadata.hooks.update_event(
                event.event_id, state=EventState.PENDING, attempts=0, due_at=now()
            )
        return len(events)

    def pause(self, name: str) -> HookRecord:
        """Post nothing until it is resumed; what happens meanwhile waits."""
        self._metadata.hooks.save(replace(self.get(name), paused_at=now()))
        return self.get(name)

    def resume(self, name: str) -> HookRecord:
        """Post again, what waits first."""
        self._metadata.hooks.save(replace(self.get(name), paused_at=None))
        return self.get(name)

    def remove(self, name: str) -> None:
        """Remove it with what it has not been told."""
        self._metadata.hooks.delete(name)


def _require_form(form: str) -> None:
    if form not in FORMS:
        raise ParameterError(
            what=f"There is no form {form!r}.", fix=did_you_mean(form, FORMS), form=form
        )


def _require_pattern(pattern: str) -> None:
    if not any(fnmatchcase(kind, pattern) for kind in KINDS):
        raise ParameterError(
            what=f"No event is called {pattern!r}.", fix=did_you_mean(pattern, KINDS), name=pattern
        )
