"""L5: features that reveal the target, judged on train rows only: a column, or an exact sum."""

from typing import TYPE_CHECKING, Any

from penstock.data._column_values import ColumnValues
from penstock.data._finding import Finding
from penstock.data._moments import as_moments
from penstock.data._split import Split

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]

_FOLDS = 3
_DEPTH = 3
_MAX_ROWS = 20_000
_MIN_ROWS = 50
_MIN_CLASS = 10
_BUDGET = 1_000_000
_FAIL = {"auc": 0.98, "r2": 0.95}
_WARN = 0.9
_HUGE = 1e38
_EXACT = 1e-6
_MAX_SUM = 200
_MANY_ROWS, _SAMPLE_ROWS = 1 << 24, 1 << 20
_MOST_LABELS = 10


def find_revealing(split: Split) -> list[Finding]:
    """Return the features that reveal the target: each alone, and as an exact sum.

    Alone: a tree of depth 3 on the column, scored on the held-out thirds of at most 20,000 train
    rows (fewer for tables of more than 50 columns); levels are replaced by their mean target in the
    remaining thirds. AUC (several classes: each against the rest, weighted) from 0.98 or R2 from
    0.95 is a failure, from 0.9 a warning.

    A sum: a number that is an exact linear sum of features, such as casual + registered = count.
    Least squares over complete train rows (at most 20,000) and at most 200 columns; exact means
    that no row is off by more than a millionth of the target's deviation.
    """
    usable = [c.name for c in split.schema if c.kind not in ("constant", "text", "other")]
    if not usable:
        return []
    limit = min(max(_MIN_ROWS * 10, _BUDGET // len(usable)), _MAX_ROWS)
    if split.task == "multilabel":
        return _find_of_labels(split, usable, limit)
    chosen = _sample(split, limit)
    names = split.schema.of_kind("number", "integer")
    of_sum = None
    if split.task == "regression" and 1 < len(names) <= _MAX_SUM:
        of_sum = chosen if limit == _MAX_ROWS else _sample(split, _MAX_ROWS)
    tables = _take(split, usable, [each for each in (chosen, of_sum) if each is not None])
    findings = []
    if chosen is not None:
        findings += _find(split, tables[0], chosen[1], "")
    if of_sum is not None:
        findings += _find_sum(split, tables[-1].select(names), of_sum[1])
    return findings


def _take(
    split: Split, names: list[str], samples: "list[tuple[Array, Array]]"
) -> "list[pl.DataFrame]":
    """Return the rows of each sample, from one reading."""
    import numpy as np

    if not samples:
        return []
    rows = np.unique(np.concatenate([positions for positions, _ in samples]))
    table = split.chunks.take(rows, names)
    return [table[np.searchsorted(rows, positions)] for positions, _ in samples]


def _find_of_labels(split: Split, usable: list[str], limit: int) -> list[Finding]:
    """Return the features that tell a frequent label, one finding per feature."""
    import numpy as np

    matrix = split.train.Y.to_numpy()
    order = np.argsort(-matrix.sum(axis=0), kind="stable")[:_MOST_LABELS]
    findings: dict[str, Finding] = {}
    for place in order.tolist():
        chosen = _balanced(split.train_rows, matrix[:, place].astype(np.int64), limit)
        if chosen is not None:
            (table,) = _take(split, usable, [chosen])
            label = f" (label {split.classes[place]!r})"
            for each in _find(split, table, chosen[1], label):
                findings.setdefault(each.column, each)
    return list(findings.values())


def _find(split: Split, table: "pl.DataFrame", target: "Array", label: str) -> list[Finding]:
    from sklearn import config_context

    folds = _make_folds(target, classes=split.task != "regression")
    findings = []
    # Hundreds of tiny trees: checking the arguments of each would take longer than fitting.
    with config_context(skip_parameter_validation=True):
        for series in table.iter_columns():
            score = _score(series, target, folds, split.task)
            if score is not None and score >= _WARN:
                findings.append(_finding(series.name, split, score, label))
    return findings


def _find_sum(split: Split, table: "pl.DataFrame", target: "Array") -> list[Finding]:
    """Return a finding if the target is an exact sum of numbers; see `find_revealing`."""
    import numpy as np
    import polars as pl

    names, values = table.columns, table.cast(pl.Float64).to_numpy()
    whole = np.isfinite(values).all(axis=1)
    values, target = values[whole], target[whole]
    # With few rows per column an exact fit exists by chance.
    if len(target) < _MIN_ROWS or len(target) < 2 * len(names) or target.std() == 0:
        return []
    spread = values.std(axis=0)
    # Scaled, so that a single threshold fits columns of all units.
    scaled = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    wanted = (target - target.mean()) / target.std()
    weights = np.linalg.lstsq(scaled, wanted, rcond=None)[0]
    if np.abs(scaled @ weights - wanted).max() > _EXACT:
        return []
    used = [names[place] for place in np.flatnonzero(np.abs(weights) > _EXACT)]
    if len(used) < 2:  # noqa: PLR2004 - a single column is found by a tree
        return []
    shown = ", ".join(f"'{name}'" for name in used[:5])
    text = (
        f"'{split.target}' is an exact sum of {shown}, each times a number. "
        "If they are not known when the prediction is made, leave them out."
    )
    return [Finding("warn", "L5", used[0], text)]


def _finding(name: str, split: Split, score: float, label: str) -> Finding:
    measure = "r2" if split.task == "regression" else "auc"
    fails = score >= _FAIL[measure]
    text = (
        f"Column '{name}' alone predicts '{split.target}'{label} with {measure.upper()} {score:.3f}. "
        f"If it is not known when the prediction is made, leave it out: drop=['{name}']."
    )
    return Finding("fail" if fails else "warn", "L5", name, text)


def _sample(split: Split, limit: int) -> "tuple[Array, Array] | None":
    """Return a sample of train rows, classes about evenly, with their targets as numbers."""
    import numpy as np

    # Train rows only: a check must not learn from the test rows either.
    rows = _judged_rows(split)
    generator = np.random.default_rng(0)
    if split.task == "regression":
        if len(rows) > limit:
            rows = np.sort(generator.choice(rows, limit, replace=False))
        target = _targets(split, rows).to_numpy().astype(np.float64)
        varied = len(rows) >= _MIN_ROWS and target.std() > 0
        return (rows, target) if varied else None
    return _balanced(rows, _class_codes(split, rows), limit)


def _class_codes(split: Split, rows: "Array") -> "Array":
    """Return the class of each row as a number, in the order of the classes' texts."""
    import numpy as np

    values = ColumnValues()
    for series in _target_batches(split, rows):
        values.add(series)
    if not len(values):
        return np.empty(0, dtype=np.int64)
    batches = _target_batches(split, rows)
    codes = np.concatenate([values.codes(series).astype(np.int32) for series in batches])
    ranks = values.table["value"].cast(_text()).rank("dense").to_numpy()
    of_class: Array = ranks.astype(np.int32)[codes] - 1
    return of_class


def _target_batches(split: Split, rows: "Array") -> "Iterator[pl.Series]":
    """Yield the target of some rows, chunk by chunk."""
    import numpy as np

    start = 0
    for batch in split.chunks.batches([split.target]):
        first, last = np.searchsorted(rows, [start, start + batch.height])
        if first < last:
            yield batch.to_series()[rows[first:last] - start]
        start += batch.height


def _judged_rows(split: Split) -> "Array":
    """Return the train rows, or of very many an even sample."""
    rows = len(split.train)
    return split.train_positions.every(-(-rows // _SAMPLE_ROWS) if rows > _MANY_ROWS else 1)


def _targets(split: Split, rows: "Array") -> "pl.Series":
    return split.chunks.take(rows, [split.target]).to_series()


def _balanced(rows: "Array", codes: "Array", limit: int) -> "tuple[Array, Array] | None":
    """Return a sample of rows, classes about evenly, with their codes."""
    import numpy as np

    generator = np.random.default_rng(0)
    sizes = np.bincount(codes)
    large = np.flatnonzero(sizes >= _MIN_CLASS)
    share = limit // max(1, len(large))
    kept = [generator.permutation(np.flatnonzero(codes == code))[:share] for code in large]
    if len(kept) < 2 or sum(map(len, kept)) < _MIN_ROWS:  # noqa: PLR2004 - two classes
        return None
    places = np.sort(np.concatenate(kept))
    return rows[places], np.searchsorted(large, codes[places])


def _text() -> "pl.DataType":
    import polars as pl

    return pl.String()


def _make_folds(target: "Array", *, classes: bool) -> "list[tuple[Array, Array]]":
    from sklearn.model_selection import KFold, StratifiedKFold

    folds = (StratifiedKFold if classes else KFold)(_FOLDS, shuffle=True, random_state=0)
    return list(folds.split(target, target))


def _score(
    series: "pl.Series", target: "Array", folds: "list[tuple[Array, Array]]", task: str
) -> float | None:
    import numpy as np
    from sklearn.metrics import r2_score, roc_auc_score
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    predicted = None
    make = DecisionTreeRegressor if task == "regression" else DecisionTreeClassifier
    for fitted, held, train, test in _encode(series, target, folds):
        tree = make(max_depth=_DEPTH, random_state=0).fit(train, target[fitted])
        answers = tree.predict(test) if task == "regression" else tree.predict_proba(test)
        if predicted is None:
            predicted = np.empty((len(target), *answers.shape[1:]))
        predicted[held] = answers
    if predicted is None:
        return None
    if task == "regression":
        return float(r2_score(target, predicted))
    if predicted.shape[1] == 2:  # noqa: PLR2004 - two classes
        return float(roc_auc_score(target, predicted[:, 1]))
    return float(roc_auc_score(target, predicted, multi_class="ovr", average="weighted"))


def _encode(
    series: "pl.Series", target: "Array", folds: "list[tuple[Array, Array]]"
) -> "Iterator[tuple[Array, Array, Array, Array]]":
    """Yield each fold's rows with the column as numbers, shape (n, 1)."""
    import numpy as np
    import polars as pl

    if series.dtype in (pl.Date, pl.Datetime):
        series = as_moments(series).to_physical() / 1_000_000
    if series.dtype == pl.Boolean or series.dtype.is_numeric():
        # Clipped, as the tree computes in 32-bit floats and refuses infinity.
        numbers = series.cast(pl.Float64).fill_null(np.nan).to_numpy().clip(-_HUGE, _HUGE)
        for fitted, held in folds:
            yield fitted, held, numbers[fitted, None], numbers[held, None]
        return
    codes = series.cast(pl.String).fill_null("").rank("dense").to_numpy().astype(np.int64)
    for fitted, held in folds:
        # Means of the fitted folds alone: own targets would make every identifier a proxy.
        sizes = np.bincount(codes[fitted], minlength=codes.max() + 1)
        sums = np.bincount(codes[fitted], weights=target[fitted], minlength=codes.max() + 1)
        means = np.where(sizes > 0, sums / np.maximum(sizes, 1), target[fitted].mean())
        yield fitted, held, means[codes[fitted], None], means[codes[held], None]
