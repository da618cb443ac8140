"""FeatureStore: the feature views of a project, their rows, and joins; thin, over ``views``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.core import ConflictError, NotFoundError, SettingsError, did_you_mean
from penstock.data import Finding
from penstock.data.sources import require_no_secrets
from penstock.features._online_half import OnlineHalf, ViewLike
from penstock.features.online import OnlineStore
from penstock.features.views import (
    FeatureView,
    History,
    HistoryVersion,
    OnDemandView,
    ViewSelection,
    as_of,
    as_of_blocks,
    check_features,
    find_later_values,
    list_histories,
    plan_join,
    read_labels,
    require_no_leaks,
    select,
    to_rows,
    write_wide,
)
from penstock.stores import Store, open_store

if TYPE_CHECKING:
    import polars as pl

_FOLDER = "features"


class FeatureStore(OnlineHalf):
    """Feature views and their histories, in a folder or a bucket, and their newest values online.

    >>> import tempfile
    >>> import polars as pl
    >>> from datetime import UTC, datetime, timedelta
    >>> from penstock.features.views import Entity
    >>> card = Entity("card", {"card_id": pl.Int64})
    >>> spend = FeatureView("spend", card, {"amount": pl.Float64}, available_at=timedelta(hours=1))
    >>> features = FeatureStore(tempfile.mkdtemp())
    >>> features.apply(spend)
    >>> noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    >>> row = {"card_id": 7, "event_time": noon, "amount": 9.5}
    >>> features.write("spend", pl.DataFrame([row]))
    1
    >>> labels = pl.DataFrame({"card_id": [7, 7], "time": [noon, noon + timedelta(hours=1)]})
    >>> features.join(labels, ["spend"], time="time")["amount"].to_list()
    [None, 9.5]

    Args:
        path: Folder or URL (``s3://``, ``gs://``, ``az://``) of the tables; by default the folder
            ``features`` beside the artifacts of the store.
        online: The online store, or the URL: ``sqlite:///path``, ``redis://host:6379/0``; by
            default the setting ``online_store``, else the file ``online.db`` in the folder of the
            tables.
        options: Options of the object store; secrets as ``"${NAME}"``. They are part of the
            signature of models that are trained on these features.
        store: The store whose features these are; by default the project's.

    Raises:
        SettingsError: If no path is given and the store's artifacts are in a bucket.
        ParameterError: If a secret is written out.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        online: OnlineStore | str | Path | None = None,
        options: Mapping[str, str] | None = None,
        store: Store | str | None = None,
    ) -> None:
        super().__init__(_place(path, store), online)
        require_no_secrets("FeatureStore", self.path, options)
        self._options = dict(options or {})

    @property
    def options(self) -> dict[str, str]:
        """Options of the object store, with references in the place of secrets."""
        return dict(self._options)

    def apply(self, *views: FeatureView) -> None:
        """Create feature views, or replace definitions of views that exist.

        A view may get further features, a new ttl or rule; existing rows keep their meaning.

        Raises:
            ConflictError: If keys, features or dtypes of existing rows would change.
        """
        for view in views:
            try:
                history = self.history(view.name)
            except NotFoundError:
                History(self._uri(view.name), view, self._options).create()
            else:
                if history.view != view:
                    history.redefine(view)

    def list_views(self) -> list[FeatureView]:
        """List the feature views, by name."""
        return [self.history(name).view for name in self._names()]

    def get_view(self, name: str) -> FeatureView:
        """Return a feature view.

        Raises:
            NotFoundError: If there is none of that name.
        """
        return self.history(name).view

    def history(self, view: FeatureView | str) -> History:
        """Return all rows of a view.

        Raises:
            NotFoundError: If there is no view of that name.
        """
        name = view if isinstance(view, str) else view.name
        try:
            return History.open(self._uri(name), self._options)
        except NotFoundError as error:
            raise NotFoundError(
                what=f"There is no feature view {name!r} in {self.path}.",
                fix=did_you_mean(name, self._names()) or "Define it: FeatureStore.apply(view).",
                view=name,
            ) from error

    def write(self, view: FeatureView | str, rows: object) -> int:
        """Append rows to a view's history and return the version that has them.

        Args:
            view: The view or the view's name.
            rows: A polars or pandas frame with the keys, the view's time columns and all features.

        Raises:
            SchemaError: If a column is missing, a dtype differs, or times have no zone.
            DataError: If a key or time is null, or a row is known before the event or after now.
            NotFoundError: If there is no such view.
        """
        history = self.history(view)
        return history.append(to_rows(history.view, rows))

    def delete(self, view: FeatureView | str, rows: object) -> int:
        """Append deletes: from their event time on, the keys have no values; earlier ones stay.

        Args:
            view: The view or the view's name.
            rows: A frame with the keys and the view's time columns.

        Returns:
            The version that has the deletes.
        """
        history = self.history(view)
        return history.append(to_rows(history.view, rows, is_deleted=True))

    def join(
        self,
        labels: object,
        views: Sequence[ViewLike],
        *,
        time: str,
        target: str | None = None,
        event_time_only: bool = False,
        versions: Mapping[str, int] | None = None,
    ) -> "pl.DataFrame":
        """Return labels with the features that were known at each label's time.

        Args:
            labels: A polars or pandas frame with the keys of the views and a time.
            views: Views, names, ``"view:feature"`` for single features, or on-demand views, whose
                inputs are joined too and left out again.
            time: Column with the time of a label; aware.
            target: Column of the labels with the target: features that reveal the target are
                refused.
            event_time_only: Use rows from their event on, even those that were known only later.
                A model would be trained on values that serving does not have: for comparisons only.
            versions: Versions of the histories by view; by default the newest.

        Returns:
            The labels in their order, and the features.

        Raises:
            NotFoundError: If there is no such view, feature or version.
            SchemaError: If a key or the time is missing, or a dtype differs.
            DataError: If two columns would have the same name.
            LeakageError: If a feature reveals the target, or rows are known before they happen.
        """
        plan = plan_join(self.resolve(views))
        _require_read(versions, plan.selections)
        labelled = read_labels(labels, time, plan.selections)
        joined = labelled.drop(labelled.columns[-1])
        kept = [*joined.columns, *plan.output]
        for selection in plan.selections:
            rows = self._rows_of(selection, versions)
            values = as_of(labelled, rows, selection, event_time_only=event_time_only)
            joined = joined.hstack(values)
        for view in plan.on_demand:
            joined = joined.hstack(view.compute(joined))
        if target is not None:
            require_no_leaks(check_features(joined, plan.output, target=target))
        return joined.select(kept)

    def join_to_files(
        self,
        folder: str | Path,
        labels: object,
        views: Sequence[ViewLike],
        *,
        time: str,
        event_time_only: bool = False,
        versions: Mapping[str, int] | None = None,
    ) -> "pl.LazyFrame":
        """Write labels with their features to Parquet files: for tables that exceed the memory.

        Args:
            folder: A new folder; appears when all files are complete.
            labels: Labels as for ``join``.
            views: Views as for ``join``.
            time: Column with the time of a label.
            event_time_only: As for ``join``.
            versions: As for ``join``.

        Returns:
            The table, not read yet.

        Raises:
            ConflictError: If the folder exists.
        """
        plan = plan_join(self.resolve(views))
        _require_read(versions, plan.selections)
        labelled = read_labels(labels, time, plan.selections)
        blocks = (
            block
            for selection in plan.selections
            for block in as_of_blocks(
                labelled,
                self._rows_of(selection, versions),
                selection,
                event_time_only=event_time_only,
            )
        )
        return write_wide(Path(folder), labelled.drop(labelled.columns[-1]), blocks, plan)

    def check(
        self, labels: object, views: Sequence[ViewLike], *, time: str, target: str
    ) -> list[Finding]:
        """Check features for leaks, without refusing them.

        Args:
            labels: Labels as for ``join``.
            views: Views as for ``join``.
            time: Column with the time of a label.
            target: Column with the target.

        Returns:
            Features that reveal the target, and those with values that were known only later.
        """
        known = self.join(labels, views, time=time)
        happened = self.join(labels, views, time=time, event_time_only=True)
        features = plan_join(self.resolve(views)).output
        leaks = check_features(known, features, target=target)
        return [*leaks, *find_later_values(known, happened, features)]

    def versions(self, views: Sequence[ViewLike]) -> list[HistoryVersion]:
        """Return the newest versions of views, for step keys and signatures."""
        plan = plan_join(self.resolve(views))
        return [self.history(each.view).version() for each in plan.selections]

    def describe(self) -> dict[str, Any]:
        """Return the place as plain JSON."""
        return {"type": "FeatureStore", "path": self.path}

    def fingerprint(
        self, views: object = None, versions: Mapping[str, int] | None = None
    ) -> dict[str, Any]:
        """Return the state of views as plain JSON: part of the key of a step that uses them.

        Args:
            views: The views that the step reads; by default, and if these are no views, all.
            versions: Versions of the histories that the step reads, by view; by default the newest.
        """
        view_versions = self._versions_of(views)
        if view_versions is None:
            view_versions = [self.history(name).version() for name in self._names()]
        pinned = versions if isinstance(versions, Mapping) else {}
        states = [
            {**each.to_json(), "version": pinned.get(each.view, each.version)}
            for each in view_versions
        ]
        return {**self.describe(), "views": states}

    def _versions_of(self, views: object) -> list[HistoryVersion] | None:
        """Return the newest versions of views; None if these are no views of this store."""
        if not isinstance(views, list | tuple) or not all(isinstance(v, ViewLike) for v in views):
            return None
        try:
            return self.versions(views)
        except NotFoundError:
            return None  # an argument of that name with another meaning, or the step explains it

    def resolve(self, views: Sequence[ViewLike]) -> list[ViewSelection | OnDemandView]:
        """Return views with their definitions.

        Raises:
            NotFoundError: If there is no such view or feature.
            ConflictError: If a view in the code differs from the view in the store.
        """
        return [self._resolve(each) for each in views]

    def _resolve(self, view: ViewLike) -> ViewSelection | OnDemandView:
        if isinstance(view, OnDemandView):
            for each in view.views:
                self._require_applied(each)
            return view
        if isinstance(view, FeatureView):
            self._require_applied(view)
            return select(view)
        name, _, feature = view.partition(":")
        return select(self.get_view(name), [feature] if feature else None)

    def _rows_of(
        self, selection: ViewSelection, versions: Mapping[str, int] | None
    ) -> "pl.LazyFrame":
        name = selection.view.name
        return self.history(name).scan(version=(versions or {}).get(name))

    def _require_applied(self, view: FeatureView) -> None:
        """Check that a view in the code is that of the store: serving reads by the stored rules."""
        if self.get_view(view.name).digest != view.digest:
            raise ConflictError(
                what=f"Feature view {view.name!r} differs from its definition in {self.path}.",
                why="Serving and other programs use the stored definition.",
                fix="Apply it, FeatureStore.apply(view), or use the stored one, get_view(name).",
                view=view.name,
            )

    def _names(self) -> list[str]:
        return list_histories(self.path, self._options)

    def _uri(self, name: str) -> str:
        return f"{self.path.rstrip('/')}/{name}"


def _require_read(versions: Mapping[str, int] | None, selections: list[ViewSelection]) -> None:
    """Check that versions are of views that are read: else the newest would be read instead."""
    names = [each.view.name for each in selections]
    for name in versions or ():
        if name not in names:
            raise NotFoundError(
                what=f"versions= names {name!r}, which this join does not read.",
                why="The newest version would be read instead of the one that was meant.",
                fix=did_you_mean(name, names) or f"It reads {', '.join(names)}.",
                view=name,
            )


def _place(path: str | Path | None, store: Store | str | None) -> str:
    if path is not None:
        return str(path) if "://" in str(path) else str(Path(path).absolute())
    kept = open_store(store).artifacts.url
    if "://" in kept:
        raise SettingsError(
            what=f"The place of the feature views is unknown: the artifacts are in {kept}.",
            fix='Name it: FeatureStore("s3://bucket/features").',
        )
    return str(Path(kept).absolute().parent / _FOLDER)
