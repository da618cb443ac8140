"""``evaluate``: evaluates a model on a split and returns an EvaluationReport."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from penstock.core import DataError, NotFoundError, ParameterError, did_you_mean
from penstock.data import Split, Subset, TableProfile, profile_table
from penstock.evaluation._calibration import calibrate
from penstock.evaluation._fairness import count_groups, parity
from penstock.evaluation._importance import Importances, measure_importance
from penstock.evaluation._labels import (
    constant_labels,
    judge_labels,
    lists_of,
    measure_labels,
)
from penstock.evaluation._measuring import Measured, measure
from penstock.evaluation._metrics import METRICS, TASK_METRICS
from penstock.evaluation._outcomes import Outcomes, sort_labels
from penstock.evaluation._outliers import outliers_as_classes, require_comparable
from penstock.evaluation._prediction import align, as_model, predict_with
from penstock.evaluation._quantile_forecasts import (
    constant_forecasts,
    crossing_note,
    middle_model,
    middle_note,
    predict_quantiles,
    quantile_metrics,
    read_quantiles,
)
from penstock.evaluation._report import EvaluationReport, Holdout
from penstock.evaluation._scaled_errors import bind_metric
from penstock.evaluation._slices import (
    MISSING,
    SMALL_ROWS,
    SliceResult,
    Slicing,
    cut_column,
    spread,
)
from penstock.evaluation._trained_on import TrainedOn
from penstock.evaluation._user_estimates import measure_user_metrics
from penstock.evaluation._user_functions import remember
from penstock.evaluation._user_metrics import (
    JudgedRows,
    MetricFunction,
    UserMetric,
    read_metrics,
)
from penstock.models import Model
from penstock.tables import find_positive, match_class

# There are many slices, so their intervals use fewer resamples than those of all rows.
SLICE_RESAMPLES = 200


def evaluate(
    model: object,
    split: Split,
    *,
    slices: Sequence[str] = (),
    sensitive: Sequence[str] = (),
    subset: str = "test",
    positive: object = None,
    metrics: Mapping[str, MetricFunction] | Sequence[UserMetric] = (),
    importance: bool = True,
    quantiles: Sequence[float] = (),
    resamples: int = 500,
    seed: int = 0,
) -> EvaluationReport:
    """Evaluate a model on unseen rows.

    Args:
        model: A Model, or a fitted estimator: has ``predict``, and optionally ``predict_proba`` or
            ``decision_function``; trained on polars, pandas or arrays. An outlier detector is
            judged as a classifier whose outliers are the positive class.
        split: The split with the model's training rows.
        slices: Columns by whose values the metrics are repeated; any column of the split's table.
        sensitive: Columns for fairness; by default the slices.
        subset: ``test`` or ``validation``.
        positive: The positive class of a binary target; by default the class declared by the split,
            else the class told by the labels (see ``penstock.tables.find_positive``). If neither
            tells, metrics that need a positive class are absent with the reason.
        metrics: Metrics of the user's own by name, as functions of truth and prediction, two arrays
            of n labels or numbers; or a list of results of ``penstock.evaluation.metric``.
        importance: Whether the importance of the model's inputs is measured, by shuffling each of
            them on at most 1,000 rows.
        quantiles: Quantiles of the target that the model forecasts, a value per row for each, lowest
            first: ``(0.05, 0.5, 0.95)``. Adds coverage, width and score of the intervals, the
            pinball loss of each quantile, and the share of rows whose quantiles cross.
        resamples: Bootstrap resamples for the metrics' intervals (slices use at most 200).
        seed: Seed of the resamples.

    Raises:
        ParameterError: If the subset or the positive class does not exist, or quantiles do not rise.
        NotFoundError: If a slice column does not exist.
        DataError: If the subset is empty, the model cannot predict the rows, or the predictions are
            no values of the target (numbers of clusters, several targets).
    """
    levels = _read_quantiles(quantiles, split)
    own = read_metrics([*read_metrics(metrics), *(quantile_metrics(levels) if levels else ())])
    own = tuple(bind_metric(each, split) for each in own)
    chosen = _choose_subset(split, subset)
    columns = _choose_columns(chosen, slices, sensitive)
    classes, named = _order_classes(split, positive)
    judged_model, profile = _prepare(model, split, chosen)
    outcomes = _judge(judged_model, chosen, split, classes, named=named, levels=levels)
    known, notes = _drop_unknown_truth(outcomes)
    whole = outcomes.take(known)
    rows = JudgedRows(whole, chosen.table.filter(pl.Series(known)) if own else None)
    measured = _measure(rows, own, resamples, seed)
    cuts = [_take(cut_column(chosen.table[name]), known) for name in columns]
    results = {cut.column: _measure_slices(rows, own, cut, resamples, seed) for cut in cuts}
    watched = _unique(sensitive or slices)
    holdout = _hold(chosen, outcomes, known)
    single = middle_model(judged_model, levels) if levels else judged_model
    important, reason = _importance(single, holdout, whole, measured, importance, seed)
    return EvaluationReport(
        task=split.task,
        target=split.target,
        subset=subset,
        positive=classes[1] if split.task == "binary" and named else None,
        classes=sort_labels(split.classes or ()),
        metrics=measured.metrics,
        absent=measured.absent,
        baseline=_baseline(split, rows, own, levels),
        slices=results,
        fairness={
            cut.column: _fairness(whole, cut, results[cut.column], own)
            for cut in cuts
            if cut.column in watched
        },
        calibration=calibrate(whole),
        leakage=tuple(split.leakage),
        rows={name: len(getattr(split, name)) for name in ("train", "validation", "test")},
        schema=split.schema,
        notes=(
            *_positive_notes(split, positive, classes, named),
            *notes,
            *_notes(measured, results),
            *(crossing_note(whole.scores, levels) if levels and whole.scores is not None else ()),
            *middle_note(levels),
            *reason,
        ),
        user_metrics=tuple(remember(each) for each in own),
        importance=important,
        quantiles=levels,
        labels=measure_labels(whole, resamples=resamples, seed=seed)
        if split.task == "multilabel"
        else (),
        resamples=resamples,
        seed=seed,
        parts={
            "holdout": holdout,
            "trained_on": TrainedOn.of(split, subset),
            "profile": profile.to_json(),
            "signature": judged_model.signature.to_json(),
            "prediction_profile": _profile_answers(holdout, named, levels).to_json(),
        },
    )


def measure_model(model: object, split: Split) -> dict[str, float]:
    """Return a model's metrics on the test rows: those of `evaluate`, and nothing besides.

    A fold of a cross-validation needs no intervals, importance or checks for leakage, which take
    most of an evaluation's time.

    Raises:
        DataError: As `evaluate`.
    """
    chosen = _choose_subset(split, "test")
    classes, named = _order_classes(split, None)
    judged_model, _ = _prepare(model, split, chosen)
    outcomes = _judge(judged_model, chosen, split, classes, named=named, levels=())
    known, _ = _drop_unknown_truth(outcomes)
    measured = measure(outcomes.take(known), resamples=0, seed=0)
    return {name: estimate.value for name, estimate in measured.metrics.items()}


def _prepare(model: object, split: Split, chosen: Subset) -> tuple[Model, TableProfile]:
    """Return the model with its training columns, and the profile of these."""
    profile = profile_table(split.train.X)
    judged_model = as_model(model, chosen.X, columns=profile.describe(split.schema))
    require_comparable(judged_model.signature.task, split)
    return judged_model, profile


# Requested columns and classes


def _judge(
    model: Model,
    chosen: Subset,
    split: Split,
    classes: tuple[Any, ...],
    *,
    named: bool,
    levels: tuple[float, ...],
) -> Outcomes:
    """Predict the rows of a subset, beside the truth."""
    if split.task == "multilabel":
        return judge_labels(model, chosen.X, chosen.y, classes)
    scored = predict_quantiles(model, chosen.X, levels) if levels else predict_with(model, chosen.X)
    if model.signature.task == "outliers":
        scored = outliers_as_classes(scored, classes, named=named)
    outcomes = align(scored, chosen.y.to_list(), task=split.task, classes=classes)
    return replace(outcomes, oriented=named)


def _read_quantiles(quantiles: Sequence[float], split: Split) -> tuple[float, ...]:
    if quantiles and split.task != "regression":
        raise ParameterError(
            what=f"quantiles= was given, but {split.target!r} is {split.task}.",
            why="Quantiles are those of a number.",
            fix="Leave quantiles= out.",
        )
    return read_quantiles(quantiles)


def _choose_subset(split: Split, subset: str) -> Subset:
    if subset not in {"test", "validation"}:
        raise ParameterError(
            what=f"There is no subset {subset!r} to evaluate on.",
            why="A model is judged on rows that it was not trained on.",
            fix='Use subset="test" or subset="validation".',
        )
    chosen: Subset = getattr(split, subset)
    if not len(chosen):
        raise DataError(
            what=f"The {subset} subset of the split has no rows.",
            why="Without rows the model cannot be evaluated.",
            fix=f"Split with {subset}=0.2, or give more rows.",
        )
    return chosen


def _choose_columns(subset: Subset, slices: Sequence[str], sensitive: Sequence[str]) -> list[str]:
    columns = _unique(slices) + [name for name in _unique(sensitive) if name not in _unique(slices)]
    for name in columns:
        if name not in subset.table.columns:
            raise NotFoundError(
                what=f"There is no column {name!r} to slice by.",
                fix=did_you_mean(name, subset.table.columns),
                column=name,
            )
    return columns


def _unique(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([names] if isinstance(names, str) else names))


def _order_classes(split: Split, positive: Any) -> tuple[tuple[Any, ...], bool]:
    """Return the labels by code, and whether the last of two is known to be the positive class."""
    classes = sort_labels(split.classes or ())
    if split.task != "binary":
        return classes, True
    if len(classes) != 2:  # noqa: PLR2004 - binary
        raise DataError(
            what=f"The target {split.target!r} has {len(classes)} class(es), not two.",
            fix="Split a table in which both classes occur.",
        )
    declared = split.positive if positive is None else positive
    label = find_positive(classes) if declared is None else match_class(classes, declared)
    if label is None:
        return classes, False
    return (next(other for other in classes if other != label), label), True


def _positive_notes(
    split: Split, positive: object, classes: tuple[Any, ...], named: bool
) -> tuple[str, ...]:
    """Return a sentence with the positive class where the labels told it, not the user."""
    if split.task != "binary" or not named or not (positive is None and split.positive is None):
        return ()
    statement = f"The positive class is {classes[1]!r}, as it means yes beside {classes[0]!r}"
    return (f"{statement}; to judge the other one, declare positive={classes[0]!r} in split.",)


# Results


def _drop_unknown_truth(outcomes: Outcomes) -> tuple[Any, list[str]]:
    known = np.ones(len(outcomes), dtype=bool)
    if outcomes.task == "regression":
        known = np.isfinite(outcomes.truth)
    dropped = int((~known).sum())
    if dropped == len(known):
        raise DataError(what="No row of the subset has a target that is a number.")
    if not dropped:
        return known, []
    return known, [f"{dropped:,} rows whose target is no finite number were left out."]


def _take(cut: Slicing, rows: Any) -> Slicing:
    return replace(cut, codes=cut.codes[rows])


def _measure(rows: JudgedRows, own: tuple[UserMetric, ...], resamples: int, seed: int) -> Measured:
    """Compute the task's metrics and the user's own."""
    measured = measure(rows.outcomes, resamples=resamples, seed=seed)
    users = measure_user_metrics(own, rows, resamples=resamples, seed=seed)
    return Measured({**measured.metrics, **users.metrics}, {**measured.absent, **users.absent})


def _measure_slices(
    rows: JudgedRows, own: tuple[UserMetric, ...], cut: Slicing, resamples: int, seed: int
) -> tuple[SliceResult, ...]:
    draws = min(resamples, SLICE_RESAMPLES)
    return tuple(
        SliceResult(label, len(places), _measure(rows.take(places), own, draws, seed).metrics)
        for label, places in cut.groups()
    )


def _importance(
    model: Model,
    holdout: Holdout,
    outcomes: Outcomes,
    measured: Measured,
    wanted: bool,
    seed: int,
) -> tuple[Importances | None, tuple[str, ...]]:
    """Return the importance of the model's inputs, and remarks for readers."""
    headline = next((n for n in TASK_METRICS[outcomes.task] if n in measured.metrics), None)
    if not wanted or headline is None or model.signature.task == "outliers":
        return None, ()
    importances = measure_importance(model, holdout.X, outcomes, metric=headline, seed=seed)
    if isinstance(importances, str):
        return None, (f"No importance of columns: {importances}.",)
    return importances, tuple(importances.notes())


