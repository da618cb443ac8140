"""Facts in the lineage of a subject: rows, split, code, environment, predictions."""

from collections.abc import Iterable, Mapping
from typing import Any

from penstock.core import Edge, PenstockError, RunRecord
from penstock.stores import Store


def count_answered(store: Store, node: str, edges: Iterable[Edge]) -> tuple[Mapping[str, Any], ...]:
    """Count the predictions of the versions below a node, per deployment."""
    below = dict.fromkeys([node, *(edge.target for edge in edges)])
    refs = [name.removeprefix("version:") for name in below if name.startswith("version:")]
    return tuple(
        {
            "version": ref,
            "deployment": deployment.name,
            "predictions": counts["rows"],
            "truth": counts["truth"],
        }
        for deployment in store.metadata.deployments.list()
        for number, counts in sorted(store.metadata.predictions.count(deployment.name).items())
        if (ref := f"{deployment.model}@{number}") in refs
    )


def read_data(
    store: Store, run: RunRecord
) -> tuple[tuple[Mapping[str, Any], ...], Mapping[str, Any]]:
    """Return the facts of the run's snapshots and split; values of different types are skipped."""
    sources, split = [], {}
    for step in store.metadata.steps.list(run.run_id):
        for name, digest in step.outputs.items():
            record = store.metadata.artifacts.get(step.output_address(name), digest)
            if record.format != "bundle":
                continue
            try:
                value = store.load(record)
            except PenstockError:
                continue
            if hasattr(value, "ordered_digest"):
                sources.append(_source_document(value))
            elif hasattr(value, "train") and hasattr(value, "target"):
                split = {"digest": record.content_digest, **_split_document(value)}
    return tuple(sources), split


def _source_document(snapshot: Any) -> dict[str, Any]:
    return {
        "source": snapshot.source.get("name", ""),
        **({"views": origins} if (origins := snapshot.source.get("origins")) else {}),
        "rows": snapshot.rows,
        "since": _text(snapshot.since),
        "cutoff": _text(snapshot.cutoff),
        "first_time": _text(snapshot.first_time),
        "last_time": _text(snapshot.last_time),
        "ordered_digest": snapshot.ordered_digest,
        "order_free_digest": snapshot.order_free_digest,
    }


def _split_document(split: Any) -> dict[str, Any]:
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    return {
        "rows": {name: len(part) for name, part in parts.items() if part is not None},
        "target": split.target,
        "by_time": split.by_time,
        "by_group": split.by_group,
        "table_digest": split.table_digest,
    }


def read_provenance(store: Store, run: RunRecord) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    if run.provenance is None:
        return {}, {}
    manifest = store.get(run.provenance)
    code, environment = manifest["code"], manifest["environment"]
    return (
        {
            "commit": code.get("commit"),
            "dirty": bool(code.get("dirty")),
            "files": len(code.get("files", {})),
            "digest": run.provenance,
        },
        {
            "python": environment.get("python"),
            "platform": environment.get("platform"),
            "packages": len(environment.get("packages", {})),
        },
    )


def _text(moment: Any) -> str | None:
    return None if moment is None else str(moment)
