"""Leaks found by experiment on a Split: L1 duplicates, L3 undeclared groups, L5 proxies."""

from typing import TYPE_CHECKING, Any

from penstock.data._finding import Finding
from penstock.data._large_leakage import (
    Copies,
    count_large_copies,
    count_large_mixed,
    count_large_shared,
    is_large_split,
    note_large_groups,
)
from penstock.data._proxy import find_revealing
from penstock.data._row_hashes import (
    are_in,
    column_hashes,
    combine_hashes,
    selected_hashes,
)
from penstock.data._snapshot import find_twins
from penstock.data._split import Split
from penstock.data._split_rules import missing_of
from penstock.tables import Column, named_id

if TYPE_CHECKING:
    import numpy as np

    Hashes = np.ndarray[Any, np.dtype[np.uint64]]

_DRAWS = 20
_DRAWN_ROWS = 5_000_000
_MANY_COPIES = 0.01
_MORE_THAN_CHANCE = 3
_GROUP_SHARE = (0.05, 0.5)


def check_leakage(split: Split, copies: Copies | None = None) -> list[Finding]:
    """Check for leaks that need no declaration, on the rows themselves.

    L1: test rows that equal a train row in every column of the table, identifiers and left-out
        columns included; a failure above the count of 20 random splits of the same rows, a warning
        if a random split has many because the table contains copies. L3: columns named like an
        identifier whose values are in train and test. L5: features that predict the target alone or
        add up to the target, judged on train rows only.

    Args:
        split: The split.
        copies: Result of `count_copies`, if known.
    """
    copies = copies or count_copies(split)
    return [
        *_check_copies(split, copies),
        *_check_groups(split),
        *find_revealing(split),
    ]


def note_times(split: Split) -> list[Finding]:
    """Return a finding if rows have times but the subsets are not ordered by time."""
    times = split.schema.of_kind("datetime", "date")
    if split.by_time is not None or not times:
        return []
    text = (
        f"Rows have times in '{times[0]}', but test rows are not newer than train rows. If the model "
        f"is to predict later rows, split with by_time='{times[0]}'."
    )
    return [Finding("info", "L4", times[0], text)]


def note_groups(split: Split) -> list[Finding]:
    """Return findings on the group column: rows without a group, and names that nearly agree."""
    name = split.by_group
    if name is None:
        return []
    if is_large_split(split):
        missing, groups = note_large_groups(split, name)
    else:
        groups = split.chunks.column(name)
        missing = int(missing_of(groups).sum())
    findings = []
    if missing:
        text = f"{missing:,} rows have no '{name}'; each is a group of its own."
        findings.append(Finding("warn", "no_group", name, text))
    twins = find_twins(groups)
    if twins:
        (first, second), count = twins[0], len(twins)
        text = (
            f"{count:,} groups of '{name}' differ from another by case, blanks or end marks only "
            f"('{first}' and '{second}'): are they the same? They may be in two subsets."
        )
        findings.append(Finding("warn", "lookalike", name, text))
    return findings


def count_copies(split: Split) -> Copies:
    """Count the test rows that equal a train row, in all columns or in all features."""
    if is_large_split(split):
        return count_large_copies(split, _alike_columns(split))
    return _count_copies(split)


def _alike_columns(split: Split) -> list[str]:
    """Return the columns by which rows look alike; none if these are all columns."""
    names = [column.name for column in split.schema if column.kind not in ("id", "constant")]
    if not names or {*names, split.target} == set(split.chunks.columns):
        return []
    return [*names, split.target]


def note_alike(split: Split, copies: Copies) -> list[Finding]:
    """Return a finding on test rows that equal a train row in all features, not in every column.

    Different identifiers mean different rows: such rows are no copies, but look alike.
    """
    names = _alike_columns(split)
    count, rows = copies.alike, len(split.test)
    if count < max(1, _MANY_COPIES * rows):
        return []
    if count <= _MORE_THAN_CHANCE * _copies_of_mixed(split, names):
        return []
    text = (
        f"{count:,} of {rows:,} test rows equal a train row in all features and the target, "
        "but not in the other columns: they count as rows of their own."
    )
    return [Finding("info", "alike", "", text)]


def _check_copies(split: Split, copies: Copies) -> list[Finding]:
    count, mean = copies.rows, copies.by_chance
    if not count:
        return []
    share = count / len(split.test)
    # At least the deviation of a Poisson count, as a few draws may agree by chance.
    limit = mean + 3 * max(copies.deviation, mean**0.5)
    text = f"{count:,} of {len(split.test):,} test rows ({share:.1%}) equal a train row in every column"
    if count > limit:
        text += f"; random splits of the same rows give {mean:.0f}. Drop the copies first."
        return [Finding("fail", "L1", "", text)]
    if share < _MANY_COPIES:
        return []
    if count <= _MORE_THAN_CHANCE * _copies_of_mixed(split, split.chunks.columns):
        return []
    text += ": the table holds copies. Drop them first: frame.unique(maintain_order=True)."
    return [Finding("warn", "L1", "", text)]