def _fairness(
    outcomes: Outcomes, cut: Slicing, results: Sequence[SliceResult], own: tuple[UserMetric, ...]
) -> Mapping[str, float]:
    figures: dict[str, float] = {}
    if outcomes.task == "binary":
        groups = count_groups(
            outcomes.truth == 1, outcomes.prediction == 1, pl.DataFrame({cut.column: cut.codes})
        )[cut.column]
        large = [group for group in groups if group.rows >= SMALL_ROWS]
        values = sum(result.value != MISSING for result in results)
        if len(large) > 1 and values > 1:  # else there is nothing to compare
            differences = parity(large)
            # A ratio of selection rates is not symmetric in the two classes.
            keep = (
                differences
                if outcomes.oriented
                else [n for n in differences if n.endswith("difference")]
            )
            figures.update({name: differences[name] for name in keep})
    for name in (*TASK_METRICS[outcomes.task], *(each.name for each in own)):
        apart = spread(name, results)
        if apart is None:
            continue
        figures[f"{name}_gap"] = apart.gap
        if apart.ratio is not None and (name not in METRICS or METRICS[name].minimum == 0):
            figures[f"{name}_ratio"] = apart.ratio
    return figures


def _baseline(
    split: Split, judged: JudgedRows, own: tuple[UserMetric, ...], quantiles: tuple[float, ...]
) -> Mapping[str, float]:
    """Return metrics of a constant model: the majority class or the mean of the train rows."""
    outcomes = judged.outcomes
    rows = len(outcomes)
    truth = split.train.y.to_list()
    if split.task == "regression":
        level = np.asarray(truth, dtype=np.float64)
        constant = np.full(rows, level[np.isfinite(level)].mean())
        forecasts = constant_forecasts(level, quantiles, rows) if quantiles else None
        simple = replace(outcomes, prediction=constant, scores=forecasts)
    elif split.task == "multilabel":
        simple = constant_labels(outcomes, split.train.y)
    else:
        shares = np.array([truth.count(label) for label in outcomes.classes]) / max(len(truth), 1)
        scores = np.full(rows, shares[1]) if split.task == "binary" else np.tile(shares, (rows, 1))
        majority = np.full(rows, int(shares.argmax()))
        simple = replace(outcomes, prediction=majority, scores=scores, probability=True)
    measured = _measure(JudgedRows(simple, judged.table), own, 0, 0)
    return {name: estimate.value for name, estimate in measured.metrics.items()}


