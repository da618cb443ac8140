"""make_onnx_form: convert a model's final estimator, and compare both forms where they could differ.

Rows of data alone do not show a threshold that was rounded: a value must lie between the threshold
and the rounded form. So rows are searched by bisection between two rows of data, down to
neighbouring doubles of which the native form answers the first unlike the second.
"""

import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from penstock.core import PenstockError
from penstock.models._estimator_call import EstimatorCall
from penstock.models._onnx_convert import Converted, NotConverted, convert_estimator
from penstock.models._onnx_form import FormAnswers, OnnxForm, as_numbers, largest_difference
from penstock.models._row_wise import is_row_wise
from penstock.models._servability import cast_sample
from penstock.models._signature import Signature
from penstock.models._threads import threads_for
from penstock.tables import convert_frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl
    from numpy.typing import NDArray

_ROWS = 400  # of data
_PAIRS = 100  # between which a threshold is searched
_HALVINGS = 140  # more than any two doubles of data need; next to 0 a pair may stay wider
_COLUMNS = 50  # in which a value is made missing or unseen
_VALUES = 4_000_000  # of all compared rows: fewer rows where they are wide
_MOST_SINGLE = 40  # 2**-22 of it, the rounding of a few sums, is the tolerance of 1e-5
_ALONE = 32  # rows that are also asked alone
_UNSEEN = "\u2205 unseen in training"
_OPTIONAL = (
    " A network's rounding grows with its values, so that no tolerance holds for every row: it answers"
    " only where a deployment asks for it (--form onnx)."
)
_LABELLED = frozenset({"binary", "multiclass"})
_TASKS = _LABELLED | {"regression"}


def make_onnx_form(
    estimator: object, signature: Signature, rows: "pl.DataFrame | None"
) -> OnnxForm | None:
    """Convert a model's final estimator, and decide which form answers.

    Args:
        estimator: The fitted estimator or pipeline.
        signature: The model's signature.
        rows: Rows of the inputs, such as those of the holdout; more than 400 are not used.

    Returns:
        The form, or the reason why the native form stays; None if the packages are not installed.
    """
    if any(find_spec(name) is None for name in ("onnx", "onnxruntime", "skl2onnx")):
        return None
    if signature.task not in _TASKS or signature.targets:
        return OnnxForm("native", f"A model of the task {signature.task} has no ONNX form.")
    if rows is None or rows.height == 0:
        return OnnxForm("native", "There were no rows to compare an ONNX form on.")
    call = EstimatorCall(estimator)
    covers = type(call.last).__name__
    try:
        with warnings.catch_warnings():
            # The estimator behind a frame is asked by matrix here, of which scikit-learn warns.
            warnings.simplefilter("ignore")
            return _compare(call, covers, signature, rows)
    except NotConverted as reason:
        return OnnxForm("native", f"{covers} stays in its native form: {reason}.", covers)


