"""scope_metadata: the store as someone may see and change it, whatever way they come.

One wrapper around the nouns instead of a check in each page and operation: what a call names has to
be in a project where the identity has the permission, and what it returns is left out otherwise.
"""

import copy
import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import is_dataclass
from functools import partial
from typing import Any, cast

from penstock.core import (
    ANY_PROJECT,
    AccessError,
    Identity,
    NotFoundError,
    Permission,
    ProjectRecord,
    current_identity,
    new_id,
    project_of,
)
from penstock.people._access import refusal
from penstock.people._subjects import UNSCOPED, Subjects
from penstock.stores import MetadataStore, Store

# Searches, with the field that has the name.
_SEARCHES: Mapping[tuple[str, str], str] = {
    ("runs", "search"): "experiment",
    ("runs", "count"): "experiment",
    ("runs", "search_experiments"): "name",
    ("models", "search"): "model",
    ("models", "search_versions"): "model",
}
_CHECKED_BY = {"count": "search"}  # what reads the same filters, and takes a limit
# Calls whose texts, or keys, are names.
_LISTS = frozenset(
    {("models", "list"), ("runs", "list_experiments"), ("artifacts", "list_sources")}
)
# Webhooks send what happens in all projects; a lease is no project's.
_WHOLE_STORE = frozenset({"hooks"})
_NOTHING: dict[str, Any] = {"list": [], "count_events": {}, "list_events": []}


def scope_metadata(
    metadata: MetadataStore, demands: Collection[Permission] = (Permission.READ,)
) -> MetadataStore:
    """Return the store as whoever has signed in may use it.

    Args:
        metadata: The whole store.
        demands: Permissions that each call needs in the project of what it is about.

    Returns:
        The store itself for who has the permissions in all projects, and where nobody signs in.
    """
    identity = current_identity()
    if identity is None or all(each in _everywhere(identity) for each in demands):
        return metadata
    return cast("MetadataStore", _ScopedMetadata(metadata, identity, frozenset(demands)))


def scope_store(*, store: Store) -> Store:
    """Return the store as whoever has signed in may read it; its bytes are addressed by digest."""
    scoped = scope_metadata(store.metadata)
    if scoped is store.metadata:
        return store
    view = copy.copy(store)
    view.metadata = scoped
    return view


class _ScopedMetadata:
    """The nouns of a store for one identity; see `scope_metadata`."""

    def __init__(
        self, metadata: MetadataStore, identity: Identity, demands: frozenset[Permission]
    ) -> None:
        self._metadata = metadata
        self._view = _View(metadata, identity, demands)

    def require(self, noun: str, arguments: Mapping[str, Any]) -> None:
        """See `require_scope`."""
        self._view.require(noun, arguments)
        if self._view.names_nothing(noun, arguments):
            raise self._view.refuse(ANY_PROJECT)

    def __getattr__(self, noun: str) -> Any:
        found = getattr(self._metadata, noun)
        if noun in UNSCOPED or noun in {"database", "close"}:
            return found
        return _ScopedNoun(noun, found, self._view)


def require_scope(metadata: MetadataStore, noun: str, arguments: Mapping[str, Any]) -> None:
    """Check that a call may be made on a store of `scope_metadata`, before it is made.

    A call that changes something and names nothing is about all projects: it is refused.

    Args:
        metadata: The store as `scope_metadata` returned it.
        noun: The noun of the call.
        arguments: Arguments by name.

    Raises:
        AccessError: If a permission is missing in a project.
        NotFoundError: If there is no such run, for whoever asks.
    """
    if isinstance(metadata, _ScopedMetadata):
        metadata.require(noun, arguments)


class _ScopedNoun:
    """A noun of a store for one identity."""

    def __init__(self, noun: str, real: Any, view: "_View") -> None:
        self._noun, self._real, self._view = noun, real, view

    def __getattr__(self, verb: str) -> Any:
        real = getattr(self._real, verb)
        return partial(self._call, verb, real) if callable(real) else real

    def _call(self, verb: str, real: Callable[..., Any], /, *given: Any, **options: Any) -> Any:
        view, noun = self._view, self._noun
        if noun in _WHOLE_STORE and not view.has_all:
            if verb in _NOTHING:
                return copy.copy(_NOTHING[verb])
            raise view.refuse(ANY_PROJECT)
        bound = inspect.signature(real).bind(*given, **options)
        if (noun, verb) == ("predictions", "add_truth"):
            return self._add_truth(real, bound)
        field = _SEARCHES.get((noun, verb))
        if field is None:
            view.require(noun, bound.arguments)
        else:  # of another project it finds nothing, as of one that does not exist
            names = view.names(field)
            if not names:
                return 0 if verb == "count" else []
            text = bound.arguments.get("filter", "")
            if text.strip():
                # On its own first: a filter that closes a bracket of ours would see everything.
                getattr(self._real, _CHECKED_BY.get(verb, verb))(text, limit=1)
            bound.arguments["filter"] = _narrow(text, field, names)
        try:
            result = real(*bound.args, **bound.kwargs)
        except NotFoundError as error:
            # The store proposes names that are like it, which may be of another project.
            raise _unknown(error.what) from None
        try:
            return view.show(
                result, is_names=(noun, verb) in _LISTS, is_found=verb == "find_cached"
            )
        except AccessError:
            if view.sees_project_of(result):
                raise
            raise _as_unknown(real, bound) from None

    def _add_truth(self, real: Callable[..., Any], bound: inspect.BoundArguments) -> list[str]:
        """Add truth to the predictions that may be read; the others are unknown, as those that are not.

        Raises:
            AccessError: If a prediction may be read, and no more.
        """
        truth = bound.arguments["truth"]
        readable = self._view.readable_predictions(list(truth))
        bound.arguments["truth"] = {each: truth[each] for each in truth if each in readable}
        unknown = set(real(*bound.args, **bound.kwargs))
        return [each for each in truth if each not in readable or each in unknown]


