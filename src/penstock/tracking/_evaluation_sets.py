"""EvaluationSet: questions to an application with what is expected of its answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from penstock.core import DocumentRecord, NotFoundError
from penstock.stores import open_store
from penstock.tracking._traces import EXPERIMENT_NUMBER, readable_experiments

if TYPE_CHECKING:
    from penstock.stores import Store

EVALUATION_SET, EVALUATION_RECORD = "mlflow.evaluation_set", "mlflow.evaluation_record"
"""Kinds of the documents; a record's owner is its set, a set names its experiments."""


@dataclass(frozen=True, slots=True)
class EvaluationRecord:
    """A question with what is expected of the answer.

    Args:
        inputs: What the application is given, by name.
        expectations: What is expected, by name.
        outputs: An answer that was given; None for none.
        tags: What people say of it.
        source: Where it comes from: ``TRACE``, ``HUMAN``, ``DOCUMENT``, ``CODE``; empty if unknown.
        source_id: The trace that it was made of; empty for none.
    """

    inputs: Mapping[str, Any]
    expectations: Mapping[str, Any]
    outputs: Any
    tags: Mapping[str, Any]
    source: str
    source_id: str


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """Records on which applications are evaluated.

    Args:
        set_id: Its id.
        name: Its name; several may have one.
        experiments: Names of the experiments that it belongs to.
        count: Number of its records.
        tags: What people say of it.
        changed_at: Time of the last change.
        records: Its records in the order in which they came; empty in lists.
    """

    set_id: str
    name: str
    experiments: tuple[str, ...]
    count: int
    tags: Mapping[str, str]
    changed_at: datetime
    records: Sequence[EvaluationRecord] = field(default=())


def list_evaluation_sets(
    experiment: str | None = None, *, store: "Store | str | None" = None
) -> list[EvaluationSet]:
    """List the evaluation sets of an application's experiments, without their records.

    >>> import tempfile
    >>> list_evaluation_sets(store=f"sqlite:///{tempfile.mkdtemp()}/penstock.db")
    []

    Args:
        experiment: Name of an experiment; None for all.
        store: The store; by default the project's.
    """
    opened = open_store(store)
    found = [
        each for each in _sets(opened, None) if experiment is None or experiment in each.experiments
    ]
    return sorted(found, key=lambda each: (each.changed_at, each.set_id), reverse=True)


def get_evaluation_set(set_id: str, *, store: "Store | str | None" = None) -> EvaluationSet:
    """Return an evaluation set with its records.

    Args:
        set_id: Its id.
        store: The store; by default the project's.

    Raises:
        NotFoundError: If there is no such set.
    """
    opened = open_store(store)
    found = _sets(opened, [set_id])
    if not found:
        raise NotFoundError(
            what=f"There is no evaluation set {set_id!r}.",
            fix="List them with: penstock traces evaluation-sets",
        )
    records = opened.metadata.documents.list(EVALUATION_RECORD, owners=[set_id])
    records.sort(key=lambda each: (each.body["created_ms"], each.body["place"], each.key))
    return replace(found[0], records=tuple(_record(each.body) for each in records))


def _sets(store: "Store", keys: Sequence[str] | None) -> list[EvaluationSet]:
    documents = store.metadata.documents
    names = {each.key: each.owner for each in documents.list(EXPERIMENT_NUMBER)}
    readable = readable_experiments(names.values(), store)
    found = [_set(each, names) for each in documents.list(EVALUATION_SET, keys=keys)]
    found = [each for each in found if readable.issuperset(each.experiments)]
    counts: dict[str, int] = {}
    ids = [each.set_id for each in found]
    for each in documents.list(EVALUATION_RECORD, owners=ids) if ids else ():
        counts[each.owner] = counts.get(each.owner, 0) + 1
    return [replace(each, count=counts.get(each.set_id, 0)) for each in found]


def _set(document: DocumentRecord, names: Mapping[str, str]) -> EvaluationSet:
    body = document.body
    return EvaluationSet(
        set_id=document.key,
        name=body["name"],
        experiments=tuple(names.get(each, each) for each in body["experiment_ids"]),
        count=0,
        tags=body["tags"],
        changed_at=datetime.fromtimestamp(body["updated_ms"] / 1000, UTC),
    )


def _record(body: Mapping[str, Any]) -> EvaluationRecord:
    return EvaluationRecord(
        inputs=body["inputs"],
        expectations=body["expectations"],
        outputs=body["outputs"],
        tags=body["tags"],
        source=(body["source"] or {}).get("source_type", ""),
        source_id=body["source_id"] or "",
    )