def _count_copies(split: Split) -> Copies:
    import numpy as np

    # Rows that differ in an identifier are two rows, however alike the remaining columns are.
    names = _alike_columns(split)
    whole, *some = _row_hashes(split, [split.chunks.columns, *([names] if names else [])])
    train, test = split.train_rows, split.test_rows
    copied = are_in(whole[test], whole[train])
    copies, alike = int(copied.sum()), 0
    if names:
        alike = int((are_in(some[0][test], some[0][train]) & ~copied).sum())
    del some
    if not copies:
        return Copies(0, alike, 0.0)
    codes = _codes_of_equal(np.concatenate([whole[train], whole[test]]))
    draws = _copies_by_chance(codes, len(train), split.seed)
    return Copies(copies, alike, float(draws.mean()), float(draws.std()))


def _row_hashes(split: Split, selections: list[list[str]]) -> "list[Hashes]":
    """Return hashes of each row of the table, from each selection of columns."""
    import numpy as np

    rows = split.chunks.rows
    hashes = [np.empty(rows, dtype=np.uint64) for _ in selections]
    columns = list(dict.fromkeys(name for names in selections for name in names))
    start = 0
    for batch in split.chunks.batches(columns):
        for all_rows, some in zip(hashes, selected_hashes(batch, selections), strict=True):
            all_rows[start : start + batch.height] = some
        start += batch.height
    return hashes


def _codes_of_equal(hashes: "Hashes") -> "np.ndarray[Any, np.dtype[np.int32]]":
    """Return numbers from 0: rows have the same one if their hashes are equal."""
    import numpy as np
    import polars as pl

    ordered = pl.Series(hashes).sort().to_numpy()
    repeated = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    places = np.searchsorted(repeated, hashes)
    places[places == len(repeated)] = 0
    # Most rows are like no other: those need no search for their number.
    codes = np.arange(len(repeated), len(repeated) + len(hashes), dtype=np.int32)
    is_repeated = repeated[places] == hashes
    codes[is_repeated] = places[is_repeated]
    return codes


def _count_codes(codes: "np.ndarray[Any, Any]", train: int) -> int:
    import numpy as np

    seen = np.zeros(int(codes.max()) + 1, dtype=bool)
    seen[codes[:train]] = True
    return int(seen[codes[train:]].sum())


def _copies_by_chance(
    codes: "np.ndarray[Any, Any]", train: int, seed: int
) -> "np.ndarray[Any, Any]":
    import numpy as np

    generator = np.random.default_rng(seed)
    # Fewer draws for long tables, whose counts vary less and cost more.
    draws = int(np.clip(_DRAWN_ROWS // len(codes), 3, _DRAWS))
    return np.asarray([_count_codes(generator.permutation(codes), train) for _ in range(draws)])


def _copies_of_mixed(split: Split, names: list[str]) -> int:
    """Count copies after each column of the train rows was shuffled separately.

    The remaining copies come from columns with few values, not from rows that were copied.
    """
    import numpy as np

    if is_large_split(split):
        return count_large_mixed(split, names)
    generator = np.random.default_rng(0)
    batches = split.test.batches(names)
    test = np.concatenate([combine_hashes(column_hashes(batch)) for batch in batches])
    mixed = combine_hashes(
        generator.permutation(column_hashes(split.train.read([name]))[0]) for name in names
    )
    return int(are_in(test, mixed).sum())


def _check_groups(split: Split) -> list[Finding]:
    if split.by_group is not None:
        return []
    findings = []
    for column in split.schema:
        if column.kind not in ("category", "integer") or not named_id(column.name):
            continue
        rows, distinct = _present(split, column)
        low, high = _GROUP_SHARE
        # Very few values are a category, nearly distinct values are keys of rows: neither groups
        # rows.
        if not low * rows <= distinct <= high * rows:
            continue
        shared = _count_shared(split, column.name)
        if shared:
            text = (
                f"{shared:,} of {len(split.test):,} test rows have a '{column.name}' that train rows "
                f"have too. If rows of one '{column.name}' belong together, split with "
                f"by_group='{column.name}'; else drop the column."
            )
            findings.append(Finding("warn", "L3", column.name, text))
    return findings


def _present(split: Split, column: Column) -> tuple[int, int]:
    """Return how many train rows have a value, and how many different values there are."""
    if is_large_split(split):
        batches = split.train.batches([column.name])
        rows = sum(batch.height - batch.to_series().null_count() for batch in batches)
        return rows, column.distinct or 0
    values = split.train.read([column.name]).to_series().drop_nulls()
    return len(values), values.n_unique() if len(values) else 0


def _count_shared(split: Split, name: str) -> int:
    import numpy as np

    if is_large_split(split):
        return count_large_shared(split, name)
    train, test = (
        np.concatenate([column_hashes(part.drop_nulls())[0] for part in subset.batches([name])])
        for subset in (split.train, split.test)
    )
    return int(are_in(test, train).sum())
