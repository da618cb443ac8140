"""Feature views: definitions, bitemporal histories, as-of joins; offline, without a service."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.features.views._codec import RowCodec as RowCodec
    from penstock.features.views._codec import decode_sort_keys as decode_sort_keys
    from penstock.features.views._codec import event_time_of as event_time_of
    from penstock.features.views._dtypes import fit_column as fit_column
    from penstock.features.views._dtypes import widens as widens
    from penstock.features.views._entity import Entity as Entity
    from penstock.features.views._fold import fold as fold
    from penstock.features.views._fold import is_expired as is_expired
    from penstock.features.views._fold import is_missing as is_missing
    from penstock.features.views._fold import leading as leading
    from penstock.features.views._fold import values_at as values_at
    from penstock.features.views._folders import list_histories as list_histories
    from penstock.features.views._history import Commit as Commit
    from penstock.features.views._history import History as History
    from penstock.features.views._history import HistoryVersion as HistoryVersion
    from penstock.features.views._history import version_of as version_of
    from penstock.features.views._join import ViewSelection as ViewSelection
    from penstock.features.views._join import as_of as as_of
    from penstock.features.views._join import as_of_blocks as as_of_blocks
    from penstock.features.views._join import find_rows as find_rows
    from penstock.features.views._join import read_labels as read_labels
    from penstock.features.views._join import select as select
    from penstock.features.views._lint import check_features as check_features
    from penstock.features.views._lint import find_later_values as find_later_values
    from penstock.features.views._lint import require_no_leaks as require_no_leaks
    from penstock.features.views._on_demand import OnDemandView as OnDemandView
    from penstock.features.views._plan import JoinPlan as JoinPlan
    from penstock.features.views._plan import plan_join as plan_join
    from penstock.features.views._removal import has_rows_of as has_rows_of
    from penstock.features.views._removal import list_pending_files as list_pending_files
    from penstock.features.views._removal import remove_old_files as remove_old_files
    from penstock.features.views._removal import remove_rows as remove_rows
    from penstock.features.views._rows import to_rows as to_rows
    from penstock.features.views._view import AVAILABLE_AT as AVAILABLE_AT
    from penstock.features.views._view import EVENT_TIME as EVENT_TIME
    from penstock.features.views._view import IS_DELETED as IS_DELETED
    from penstock.features.views._view import SEQ as SEQ
    from penstock.features.views._view import FeatureView as FeatureView
    from penstock.features.views._wide import write_wide as write_wide
    from penstock.features.views._windows import WindowFeature as WindowFeature
    from penstock.features.views._windows import Windows as Windows

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "find_rows": "_join",
        "AVAILABLE_AT": "_view",
        "EVENT_TIME": "_view",
        "IS_DELETED": "_view",
        "SEQ": "_view",
        "Commit": "_history",
        "Entity": "_entity",
        "FeatureView": "_view",
        "History": "_history",
        "HistoryVersion": "_history",
        "JoinPlan": "_plan",
        "OnDemandView": "_on_demand",
        "RowCodec": "_codec",
        "ViewSelection": "_join",
        "WindowFeature": "_windows",
        "Windows": "_windows",
        "as_of": "_join",
        "as_of_blocks": "_join",
        "check_features": "_lint",
        "event_time_of": "_codec",
        "fit_column": "_dtypes",
        "find_later_values": "_lint",
        "decode_sort_keys": "_codec",
        "fold": "_fold",
        "is_expired": "_fold",
        "is_missing": "_fold",
        "leading": "_fold",
        "list_histories": "_folders",
        "plan_join": "_plan",
        "read_labels": "_join",
        "has_rows_of": "_removal",
        "list_pending_files": "_removal",
        "remove_old_files": "_removal",
        "remove_rows": "_removal",
        "require_no_leaks": "_lint",
        "select": "_join",
        "to_rows": "_rows",
        "values_at": "_fold",
        "version_of": "_history",
        "widens": "_dtypes",
        "write_wide": "_wide",
    },
)