def _compare(
    call: EstimatorCall, covers: str, signature: Signature, rows: "pl.DataFrame"
) -> OnnxForm:
    import numpy as np

    if signature.task in _LABELLED and not call.has_probabilities:
        raise NotConverted("it has no probabilities, by which a label could be checked")
    _require_usual_threshold(call.last)
    with threads_for(1):
        table = np.concatenate(list(_tables(call, signature, rows)))
        table = table[: max(_VALUES // table.shape[1] // 4, 1)]
        whole = ~np.isnan(table).any(axis=1)
        made = convert_estimator(call.last, table.shape[1])
        native = _Native(call.last, signature.task in _LABELLED)
        beside = _beside_thresholds(native, table[whole]) if made.has_thresholds else table[:0]
        every = np.concatenate([table[whole], beside])
        form = _answers_of(call.last, made, covers)
        expected = native(every)
        if form.is_single and signature.task == "regression":
            _require_small(expected)
        worst = _difference(form, made, every, expected, len(every) - len(beside))
        if signature.task in _LABELLED:
            _require_labels(form, call.last, every)
        holed = _holed(native, table)
        is_missing = len(holed) > 0 and _agrees(form, made, holed, native(holed))
    count = len(table[whole])
    if is_missing:
        every = np.concatenate([every, holed])
        expected = np.concatenate([expected, native(holed)])
        count += len(holed)
    return OnnxForm(
        "native" if made.is_network else "onnx",
        _agreement(made, covers, worst, count, len(beside)),
        covers,
        made.converter,
        made.tolerance,
        worst,
        count,
        len(beside),
        is_missing,
        not made.has_thresholds,
        True,
        {
            "graph": made.graph,
            "inputs": _as_frame(every, "x"),
            "answers": _as_frame(expected.reshape(len(every), -1), "y"),
        },
    )


def _answers_of(last: Any, made: Converted, covers: str) -> FormAnswers:
    """Load a graph as a server would."""
    draft = OnnxForm(
        "onnx",
        "",
        covers,
        made.converter,
        made.tolerance,
        agrees=True,
        parts={"graph": made.graph},
    )
    try:
        return FormAnswers(last, draft)
    except PenstockError as error:
        raise NotConverted(f"the graph of {made.converter} is refused ({error.what})") from error


def _agreement(made: Converted, covers: str, worst: float, count: int, beside: int) -> str:
    return (
        f"The ONNX form of {covers} agrees with the native form on {count} rows"
        + (f" and on {beside} rows beside thresholds" if beside else "")
        + f": the largest difference is {worst:.2g}, the tolerance {made.tolerance:g}."
        + (_OPTIONAL if made.is_network else "")
    )


def _as_frame(values: "NDArray[Any]", prefix: str) -> "pl.DataFrame":
    import polars as pl

    return pl.DataFrame(values, schema=[f"{prefix}{at}" for at in range(values.shape[1])])


def _require_usual_threshold(last: Any) -> None:
    """Refuse a classifier whose label is not the likeliest: CatBoost can be told a threshold."""
    ask = getattr(last, "get_probability_threshold", None)
    threshold = None if ask is None or len(getattr(last, "classes_", ())) != 2 else ask()  # noqa: PLR2004 - of two
    if threshold is not None and threshold != 1 / 2:
        raise NotConverted(f"its labels have a probability threshold of {threshold:g}")


def _require_small(expected: "NDArray[Any]") -> None:
    """Refuse sums of 32-bit floats that are too large for the tolerance: terms may cancel out."""
    import numpy as np

    largest = float(np.abs(expected).max(initial=0.0))
    if largest > _MOST_SINGLE:
        raise NotConverted(
            f"its graph adds 32-bit floats, and values up to {largest:.3g} leave no room for the"
            " tolerance where terms cancel out"
        )


def _require_labels(form: FormAnswers, last: Any, every: "NDArray[Any]") -> None:
    import numpy as np

    labels = np.asarray(form.predict_both(every)[0]).reshape(-1)
    differs = labels != np.asarray(last.predict(every)).reshape(-1)
    if np.any(differs):
        raise NotConverted(f"on {int(np.sum(differs))} of {len(every)} rows its label is another")


def _agrees(
    form: FormAnswers, made: Converted, rows: "NDArray[Any]", expected: "NDArray[Any]"
) -> bool:
    try:
        _difference(form, made, rows, expected, len(rows))
    except NotConverted:
        return False
    return True


def _difference(
    form: FormAnswers, made: Converted, every: "NDArray[Any]", expected: "NDArray[Any]", known: int
) -> float:
    """Return the largest difference of both forms.

    Raises:
        NotConverted: If a row differs by more than the tolerance, or depends on further rows.
    """
    import numpy as np

    try:
        scores = form.scores(every).reshape(expected.shape)
    except Exception as error:
        text = " ".join(str(error).split())[:160]
        raise NotConverted(f"the graph of {made.converter} fails ({text})") from error
    for name, part in (("rows", slice(known)), ("rows beside thresholds", slice(known, None))):
        worst = largest_difference(scores[part], expected[part])
        if not worst <= made.tolerance:
            apart = [
                not largest_difference(scores[i : i + 1], expected[i : i + 1]) <= made.tolerance
                for i in range(*part.indices(len(every)))
            ]
            raise NotConverted(
                f"on {sum(apart)} of {len(apart)} {name} the graph of {made.converter} differs by up"
                f" to {worst:.2g}, and the tolerance is {made.tolerance:g}"
            )
    for place in range(0, len(every), max(len(every) // _ALONE, 1)):
        alone = form.scores(every[place : place + 1])
        if not np.array_equal(
            alone, scores[place : place + 1].reshape(alone.shape), equal_nan=True
        ):
            raise NotConverted("its graph answers a row alone otherwise than among others")
    return largest_difference(scores, expected)


class _Native:
    """Answers of the native estimator as doubles, each row as in a call with that row alone."""

    def __init__(self, last: Any, is_classifier: bool) -> None:
        self._ask = last.predict_proba if is_classifier else last.predict
        self._is_whole = is_row_wise(last)

    def __call__(self, table: "NDArray[Any]", *, is_search: bool = False) -> "NDArray[Any]":
        import numpy as np

        if is_search or self._is_whole or len(table) < 2:  # noqa: PLR2004 - a row alone
            found = self._ask(table)
        else:
            found = np.concatenate([self._ask(table[i : i + 1]) for i in range(len(table))])
        found = np.asarray(found, dtype=np.float64)
        return found if found.ndim == 2 and found.shape[1] > 1 else found.reshape(-1)  # noqa: PLR2004


def _tables(
    call: EstimatorCall, signature: Signature, rows: "pl.DataFrame"
) -> "Iterator[NDArray[Any]]":
    """Iterate over the inputs of the final estimator: of rows, and of rows with changed values."""
    sample = cast_sample(rows.head(_ROWS), signature.inputs)
    for place, frame in enumerate([sample, *_variants(sample, signature)]):
        try:
            transformed = call.transform(convert_frame(frame, signature.frame))
            _require_zeros(transformed, call.last)
            yield as_numbers(transformed)
        except NotConverted:
            raise
        except Exception as error:
            if place == 0:
                text = " ".join(str(error).split())[:160]
                raise NotConverted(f"its rows are no table of numbers ({text})") from error


def _require_zeros(transformed: Any, last: Any) -> None:
    """Refuse sparse rows of XGBoost and the like: left-out values may be missing, and not zero."""
    if hasattr(transformed, "toarray") and type(last).__module__.partition(".")[0] != "sklearn":
        raise NotConverted("its rows are sparse, which not every library takes as zeros")


def _variants(sample: "pl.DataFrame", signature: Signature) -> "Iterator[pl.DataFrame]":
    """Iterate over rows in which a value is missing, or a text was not seen in training."""
    import polars as pl

    for column in signature.inputs[:_COLUMNS]:
        if column.nullable or signature.accepts_missing:
            yield sample.head(1).with_columns(
                pl.lit(None, sample.schema[column.name]).alias(column.name)
            )
        if sample.schema[column.name] == pl.String:
            yield sample.head(1).with_columns(pl.lit(_UNSEEN).alias(column.name))


def _holed(native: _Native, table: "NDArray[Any]") -> "NDArray[Any]":
    """Return rows with a missing value in each column; none if the estimator takes none."""
    import numpy as np

    width = min(table.shape[1], _COLUMNS)
    holed = table[np.arange(width) % len(table)].copy()
    holed[np.arange(width), np.arange(width)] = np.nan
    holed = np.concatenate([holed, table[np.isnan(table).any(axis=1)]])
    try:
        answers = native(holed)
    except Exception:  # noqa: BLE001 - any failure means that it takes none
        return table[:0]
    return holed if np.isfinite(answers).all() else table[:0]


def _beside_thresholds(native: _Native, table: "NDArray[Any]") -> "NDArray[Any]":
    """Search pairs of rows that differ by as little as doubles can, and have different answers."""
    import numpy as np

    draw = np.random.default_rng(0)
    finite = table[np.isfinite(table).all(axis=1)]
    if len(finite) < 2:  # noqa: PLR2004 - a pair
        return table[:0]
    low = finite[draw.integers(0, len(finite), 2 * _PAIRS)].copy()
    column = draw.integers(0, finite.shape[1], len(low))
    line = np.arange(len(low))
    high = low.copy()
    high[line, column] = finite[draw.integers(0, len(finite), len(low)), column]
    answers = native(low, is_search=True)
    changed = _rows_differ(native(high, is_search=True), answers)
    low, high, column, answers = (e[changed][:_PAIRS] for e in (low, high, column, answers))
    line = np.arange(len(low))
    for _ in range(_HALVINGS):
        below, above = low[line, column], high[line, column]
        middle = below + (above - below) / 2
        is_open = (middle != below) & (middle != above)
        if not is_open.any():
            break
        tried = low.copy()
        tried[line, column] = middle
        differs = _rows_differ(native(tried, is_search=True), answers)
        low[line, column] = np.where(is_open & ~differs, middle, below)
        high[line, column] = np.where(is_open & differs, middle, above)
    return np.concatenate([low, high])


def _rows_differ(computed: "NDArray[Any]", expected: "NDArray[Any]") -> "NDArray[Any]":
    differs: Any = computed != expected
    rows: NDArray[Any] = differs if differs.ndim == 1 else differs.any(axis=1)
    return rows


def holdout_rows(report: object) -> "pl.DataFrame | None":
    """Return the inputs of a report's holdout; None if there are none."""
    holdout = getattr(report, "holdout", None)
    inputs: pl.DataFrame | None = getattr(holdout, "X", None)
    return inputs
