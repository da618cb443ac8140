"""The join_features step: labels and feature views -> Snapshot with the values known at their time."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import polars as pl

from penstock.core import require_choice
from penstock.data import Snapshot
from penstock.features import FeatureStore, FeatureView, OnDemandView
from penstock.features.views import plan_join
from penstock.models import FeatureInputs, OnDemandInputs, ViewInputs
from penstock.pipelines import step
from penstock.steps._feature_inputs import describe_join
from penstock.stores import Store, open_store
from penstock.tracking import active_run


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
    remembers which inputs come from which view, so that serving looks them up by key.

    Args:
        labels: Output of ``ingest`` or of a step of your own, with the keys of the views.
        views: Views, names, ``"view:feature"`` for single features, or on-demand views.
        time: Column with the time of a label; aware.
        target: Column with the target: features that reveal the target are refused.
        missing: Treatment of a request whose key has no value, or an expired value:
            ``"null"``, as in training, or ``"refuse"``.
        versions: Versions of the histories by view; by default the newest.
        features: The feature store; by default that of the project's store.

    Returns:
        The labels in their order with the features, frozen.

    Raises:
        NotFoundError: If there is no such view, feature or version.
        ConflictError: If a view in the code differs from the view in the store.
        SchemaError: If a key or the time is missing or has the wrong dtype.
        LeakageError: If a feature reveals the target, or rows are known before they happen.
    """
    require_choice("missing", missing, ("null", "refuse"))
    run = active_run()
    store = run.store if run else open_store()
    opened = features.open(store) if isinstance(features, RunFeatureStore) else features
    # The versions first: rows that are written meanwhile belong to later ones.
    known = {each.view: each for each in opened.versions(views)}
    read = {name: each.version for name, each in known.items()} | dict(versions or {})
    snapshot = labels if isinstance(labels, Snapshot) else None
    rows = labels.table if isinstance(labels, Snapshot) else labels
    joined = opened.join(rows, views, time=time, target=target, versions=read)
    plan = plan_join(opened.resolve(views))
    inputs = FeatureInputs(
        tuple(
            ViewInputs(
                each.view.describe(),
                each.features,
                known[each.view.name].table,
                read[each.view.name],
                opened.path,
                missing,
                opened.options,
            )
            for each in plan.selections
        ),
        tuple(OnDemandInputs(each.describe(), each.feature_names) for each in plan.on_demand),
    )
    return Snapshot.of(
        joined,
        source=describe_join(inputs),
        time=time,
        since=snapshot.since if snapshot else None,
        cutoff=snapshot.cutoff if snapshot else None,
        reading=snapshot.reading if snapshot else None,
    )
