"""``cut_folds``: the folds of a cross-validation, each a Split with train and test rows.

Notation: a row i has the time t_i; the label is known at t_i + gap. A test block is [a, b].
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from penstock.core import DataError, ParameterError, parse_duration, require_choice, require_number
from penstock.data._moments import TimeColumn, moments_of, time_columns
from penstock.data._schema import check_columns
from penstock.data._split import Split
from penstock.data._split_rules import codes_of, frame_of, group_codes_of, usable_rows
from penstock.data._splitting import split_rows
from penstock.data._target import Task, choose_task

if TYPE_CHECKING:
    import polars as pl

    from penstock.data._snapshot import Snapshot

FoldMethod = Literal["kfold", "stratified", "group", "purged", "rolling"]
_METHODS: tuple[FoldMethod, ...] = ("kfold", "stratified", "group", "purged", "rolling")
_TIMED = frozenset({"purged", "rolling"})
Rows = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, kw_only=True)
class FoldRules:
    """How rows are assigned to folds; see `cut_folds`.

    Args:
        method: Name of the method; None for stratified where the target has classes, else kfold.
        folds: Number of folds.
        by_time: Column of times.
        by_group: Column of groups.
        gap: Time until a row's label is known.
        embargo: Further time left out after a test block.
        window: Longest train period of a rolling origin; None for all rows before.
        seed: Seed of the order of rows or groups.
    """

    method: FoldMethod | None = None
    folds: int = 5
    by_time: TimeColumn | None = None
    by_group: str | None = None
    gap: str | timedelta = timedelta(0)
    embargo: str | timedelta = timedelta(0)
    window: str | timedelta | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        require_number("folds", self.folds, low=2, whole=True)
        if self.method is not None:
            require_choice("method", self.method, _METHODS)
        if self.method in _TIMED and self.by_time is None:
            raise ParameterError(
                what=f"method={self.method!r} is given without by_time.",
                why="Its folds are periods of time.",
                fix='Name the time column: by_time="…".',
            )
        if self.method == "group" and self.by_group is None:
            raise ParameterError(
                what="method='group' is given without by_group.",
                why="A group is whole in a single fold.",
                fix='Name the column of groups: by_group="…".',
            )
        timed = self.gap or self.embargo or self.window
        if timed and self.method not in _TIMED:
            raise ParameterError(
                what=f"gap, embargo or window is given with method={self.method or 'kfold'!r}.",
                why="They are times between the rows of a fold.",
                fix='Use method="purged" or method="rolling", with by_time.',
            )


def cut_folds(
    table: "pl.DataFrame | Snapshot",
    rules: FoldRules,
    *,
    target: str,
    drop: Sequence[str] = (),
    task: Task | None = None,
    positive: object = None,
) -> list[Split]:
    """Cut a table into folds; every fold is a Split whose test rows no other fold tests.

    ``kfold``, ``stratified`` and ``group`` are scikit-learn's, shuffled with the seed. ``purged``
    tests each period of time and trains on the rows before and after it whose labels share no time
    with it, without an embargo. ``rolling`` tests each period but the first and trains on
    the earlier rows.

    >>> import polars as pl
    >>> table = pl.DataFrame({"size": range(20), "price": [i * 1.5 for i in range(20)]})
    >>> [len(fold.test) for fold in cut_folds(table, FoldRules(folds=4), target="price")]
    [5, 5, 5, 5]

    Args:
        table: The rows; or a Snapshot. Rows without a target are left out.
        rules: How rows are assigned to folds.
        target: The column to predict.
        drop: Columns that are no features.
        task: The kind of prediction, where the values do not decide.
        positive: The positive class of a binary target, where the labels do not decide.

    Raises:
        DataError: If a fold has no train or test rows, or a class is missing.
        LeakageError: If train and test rows of a fold share groups or times.
        NotFoundError: If the table has no column of a name.

    Source:
        Lopez de Prado (2018), Advances in Financial Machine Learning, Wiley, chapter 7.
    """
    frame, _ = frame_of(table)
    group = [rules.by_group] if rules.by_group else []
    check_columns(frame, [target, *time_columns(rules.by_time), *group, *drop])
    usable, _ = usable_rows(frame, target, rules.by_time)
    kept = frame[usable]
    pairs = _pairs(kept, rules, target, choose_task(kept[target], task))
    timed = rules.by_time if rules.method == "rolling" else None
    return [
        _fold(
            frame, number, usable[train], usable[test], target=target, by_time=timed,
            by_group=rules.by_group, drop=drop, task=task, positive=positive,
        )
        for number, (train, test) in enumerate(pairs)
    ]  # fmt: skip


def _fold(frame: "pl.DataFrame", number: int, train: Rows, test: Rows, **options: Any) -> Split:
    if not len(train) or not len(test):
        raise DataError(
            what=f"Fold {number} has {len(train)} train and {len(test)} test rows.",
            why="A model is fitted on the train rows and judged on the test rows.",
            fix="Use fewer folds, a shorter gap or embargo, or a longer window.",
        )
    return split_rows(frame, train=train.tolist(), test=test.tolist(), **options)


def _pairs(
    kept: "pl.DataFrame", rules: FoldRules, target: str, task: Task
) -> list[tuple[Rows, Rows]]:
    if rules.method in _TIMED and rules.by_time is not None:
        times = moments_of(kept, rules.by_time).to_physical().to_numpy()
        cut = purged_rows if rules.method == "purged" else rolling_rows
        return cut(times, rules)
    from sklearn import model_selection

    groups = group_codes_of(kept[rules.by_group]) if rules.by_group else None
    classes = task != "regression"
    stratified = rules.method == "stratified" or (classes and rules.method != "kfold")
    if rules.method == "stratified" and not classes:
        raise ParameterError(
            what=f"method='stratified' is given, but {target!r} is a number.",
            why="Classes are distributed evenly; a number has none.",
            fix='Use method="kfold".',
        )
    name = ("Stratified" if stratified else "") + ("GroupKFold" if rules.by_group else "KFold")
    splitter = getattr(model_selection, name)(rules.folds, shuffle=True, random_state=rules.seed)
    labels = codes_of(kept[target]) if stratified else None
    try:
        return list(splitter.split(np.zeros((kept.height, 1)), labels, groups))
    except ValueError as error:
        raise DataError(
            what=f"{kept.height} rows cannot be cut into {rules.folds} folds: {error}",
            why="Each fold needs rows, classes and groups of its own.",
            fix="Use fewer folds.",
        ) from error


def purged_rows(times: "np.ndarray[Any, Any]", rules: FoldRules) -> list[tuple[Rows, Rows]]:
    """Return train and test rows of purged folds: periods of time with whole moments.

    A train row i stays if the label, known at t_i + gap, is known before the test block [a, b]
    begins; or if t_i lies after b + gap + embargo.

    Args:
        times: Time of each row in microseconds, shape (n,).
        rules: Folds, gap and embargo.
    """
    gap, embargo = _micros(rules.gap), _micros(rules.embargo)
    folds = []
    for first, last in _blocks(times, rules.folds):
        test = (times >= first) & (times <= last)
        train = (times + gap < first) | (times > last + gap + embargo)
        folds.append((np.flatnonzero(train), np.flatnonzero(test)))
    return folds


def rolling_rows(times: "np.ndarray[Any, Any]", rules: FoldRules) -> list[tuple[Rows, Rows]]:
    """Return train and test rows of a rolling origin: each period is predicted from those before.

    Args:
        times: Time of each row in microseconds, shape (n,).
        rules: Folds, gap and window; there is a period more than folds.
    """
    gap = _micros(rules.gap)
    window = None if rules.window is None else _micros(rules.window)
    folds = []
    for first, last in _blocks(times, rules.folds + 1)[1:]:
        test = (times >= first) & (times <= last)
        train = (times + gap < first) if gap else (times < first)
        if window is not None:
            train &= times >= first - gap - window
        folds.append((np.flatnonzero(train), np.flatnonzero(test)))
    return folds


def _blocks(times: "np.ndarray[Any, Any]", count: int) -> list[tuple[int, int]]:
    """Return the first and last moment of periods with about equal numbers of rows."""
    moments, rows = np.unique(times, return_counts=True)
    if len(moments) < count:
        raise DataError(
            what=f"{len(moments)} distinct times cannot be cut into {count} periods.",
            why="Rows of the same time are in the same period.",
            fix="Use fewer folds.",
        )
    ends = np.cumsum(rows)
    places = np.searchsorted(ends, len(times) * np.arange(1, count) / count)
    # Each period has a moment at least, also where most rows share one.
    starts = [0]
    for number, place in enumerate(places, 1):
        most = len(moments) - (count - number)
        starts.append(int(min(max(place + 1, starts[-1] + 1), most)))
    stops = [*starts[1:], len(moments)]
    return [(int(moments[a]), int(moments[b - 1])) for a, b in zip(starts, stops, strict=True)]


def _micros(duration: str | timedelta) -> int:
    return int(parse_duration(duration or 0) / timedelta(microseconds=1))