class _View:
    """What an identity may see."""

    def __init__(
        self, metadata: MetadataStore, identity: Identity, demands: frozenset[Permission]
    ) -> None:
        self._metadata, self._identity, self._demands = metadata, identity, demands
        self._projects: list[ProjectRecord] = metadata.projects.list()
        self._subjects = Subjects(metadata)
        self.has_all = all(each in _everywhere(identity) for each in demands)

    def sees(self, name: str) -> bool:
        """Return whether something of a name may be used."""
        project = project_of(name, self._projects)
        return all(self._identity.may(each, project) for each in self._demands)

    def require(self, noun: str, arguments: Mapping[str, Any]) -> None:
        """Refuse a call about something of another project.

        A run that may not be read is unknown, as one that does not exist; a name is refused for its
        project alone, so that the answer does not depend on whether the thing exists either.

        Raises:
            AccessError: If a permission is missing in a project.
            NotFoundError: If there is no such run, for whoever asks.
        """
        for run_id in self._subjects.runs_of_call(noun, arguments):
            experiment = self._subjects.experiment_of(run_id)
            if experiment is None or not self._reads(experiment):
                raise _unknown(f"There is no run {run_id!r}.")
        for name in self._subjects.of_call(noun, arguments):
            if not self.sees(name):
                raise self.refuse(project_of(name, self._projects))

    def readable_predictions(self, prediction_ids: list[str]) -> set[str]:
        """Return the predictions of projects that may be read.

        Raises:
            AccessError: If one may be read, and a permission is missing for it.
        """
        readable = set()
        for prediction_id, found in self._metadata.predictions.get_many(prediction_ids).items():
            names = list(self._subjects.of_record(found))
            if not all(self._reads(name) for name in names):
                continue
            for name in names:
                if not self.sees(name):
                    raise self.refuse(project_of(name, self._projects))
            readable.add(prediction_id)
        return readable

    def names_nothing(self, noun: str, arguments: Mapping[str, Any]) -> bool:
        """Return whether a call is about nothing that has a name, and so about all projects."""
        return not any(True for _ in self._subjects.of_call(noun, arguments))

    def sees_project_of(self, record: Any) -> bool:
        """Return whether everything that a record is about may be read."""
        return all(self._reads(name) for name in self._subjects.of_record(record))

    def _reads(self, name: str) -> bool:
        return self._identity.may(Permission.READ, project_of(name, self._projects))

    def refuse(self, project: str) -> Exception:
        """Return the error for a project."""
        lacking = [each for each in self._demands if not self._identity.may(each, project)]
        return refusal(self._identity, min(lacking or self._demands), project)

    def names(self, field: str) -> list[str]:
        """Return the names that may be searched: of experiments or of models."""
        nouns = self._metadata
        every = nouns.models.list() if field == "model" else nouns.runs.list_experiments()
        return [name for name in every if self.sees(name)]

    def show(self, result: Any, *, is_names: bool, is_found: bool) -> Any:
        """Return a result without what may not be seen."""
        if isinstance(result, dict):
            return {
                key: value
                for key, value in result.items()
                if (not is_names or self.sees(key)) and self._is_visible(value)
            }
        if isinstance(result, list):
            return [
                each for each in result if (self.sees(each) if is_names else self._is_visible(each))
            ]
        if self._is_visible(result):
            return result
        if is_found:  # as if nothing were cached
            return None
        (name, *_) = [each for each in self._subjects.of_record(result) if not self.sees(each)]
        raise self.refuse(project_of(name, self._projects))

    def _is_visible(self, value: Any) -> bool:
        if not is_dataclass(value) or isinstance(value, type):
            return True
        return all(self.sees(name) for name in self._subjects.of_record(value))


def _unknown(what: str) -> NotFoundError:
    return NotFoundError(
        what=what, fix="List what you may see, for example with: penstock runs, or penstock models"
    )


def _as_unknown(real: Callable[..., Any], bound: inspect.BoundArguments) -> NotFoundError:
    """Return the error that the store has for a thing that does not exist, for one that is hidden."""
    other, asked = new_id(), ""
    for name, value in bound.arguments.items():
        if isinstance(value, str):
            bound.arguments[name], asked = other, value
    try:
        real(*bound.args, **bound.kwargs)
    except NotFoundError as error:
        return _unknown(error.what.replace(other, asked))
    return _unknown(f"There is no {asked!r}.")


def _everywhere(identity: Identity) -> frozenset[Permission]:
    return identity.permissions.get(ANY_PROJECT, frozenset())


def _narrow(text: str, field: str, names: list[str]) -> str:
    """Return a filter that finds only what has one of the names."""
    quoted = ", ".join("'" + name.replace("'", "''") + "'" for name in names)
    mine = f"{field} in ({quoted})"
    return f"({text}) and {mine}" if text.strip() else mine
