"""The store as one call of an MLflow client may use it: records and documents of its projects.

Records are scoped as everywhere, by `people.scope_metadata`. Documents have no project of their own:
each kind says here which name it belongs to, directly or through its experiment, run, model or trace.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast

from penstock.core import (
    ANY_PROJECT,
    AccessError,
    ArtifactRecord,
    DocumentRecord,
    Identity,
    NotFoundError,
    Permission,
    current_identity,
    project_of,
)
from penstock.people import require_permission, scope_metadata
from penstock.server.mlflow._kinds import (
    EXPERIMENT,
    INPUT,
    LINK,
    LOGGED,
    MODEL,
    MODEL_INPUT,
    MODEL_METRIC,
    MODEL_OUTPUT,
    SCORER,
    SUMMARY,
    VERSION,
)
from penstock.stores import MetadataStore
from penstock.tracking import ASSESSMENT, EVALUATION_RECORD, EVALUATION_SET, SPAN, TRACE


@dataclass(slots=True)
class _Call:
    permission: Permission
    view: MetadataStore | None = None


_call: ContextVar[_Call | None] = ContextVar("mlflow_call", default=None)


def enter_call(permission: Permission | None) -> None:
    """Check that whoever has signed in may make a call somewhere, and remember what it needs.

    In which projects is checked by what the call reads and writes; see `scoped`.

    Args:
        permission: The permission that the call's route declares; None for a route open to all.

    Raises:
        AccessError: If whoever has signed in has it in no project.
    """
    if permission is None or current_identity() is None:
        return
    require_permission(permission, None)
    _call.set(_Call(permission))


@contextmanager
def call_scope(permission: Permission | None) -> Iterator[None]:
    """Make a call in this block; see `enter_call`."""
    token = _call.set(None)
    try:
        enter_call(permission)
        yield
    finally:
        _call.reset(token)


def scoped(whole: MetadataStore) -> MetadataStore:
    """Return the store as the present call may use it.

    Args:
        whole: The store.

    Returns:
        The store itself where nobody signs in, and for who has the permission in all projects.
    """
    identity = current_identity()
    if identity is None:
        return whole
    call = _call.get() or _Call(Permission.READ)
    if call.view is None:
        call.view = _scope(whole, identity, call.permission)
    return call.view


def is_scoped(whole: MetadataStore) -> bool:
    """Return whether the present call may use a part of the store only."""
    return scoped(whole) is not whole


def require_in_project(permission: Permission, name: str, whole: MetadataStore) -> None:
    """Check that whoever has signed in has a permission in the project of a name.

    Raises:
        AccessError: If not.
    """
    require_permission(permission, project_of(name, whole.projects.list()))


def _scope(whole: MetadataStore, identity: Identity, permission: Permission) -> MetadataStore:
    records = scope_metadata(whole, (permission,))
    if records is whole:
        return whole
    return cast("MetadataStore", _Scoped(records, ScopedDocuments(whole, identity, permission)))


class _Scoped:
    """The nouns of a scoped store, with its documents scoped too."""

    def __init__(self, records: MetadataStore, documents: "ScopedDocuments") -> None:
        self._records, self.documents = records, documents

    def __getattr__(self, noun: str) -> Any:
        return getattr(self._records, noun)


class ScopedDocuments:
    """Documents of MLflow's protocol for one identity, as `DocumentStore`.

    A document that may not be read does not exist; one that may be read and not changed is refused.

    Args:
        whole: The whole store.
        identity: Whoever has signed in.
        permission: The permission that the call needs.
    """

    def __init__(self, whole: MetadataStore, identity: Identity, permission: Permission) -> None:
        self._whole, self._real = whole, whole.documents
        self._identity, self._permission = identity, permission
        self._projects = whole.projects.list()
        self._known: dict[tuple[str, str], tuple[str, ...]] = {}

    def add(self, documents: Sequence[DocumentRecord]) -> list[bool]:
        """Insert documents whose keys are free; see DocumentStore."""
        for document in documents:
            self._require(document, is_new=True)
        return self._real.add(documents)

    def get(self, kind: str, key: str) -> DocumentRecord:
        """Return a document; see DocumentStore."""
        found = self._real.get(kind, key)
        self._require(found)
        return found

    def save(self, document: DocumentRecord, *, expected_revision: int) -> DocumentRecord:
        """Replace a document; see DocumentStore."""
        self._require(self._real.get(document.kind, document.key))
        self._require(document, is_new=True)
        return self._real.save(document, expected_revision=expected_revision)

    def delete(self, kind: str, keys: Collection[str]) -> None:
        """Delete documents with their files; see DocumentStore."""
        for found in self._real.list(kind, keys=keys):
            self._require(found)
        self._real.delete(kind, keys)

    def add_files(self, kind: str, key: str, files: Mapping[str, ArtifactRecord]) -> None:
        """Record files of a document; see DocumentStore."""
        self._require_key(kind, key)
        self._real.add_files(kind, key, files)

    def list_files(self, kind: str, key: str, *, under: str = "") -> dict[str, ArtifactRecord]:
        """Return the files of a document; see DocumentStore."""
        found = self._real.list(kind, keys=[key])
        if not found or not self._is_readable(found[0]):
            return {}
        self._require(found[0])
        return self._real.list_files(kind, key, under=under)

    def drop_files(self, kind: str, key: str, paths: Collection[str]) -> None:
        """Remove files of a document; see DocumentStore."""
        self._require_key(kind, key)
        self._real.drop_files(kind, key, paths)

    def list(
        self,
        kind: str,
        *,
        owners: Collection[str] | None = None,
        keys: Collection[str] | None = None,
    ) -> list[DocumentRecord]:
        """List documents that may be read; see DocumentStore."""
        found = [
            each
            for each in self._real.list(kind, owners=owners, keys=keys)
            if self._is_readable(each)
        ]
        if keys is None:
            return [each for each in found if self._is_usable(each)]
        for each in found:
            self._require(each)
        return found

    def _require_key(self, kind: str, key: str) -> None:
        self._require(self._real.get(kind, key))

    def _require(self, document: DocumentRecord, *, is_new: bool = False) -> None:
        """Refuse a document of another project.

        Raises:
            NotFoundError: If it is there, and may not be read.
            AccessError: If it may be read only, or a new one would be in another project.
        """
        if self._is_usable(document):
            return
        if not is_new and not self._is_readable(document):
            raise NotFoundError(what=f"There is no {document.kind} {document.key!r}.")
        require_permission(self._permission, self._project(document))
        raise AccessError(what=f"{document.key!r} belongs to another project.")

    def _project(self, document: DocumentRecord) -> str:
        names = [n for n in self._names(document) if not self._may(self._permission, n)]
        return project_of(names[0], self._projects) if names else ANY_PROJECT

    def _is_readable(self, document: DocumentRecord) -> bool:
        return self._may_all(Permission.READ, document) or self._is_usable(document)

    def _is_usable(self, document: DocumentRecord) -> bool:
        return self._may_all(self._permission, document)

    def _may_all(self, permission: Permission, document: DocumentRecord) -> bool:
        names = self._names(document)
        if not names and document.kind == SPAN:
            return True  # its trace comes after it; until then no call finds it
        if not names:  # what belongs to nobody is for who may see all
            return self._identity.may(permission, ANY_PROJECT)
        return all(self._may(permission, name) for name in names)

    def _may(self, permission: Permission, name: str) -> bool:
        return self._identity.may(permission, project_of(name, self._projects))

    def _names(self, document: DocumentRecord) -> tuple[str, ...]:
        """Return the names of penstock's that a document is about: of experiments or of models."""
        if document.kind == MODEL:
            return (document.owner, document.key)
        if document.kind in {EXPERIMENT, VERSION}:
            return (document.owner,)
        if document.kind == EVALUATION_SET:  # of several experiments: of each one's project
            numbers = [str(each) for each in document.body["experiment_ids"]]
            return tuple(name for each in numbers for name in self._named_by(EXPERIMENT, each))
        return self._named_by(_OWNERS.get(document.kind, ""), document.owner)

    def _named_by(self, kind: str, owner: str) -> tuple[str, ...]:
        place = (kind, owner)
        if place not in self._known:
            self._known[place] = self._names_of(*place)
        return self._known[place]

    def _names_of(self, kind: str, owner: str) -> tuple[str, ...]:
        if kind == _RUN:
            try:
                return (self._whole.runs.get(owner).experiment,)
            except NotFoundError:
                return ()
        found = self._real.list(kind, keys=[owner]) if kind else []
        return self._names(found[0]) if found else ()


_RUN = "run"
# What owns the documents of a kind.
_OWNERS: Mapping[str, str] = {
    LOGGED: EXPERIMENT,
    SUMMARY: EXPERIMENT,
    TRACE: EXPERIMENT,
    INPUT: _RUN,
    LINK: _RUN,
    MODEL_INPUT: _RUN,
    MODEL_OUTPUT: _RUN,
    MODEL_METRIC: LOGGED,
    EVALUATION_RECORD: EVALUATION_SET,
    SCORER: EXPERIMENT,
    SPAN: TRACE,
    ASSESSMENT: TRACE,
}