def _hold(subset: Subset, outcomes: Outcomes, known: Any) -> Holdout:
    answers = pl.DataFrame({"row": subset.rows, "truth": subset.y, "prediction": _labels(outcomes)})
    if outcomes.scores is not None:
        columns = np.atleast_2d(outcomes.scores.T)
        names = ["score"] if len(columns) == 1 else [f"score_{at}" for at in range(len(columns))]
        answers = answers.with_columns(
            pl.Series(name, column) for name, column in zip(names, columns, strict=True)
        )
    keep = pl.Series(known)
    rest = subset.table.drop([subset.target, *subset.X.columns]).filter(keep)
    return Holdout(
        subset.X.filter(keep),
        answers.filter(keep),
        outcomes.probability,
        outcomes.epsilon,
        rest if rest.width else None,
    )


def _profile_answers(holdout: Holdout, named: bool, quantiles: tuple[float, ...]) -> TableProfile:
    answers = holdout.answers.drop("row", "truth")
    if quantiles:
        return profile_table(answers.select("prediction"))
    # Served scores of a model whose positive class is not known are about the likelier class.
    return profile_table(answers if named else answers.drop("score", strict=False))


def _labels(outcomes: Outcomes) -> pl.Series:
    if outcomes.task == "regression":
        return pl.Series("prediction", outcomes.prediction)
    if outcomes.task == "multilabel":
        return pl.Series(
            "prediction",
            lists_of(outcomes.prediction, outcomes.classes),
            pl.List(pl.Series(outcomes.classes).dtype),
        )
    labels = pl.Series("prediction", list(outcomes.classes))
    return labels.gather(outcomes.prediction)


def _notes(measured: Measured, results: Mapping[str, Sequence[SliceResult]]) -> list[str]:
    notes = [f"No {name}: {reason}." for name, reason in measured.absent.items()]
    for column, slices in results.items():
        small = sum(result.small for result in slices)
        if small:
            notes.append(
                f"{column}: {small} of {len(slices)} values have fewer than {SMALL_ROWS} rows; "
                "gaps and ratios leave them out."
            )
    return notes
