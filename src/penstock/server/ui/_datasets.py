"""The pages of data sets: the list, a data set with versions and columns, two versions compared."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from penstock.core import NotFoundError, ParameterError
from penstock.data import (
    ColumnProfile,
    Dataset,
    DatasetVersion,
    Snapshot,
    TableDiff,
    diff_tables,
    get_dataset,
    list_datasets,
    load_snapshot,
)
from penstock.monitoring import ColumnDrift, compare_snapshots
from penstock.server.ui._format import number
from penstock.server.ui._page import Page, Query
from penstock.server.ui._site import Site

if TYPE_CHECKING:
    import polars as pl

_MOST_ROWS = 1_000_000  # more are compared on the command line: a page should not wait for minutes
_MOST_VERSIONS = 200
_WIDE = 12


def datasets_page(site: Site, query: Query) -> Page:  # noqa: ARG001 - a page's form
    """List the data sets that were ingested."""
    datasets = list_datasets(store=site.store)
    rows = [
        {"name": one.name, "versions": len(one.versions), "latest": one.latest.to_json()}
        for one in datasets
    ]
    view = {"shown": datasets}
    return Page("datasets.html", "Data sets", {"datasets": rows}, view, section="data")


def dataset_page(site: Site, query: Query, name: str) -> Page:
    """Show a data set: versions, the columns of a version, and the difference of two.

    Raises:
        NotFoundError: If there is no such data set or version.
        ParameterError: If rows of the compared versions have equal keys.
    """
    dataset = get_dataset(name, store=site.store)
    chosen = _chosen(dataset, query, "version", dataset.latest.number)
    rows = _rows(site, chosen)
    before = query.number("before", 0, low=0, high=len(dataset.versions))
    data: dict[str, Any] = {
        "name": name,
        "versions": [one.to_json() for one in reversed(dataset.versions[-_MOST_VERSIONS:])],
        "version": chosen.to_json(),
    }
    view: dict[str, Any] = {
        "about": chosen,
        "columns": _columns(chosen, rows),
        "findings": rows.findings if rows else (),
        "shown": dataset.versions[: -_MOST_VERSIONS - 1 : -1],
        "before": before,
        "key": query.text("key"),
        "too_large": "",
        "problem": None,
        "found": None,
    }
    if before:
        difference = _compare(site, dataset.version(before), chosen, query.text("key"))
        data["compared"] = {name: value for name, value in difference.items() if name != "view"}
        view |= difference["view"]
    return Page("dataset.html", f"Data set {name}", data, view, section="data")


def _chosen(dataset: Dataset, query: Query, name: str, default: int) -> DatasetVersion:
    return dataset.version(query.number(name, default, low=1, high=len(dataset.versions)))


def _rows(site: Site, version: DatasetVersion) -> Snapshot | None:
    """Return the rows of a version, if they are still stored; the table itself is not loaded."""
    try:
        return load_snapshot(version, store=site.store)
    except NotFoundError:
        return None


def _columns(version: DatasetVersion, snapshot: Snapshot | None) -> list[dict[str, Any]]:
    """Return the columns with their distribution, as far as the rows are still stored."""
    profile = snapshot.profile.columns if snapshot else {}
    rows = []
    for column in version.schema:
        one = profile.get(column.name)
        rows.append(
            {
                "name": column.name,
                "kind": column.kind,
                "dtype": column.dtype,
                "missing": None if one is None else one.missing,
                "unique": None if one is None else one.unique,
                "mean": one.mean if one and column.kind in _NUMBERS else None,
                "range": _range(one) if one else None,
                "top": [] if one is None else [text for text, _ in one.top[:3]],
                "bars": [] if one is None else _bars(_shape(one)),
            }
        )
    return rows


_BINS, _LEVELS = 16, 10  # of a picture
_NUMBERS = frozenset({"number", "integer"})
_TIMES = frozenset({"date", "datetime"})


def _range(profile: ColumnProfile) -> list[str] | None:
    if profile.min is None or profile.max is None:
        return None
    ends = (profile.min, profile.max)
    if profile.kind in _TIMES:
        times = [datetime.fromtimestamp(end, UTC) for end in ends]
        return [
            f"{time:%Y-%m-%d}" if profile.kind == "date" else f"{time:%Y-%m-%d %H:%M}"
            for time in times
        ]
    return [number(end) for end in ends] if profile.kind in _NUMBERS else None


def _shape(profile: ColumnProfile) -> Sequence[float]:
    """Return the heights of a picture of a column's values.

    The bins of a profile hold about equally many values each, so their counts would show a flat
    line for every column of numbers.
    """
    if profile.kind == "integer" and profile.top and not profile.other:
        return [count for _, count in sorted(profile.top, key=lambda pair: int(pair[0]))]
    if profile.quantiles and profile.quantiles[0] < profile.quantiles[-1]:
        return _shares(profile.quantiles)
    return profile.counts or [count for _, count in profile.top[:_LEVELS]]


def _shares(quantiles: Sequence[float]) -> list[float]:
    """Return the shares of values in bins of equal width; far tails are in no bin."""
    low, high = quantiles[0], quantiles[-1]
    inner = quantiles[-2] - quantiles[1]
    if inner:
        low = max(low, quantiles[1] - inner / 4)
        high = min(high, quantiles[-2] + inner / 4)
    width = (high - low) / _BINS
    below = [_share_below(low + width * place, quantiles) for place in range(1, _BINS)]
    first = _share_below(low, quantiles) if low > quantiles[0] else 0.0
    last = _share_below(high, quantiles)
    return [share - before for before, share in pairwise((first, *below, last))]


def _share_below(value: float, quantiles: Sequence[float]) -> float:
    """Return the share of values up to a value, between the quantiles by a straight line."""
    place = bisect_right(quantiles, value)
    if place in {0, len(quantiles)}:
        return float(place > 0)
    before, after = quantiles[place - 1], quantiles[place]
    return (place - 1 + (value - before) / (after - before)) / (len(quantiles) - 1)


def _bars(counts: Sequence[float]) -> list[tuple[float, float]]:
    """Return x and height of bars in a picture of 96 by 22."""
    most = max(counts, default=0)
    if not most:
        return []
    width = 96 / len(counts)
    return [
        (round(place * width, 1), round(22 * count / most, 1)) for place, count in enumerate(counts)
    ]


def _compare(site: Site, before: DatasetVersion, after: DatasetVersion, key: str) -> dict[str, Any]:
    keys = [name.strip() for name in key.split(",") if name.strip()]
    if max(before.rows, after.rows) > _MOST_ROWS:
        flags = "".join(f" --key {name}" for name in keys)
        command = f"penstock data diff {before.ref} {after.ref}{flags}"
        return {"before": before.number, "view": {"too_large": command}}
    try:
        first, second = (load_snapshot(one, store=site.store) for one in (before, after))
        difference = diff_tables(first.table, second.table, keys)
    except (NotFoundError, ParameterError) as error:
        problem = error.to_json()
        return {"before": before.number, "problem": problem, "view": {"problem": problem}}
    drifts = compare_snapshots(first, second)
    return {
        "before": before.number,
        "diff": difference.to_json(),
        "drift": [drift.to_json() for drift in drifts],
        "view": {
            "found": difference,
            "examples": _examples(difference),
            "drifts": _drifts(drifts),
            "key_guess": _guess(first),
        },
    }


def _examples(difference: TableDiff) -> list[tuple[str, Any]]:
    return [(kind, _content(rows)) for kind, rows in difference.examples.items()]


def _content(rows: "pl.DataFrame") -> dict[str, Any]:
    shown = rows.select(rows.columns[:_WIDE])
    return {
        "columns": shown.columns,
        "rows": [["" if cell is None else str(cell) for cell in row] for row in shown.iter_rows()],
        "more": rows.width - shown.width,
    }


def _drifts(drifts: Sequence[ColumnDrift]) -> list[dict[str, Any]]:
    return [
        {
            "column": drift.column,
            "verdict": drift.verdict,
            "reason": " ".join(check.reason for check in drift.checks if check.drifted)
            or drift.note,
            "missing": [number(share) for share in drift.missing],
        }
        for drift in drifts
    ]


def _guess(snapshot: Snapshot) -> str:
    names = snapshot.schema.of_kind("id")
    return names[0] if names else ""
