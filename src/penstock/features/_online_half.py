"""The online half of FeatureStore: materialize, read by key, push, backfill, erase; thin, over ``online``."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeAlias

from penstock.core import (
    ConflictError,
    DataError,
    NotFoundError,
    SettingsError,
    digest_bytes,
    online_store_url,
    parse_duration,
)
from penstock.core import now as clock
from penstock.features.online import (
    Erasure,
    FeatureBackfill,
    FeatureLog,
    Freshness,
    LookedUp,
    Materialization,
    OnlineFeatures,
    OnlineStore,
    answer_online,
    backfill,
    digest_online,
    erase_keys,
    freshness,
    is_as_materialized,
    look_up,
    materialize,
    open_online,
    push_rows,
    read_erased,
    split_time,
    view_of,
)
from penstock.features.views import (
    FeatureView,
    History,
    OnDemandView,
    RowCodec,
    ViewSelection,
    plan_join,
    select,
)

if TYPE_CHECKING:
    import polars as pl

ViewLike: TypeAlias = FeatureView | OnDemandView | str

_ONLINE = "online.db"
_LOOK_UP_S = 1.0


class OnlineHalf(ABC):
    """The methods of FeatureStore for the online store.

    Args:
        path: Folder or URL of the tables.
        online: The online store or the URL.
    """

    def __init__(self, path: str, online: OnlineStore | str | Path | None) -> None:
        self.path = path
        self._online = open_online(online) if isinstance(online, str | Path) else online
        self._looked_up: dict[str, float] = {}
        self._pushed_to: dict[str, tuple[History, RowCodec]] = {}
        self._codecs: dict[str, tuple[str, RowCodec]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for a second process, which opens tables anew."""
        return {**self.__dict__, "_pushed_to": {}, "_codecs": {}, "_looked_up": {}}

    @abstractmethod
    def history(self, view: FeatureView | str) -> History:
        """Return all rows of a view."""

    @abstractmethod
    def list_views(self) -> list[FeatureView]:
        """List the feature views."""

    @property
    def online(self) -> OnlineStore:
        """The online store.

        Raises:
            SettingsError: If the tables are in a bucket and no online store was named.
        """
        if self._online is None:
            url = online_store_url()
            if url is not None:
                self._online = open_online(_own_part(url, self.path))
                return self._online
            if "://" in self.path:
                raise SettingsError(
                    what=f"The online store is unknown: the tables are in {self.path}.",
                    why="It is a database of its own.",
                    fix=f'Name it: FeatureStore({self.path!r}, online="sqlite:///online.db"), or set'
                    " PENSTOCK_ONLINE_STORE.",
                )
            self._online = open_online(Path(self.path) / _ONLINE)
        return self._online

    def materialize(self, view: FeatureView | str, *, rebuild: bool = False) -> Materialization:
        """Bring the online store up to the newest version of a view's history.

        Rows that were written after the last version that was materialized are added, whatever
        their event time: rows that come late are not missed. Repeating it changes nothing, and one
        that was killed is continued.

        Args:
            view: The view or the name.
            rebuild: Whether to write all entries anew, while the present ones answer. Always so if
                columns were added to the view.

        Raises:
            NotFoundError: If there is no such view.
            ConflictError: If the entries there belong to a second feature store.
            StoreError: If the online store does not respond.
        """
        history = self.history(view)
        done = materialize(history, self.online, rebuild=rebuild)
        self._looked_up.pop(history.view.name, None)
        return done

    def freshness(self, view: FeatureView | str) -> Freshness:
        """Return how far the online store is behind a view's history."""
        return freshness(self.history(view), self.online)

    def digest_online(self, view: FeatureView | str) -> str:
        """Return a digest of all that is online of a view: equal after a full rebuild."""
        return digest_online(self.online, view if isinstance(view, str) else view.name)

    def get_online(
        self,
        views: ViewLike | Sequence[ViewLike],
        keys: object,
        *,
        now: datetime | None = None,
    ) -> OnlineFeatures:
        """Return the features of keys as they are now, from the online store.

        Args:
            views: Views as for ``join``. A view that is named has the definition of the last
                materialized; on-demand views are computed by the same code as in a join.
            keys: The keys, and the request's inputs of on-demand views: a dict of values or lists,
                a list of dicts, or a frame. Further columns are ignored.
            now: The time by which values expire; by default that of the clock.

        Returns:
            The features of each key in order, and for each view whether there are values
            (``PRESENT``), was deleted or has only nulls (``NULL``), is older than the ttl
            (``EXPIRED``) or unknown (``NOT_FOUND``).

        Raises:
            NotFoundError: If a view was never materialized, or has no such feature.
            ConflictError: If a view in the code is not the materialized view.
            SchemaError: If a key or input is missing or has the wrong dtype.
            DataError: If values were written for columns that are not in the definition.
            StoreError: If the online store does not respond.
        """
        requested = [views] if isinstance(views, FeatureView | OnDemandView | str) else views
        try:
            return self._answer(requested, keys, now)
        except DataError:  # columns may have changed within the last second
            if not self._looked_up:
                raise
            self._looked_up.clear()
            return self._answer(requested, keys, now)

    def _answer(
        self, views: Sequence[ViewLike], keys: object, now: datetime | None
    ) -> OnlineFeatures:
        plan = plan_join([self._resolve_online(each) for each in views])
        codecs = {each.view.name: self._codecs[each.view.name][1] for each in plan.selections}
        return answer_online(self.online, codecs, plan, keys, now)

    def look_up(self, view: str, keys: "pl.DataFrame", at: datetime | None = None) -> LookedUp:
        """Return the features of keys with the rows that they come from, from the online store.

        Args:
            view: Name of the view.
            keys: The key columns, with their dtypes.
            at: The time by which values expire; by default that of the clock.

        Raises:
            NotFoundError: If the view was never materialized.
            StoreError: If the online store does not respond.
        """
        self._materialized(view)
        try:
            return look_up(self.online, self._codecs[view][1], keys, at or clock())
        except DataError:  # its columns have changed within the last second
            self._looked_up.pop(view, None)
            self._materialized(view)
            return look_up(self.online, self._codecs[view][1], keys, at or clock())

    def push(self, view: FeatureView | str, rows: object, *, is_deleted: bool = False) -> int:
        """Append rows to a view's history and put them online at once.

        Args:
            view: The view or the name.
            rows: Rows as for ``write``, or as for ``delete``.
            is_deleted: Whether the rows delete.

        Returns:
            The version of the history that has the rows.

        Raises:
            SchemaError: If a column is missing, has the wrong dtype, or times have no zone.
            DataError: If a key or time is null, or a row is known before the event or after now.
            StoreError: If the online store does not respond; the rows are in the history then, and
                ``materialize`` brings them online.
        """
        name = view if isinstance(view, str) else view.name
        known = self._pushed_to.get(name)
        if known is None or not is_as_materialized(known[0], self.online.read_progress(name)):
            history = self.history(name)
            known = (history, RowCodec(history.view))
            self._pushed_to[name] = known  # open, for the next one
            self._looked_up.pop(name, None)
        return push_rows(*known, self.online, rows, is_deleted=is_deleted)

    def backfill(
        self,
        view: FeatureView | str,
        compute: Callable[[datetime, datetime], object],
        *,
        start: datetime,
        end: datetime,
        every: timedelta | str = "1d",
        name: str = "1",
    ) -> FeatureBackfill:
        """Compute the rows of past intervals and append each interval's to the history, once.

        An interval that is there already is not computed again: a backfill that was killed is
        continued, and many may run side by side, each for different days.

        Args:
            view: The view or the name.
            compute: Returns the rows from a start time up to an end time, which is not included.
            start: Start of the first interval; aware.
            end: End of the last interval; aware.
            every: Length of an interval.
            name: Name of the backfill: under another name intervals are computed again, and their
                rows correct those that are there.

        Raises:
            ParameterError: If a time has no zone, or the length is not positive.
            SchemaError: If a column is missing, has the wrong dtype, or times have no zone.
        """
        intervals = split_time(start, end, parse_duration(every))
        return backfill(self.history(view), compute, intervals, name)

    def erase(
        self,
        keys: object,
        *,
        views: Sequence[FeatureView | str] | None = None,
        logs: Sequence[FeatureLog] = (),
    ) -> Erasure:
        """Remove all rows of keys for good: from histories, the online store, logs and their files.

        Rows of other keys stay bit-equal, which is checked. A killed erasure is completed by
        a repetition. A materialization that runs at the same time may bring entries back: erase
        again.

        Args:
            keys: The keys: a dict of values or lists, a list of dicts, or a frame, with some or all
                key columns; a view with further key columns loses all rows that match.
            views: The views; by default all whose keys include these columns.
            logs: Logs with values of features, such as ``PredictionFeatureLog()``.

        Returns:
            Numbers of rows by place, the removed files, and digests of the remaining rows.

        Raises:
            NotFoundError: If no view has these key columns.
            StoreError: If something of the keys may be left.
        """
        histories = [self.history(each) for each in (views or self.list_views())]
        erased_keys = read_erased(keys, [each.view for each in histories])
        chosen = [
            each for each in histories if set(erased_keys.columns) <= set(each.view.key_columns)
        ]
        return erase_keys(chosen, self.online, erased_keys, logs)

    def _resolve_online(self, view: ViewLike) -> ViewSelection | OnDemandView:
        if isinstance(view, OnDemandView):
            for each in view.views:
                self._require_materialized(each)
            return view
        if isinstance(view, FeatureView):
            self._require_materialized(view)
            return select(view)
        name, _, feature = view.partition(":")
        return select(self._materialized(name), [feature] if feature else None)

    def _require_materialized(self, view: FeatureView) -> None:
        """Check that a view in the code is the materialized view."""
        known = self._materialized(view.name)
        if known != view and known.digest != view.digest:
            raise ConflictError(
                what=f"Feature view {view.name!r} was materialized by another definition.",
                why="Its entries would be misread, or expire by another ttl.",
                fix=f"Run FeatureStore.apply(view) and FeatureStore.materialize({view.name!r}), or"
                " ask by name for what is there.",
                view=view.name,
            )

    def _materialized(self, name: str) -> FeatureView:
        """Return the view as last materialized; looked up once a second."""
        text, codec = self._codecs.get(name, ("", None))
        if codec is not None and monotonic() - self._looked_up.get(name, -_LOOK_UP_S) < _LOOK_UP_S:
            return codec.view
        progress = self.online.read_progress(name)
        if progress is None:
            raise NotFoundError(
                what=f"Feature view {name!r} was never materialized to {self.online.url}.",
                why="There is nothing online that could be read.",
                fix=f"Run FeatureStore.materialize({name!r}).",
                view=name,
            )
        if codec is None or text != progress.definition:
            codec = RowCodec(view_of(progress))
        self._codecs[name] = (progress.definition, codec)
        self._looked_up[name] = monotonic()
        return codec.view


def _own_part(url: str, path: str) -> str:
    """Return a URL that only one feature store uses: several may have views of the same name.

    >>> _own_part("redis://cache:6379/0", "s3://shop/features")
    'redis://cache:6379/0?prefix=penstock-979408ba'
    >>> _own_part("sqlite:////var/online.db", "s3://shop/features/")
    'sqlite:////var/online-979408ba.db'
    """
    mark = digest_bytes(path.rstrip("/").encode()).removeprefix("sha256:")[:8]
    if url.startswith(("redis://", "rediss://")):
        return url if "?prefix=" in url else f"{url}?prefix=penstock-{mark}"
    begin, dot, ending = url.rpartition(".")
    if "/" in ending or not begin:  # file name without an ending
        return f"{url}-{mark}"
    return f"{begin}-{mark}{dot}{ending}"
