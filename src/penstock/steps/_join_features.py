"""The join_features step: labels and feature views -> Snapshot with the values known at their time."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import polars as pl

from penstock.core import require_choice
from penstock.data import Snapshot
from penstock.features import FeatureStore, FeatureView, OnDemandView
from penstock.features.views import plan_join
from penstock.pipelines import step
from penstock.stores import Store, open_store
from penstock.tracking import active_run

FEATURES = "features"
"""Type of the source of joined rows."""


class RunFeatureStore:
    """The feature store beside the store of the run: the default of ``join_features``."""

    def open(self, store: Store) -> FeatureStore:
        """Open the feature store."""
        return FeatureStore(store=store)

    def describe(self) -> dict[str, Any]:
        """Return the description as plain JSON."""
        return {"type": "FeatureStore"}

    def fingerprint(
        self, store: Store, views: object = None, versions: Mapping[str, int] | None = None
    ) -> dict[str, Any]:
        """Return the state of the views; see FeatureStore."""
        return self.open(store).fingerprint(views, versions)


_BESIDE_RUN = RunFeatureStore()


@dataclass(frozen=True, slots=True)
class JoinedView:
    """A view as it was joined: what serving needs to look its features up, and lineage to name it.

    Args:
        view: The definition, as ``FeatureView.describe`` returns it.
        features: The features that were read.
        table: Id of the Delta table.
        version: Version of the history.
    """

    view: Mapping[str, Any]
    features: tuple[str, ...]
    table: str
    version: int


@dataclass(frozen=True, slots=True)
class Join:
    """The facts of a join, as the source of its Snapshot has them.

    Args:
        store: Folder or URL of the feature store.
        views: The views whose rows were read.
        on_demand: Definitions of the on-demand views that were computed.
        missing: See ``join_features``.
    """

    store: str
    views: tuple[JoinedView, ...]
    on_demand: tuple[Mapping[str, Any], ...] = ()
    missing: Literal["null", "refuse"] = "null"

    def describe(self) -> dict[str, Any]:
        """Return the source of the joined rows as plain JSON."""
        named = [each.view["name"] for each in self.views]
        named += [each["name"] for each in self.on_demand]
        return {
            "type": FEATURES,
            "name": ", ".join(dict.fromkeys(named)),
            "origins": [f"view:{each.view['name']}@{each.version}" for each in self.views],
            **asdict(self),
        }

    @classmethod
    def from_source(cls, source: Mapping[str, Any]) -> "Join":
        """Read the facts of a Snapshot's source."""
        views = [
            JoinedView(each["view"], tuple(each["features"]), each["table"], each["version"])
            for each in source["views"]
        ]
        return cls(
            source["store"],
            tuple(views),
            tuple(source["on_demand"]),
            source["missing"],
        )


@step(source=True)
def join_features(
    labels: Snapshot | pl.DataFrame,
    views: Sequence[FeatureView | OnDemandView | str],
    *,
    time: str,
    target: str | None = None,
    missing: Literal["null", "refuse"] = "null",
    versions: Mapping[str, int] | None = None,
    features: FeatureStore | RunFeatureStore = _BESIDE_RUN,
) -> Snapshot:
    """Join labels with the features that were known at each label's time.

    The step runs again when a view has a new version. A model that is trained on the result
    remembers which of its inputs come from which view, so that serving looks them up by key.

    Args:
        labels: Output of ``ingest`` or of a step of your own, with the keys of the views.
        views: Views, names, ``"view:feature"`` for single features, or on-demand views.
        time: Column with the time of a label; aware.
        target: Column with the target: features that reveal it are refused.
        missing: What serving does with a request whose key has no value, or an expired one:
            ``"null"``, as in training, or ``"refuse"``.
        versions: Versions of the histories by view; by default the newest.
        features: The feature store; by default that of the project's store.

    Returns:
        The labels in their order with the features, frozen.

    Raises:
        NotFoundError: If there is no such view, feature or version.
        ConflictError: If a view in the code differs from the one in the store.
        SchemaError: If a key or the time is missing or has another dtype.
        LeakageError: If a feature reveals the target, or rows are known before they happen.
    """
    require_choice("missing", missing, ("null", "refuse"))
    run = active_run()
    store = run.store if run else open_store()
    opened = features.open(store) if isinstance(features, RunFeatureStore) else features
    # The versions first: rows that are written meanwhile belong to later ones.
    known = {each.view: each for each in opened.versions(views)}
    read = {name: each.version for name, each in known.items()} | dict(versions or {})
    given = labels if isinstance(labels, Snapshot) else None
    rows = labels.table if isinstance(labels, Snapshot) else labels
    joined = opened.join(rows, views, time=time, target=target, versions=read)
    plan = plan_join(opened.resolve(views))
    join = Join(
        opened.path,
        tuple(
            JoinedView(each.view.describe(), each.features, known[name].table, read[name])
            for each in plan.selections
            for name in [each.view.name]
        ),
        tuple(each.describe() for each in plan.on_demand),
        missing,
    )
    return Snapshot.of(
        joined,
        source=join.describe(),
        time=time,
        since=given.since if given else None,
        cutoff=given.cutoff if given else None,
        reading=given.reading if given else None,
    )
