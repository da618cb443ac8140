"""cross_validate: a train step fitted and judged on folds, each fold a cached item of a map."""

import hashlib
import inspect
import itertools
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import polars as pl

from penstock.core import DefinitionError, NotFoundError, ParameterError, did_you_mean
from penstock.data import FoldMethod, FoldRules, Snapshot, Split, cut_folds
from penstock.evaluation import METRICS, CrossValidation, FoldScore, measure_model
from penstock.pipelines import Pipeline, Step, step
from penstock.pipelines import map as map_items
from penstock.steps._listed import as_tuple
from penstock.stores import NamedParts
from penstock.tracking import active_run

_SPLIT = "split"


def cross_validate(
    train: Step[..., Any],
    table: Any,  # Any: a Snapshot or a frame, or the output of a step
    *,
    target: str,
    method: FoldMethod | None = None,
    folds: int = 5,
    by_time: str | tuple[str, str] | None = None,
    by_group: str | None = None,
    gap: str | timedelta = timedelta(0),
    embargo: str | timedelta = timedelta(0),
    window: str | timedelta | None = None,
    drop: str | Sequence[str] = (),
    positive: str | bool | float | None = None,
    seed: int = 0,
    candidates: Sequence[Mapping[str, object]] = (),
    choose_by: str | None = None,
    inner_folds: int = 3,
    **shared: Any,  # Any: arguments of the train step
) -> CrossValidation:
    """Fit and judge a model on each of several folds; for use in the body of a pipeline.

    Every fold is an item of a map: cached by itself, executed in parallel, resumed alone. The
    train step gets a Split with the train rows of the fold, so all that is fitted (scaling,
    encoding, the model) is fitted without the test rows. The means are logged as metrics of the
    run, for `penstock tune` too.

    >>> import polars as pl
    >>> from sklearn.linear_model import LinearRegression
    >>> from penstock.pipelines import step
    >>> @step
    ... def train(split, intercept: bool):
    ...     return LinearRegression(fit_intercept=intercept).fit(split.train.X, split.train.y)
    >>> table = pl.DataFrame({"size": range(40), "price": [2.0 * i for i in range(40)]})
    >>> found = cross_validate(train, table, target="price", folds=4, intercept=True)
    >>> round(found.metrics["r2"].value, 3)
    1.0

    Args:
        train: The step that takes a Split, as first argument, and returns a fitted model.
        table: The rows.
        target: The column to predict.
        method: ``kfold``, ``stratified``, ``group``, ``purged`` (periods of time, with rows near
            the test period left out) or ``rolling`` (each period predicted from those before); by
            default stratified where the target has classes, group with ``by_group``.
        folds: Number of folds.
        by_time: Column of times, for ``purged`` and ``rolling``.
        by_group: Column whose values are whole in a single fold.
        gap: Time until a row's label is known, left out around a test period.
        embargo: Further time left out after a test period; for ``purged``.
        window: Longest train period; for ``rolling``.
        drop: Columns that are no features.
        positive: The positive class of a binary target, where the labels do not tell.
        seed: Seed of the order of rows or groups.
        candidates: Arguments of the train step to choose from, for nested cross-validation: in
            each fold the best is chosen on inner folds of the train rows, fitted on all of them,
            and judged on the test rows. Each candidate on each inner fold is a cached step.
        choose_by: Metric by which the best candidate is chosen.
        inner_folds: Number of inner folds.
        **shared: Further arguments of the train step, the same for every fold.

    Returns:
        Metrics of each fold and their means, with intervals that allow for shared train rows.

    Raises:
        DefinitionError: If ``train`` is no step, or takes no split.
        ParameterError: If the rules of the folds do not go together.
    """
    argument = _split_argument(train)
    rules = FoldRules(
        method=method or ("group" if by_group else None),
        folds=folds,
        by_time=by_time,
        by_group=by_group,
        gap=gap,
        embargo=embargo,
        window=window,
        seed=seed,
    )
    options: dict[str, Any] = {"target": target, "drop": as_tuple(drop), "positive": positive}
    cut = make_folds(table, rules=rules, **options)
    if candidates:
        metric, lower = _require_choice(choose_by, candidates, shared)
        inner = make_inner_folds(cut, folds=inner_folds)
        tried = _tried_on(train, argument, candidates, shared)
        measured = map_items(tried, inner, over=_SPLIT, **shared)
        best = choose_candidates(
            measured, cut, candidates=[dict(each) for each in candidates],
            choose_by=metric, lower=lower,
        )  # fmt: skip
        refitted = _chosen_of(train, argument, candidates)
        scores = map_items(refitted, best, over=_SPLIT, **shared)
    else:
        _refuse_choice(choose_by)
        scores = map_items(_fold_of(train, argument, shared), cut, over=_SPLIT, **shared)
    result: CrossValidation = summarize_folds(scores, method=str(rules.method or "kfold"))
    return result


@step
def make_folds(
    table: Snapshot | pl.DataFrame,
    *,
    rules: FoldRules,
    target: str,
    drop: Sequence[str],
    positive: Any,
) -> list[Split]:
    """Cut a table into folds; see cross_validate."""
    return cut_folds(table, rules, target=target, drop=drop, positive=positive)


@step
def make_inner_folds(cut: list[Split], *, folds: int) -> list[Split]:
    """Cut the train rows of each fold into inner folds, fold by fold."""
    return [inner for split in cut for inner in _inner_folds(split, folds)]


def _inner_folds(split: Split, folds: int) -> list[Split]:
    return cut_folds(
        split.train.table,
        FoldRules(
            folds=folds,
            method="rolling" if split.by_time else "group" if split.by_group else None,
            by_time=split.by_time,
            by_group=split.by_group,
        ),
        target=split.target,
        drop=[n for n in split.table.columns if n not in {*split.schema.names, split.target}],
        task=split.task,
        positive=split.positive,
    )


@step
def collect_scores(scores: list[FoldScore]) -> list[FoldScore]:
    """Return the scores of all candidates on an inner fold."""
    return list(scores)


@step
def choose_candidates(
    measured: list[list[FoldScore]],
    cut: list[Split],
    *,
    candidates: list[dict[str, Any]],
    choose_by: str,
    lower: bool,
) -> list[NamedParts]:
    """Return each fold with the candidate that is best on the mean over the fold's inner folds."""
    count = len(measured) // len(cut)
    chosen = []
    for number, split in enumerate(cut):
        inner = [list(each) for each in measured[number * count : (number + 1) * count]]
        means = [
            _mean([scores[c].metrics for scores in inner], choose_by)
            for c in range(len(candidates))
        ]
        best = (min if lower else max)(range(len(means)), key=means.__getitem__)
        chosen.append(NamedParts({"split": split, "chosen": candidates[best]}))
    return chosen


def _mean(metrics: Sequence[Mapping[str, float]], choose_by: str) -> float:
    if any(choose_by not in each for each in metrics):
        raise NotFoundError(
            what=f"An inner fold has no metric {choose_by!r}.",
            why="It may lack a class, or the target is of another kind.",
            fix=did_you_mean(choose_by, metrics[0]) or "Use fewer inner folds.",
        )
    return sum(each[choose_by] for each in metrics) / len(metrics)


@step
def score_fold(model: Any, split: Split, chosen: Mapping[str, Any] | None = None) -> FoldScore:
    """Judge a fold's model on the fold's test rows."""
    return _score(model, split, chosen or {})


@step
def summarize_folds(scores: list[FoldScore], *, method: str) -> CrossValidation:
    """Collect the folds' metrics, and log their means and the values of each fold."""
    validation = CrossValidation(tuple(scores), method)
    run = active_run()
    if run is not None:
        for number, fold in enumerate(validation.folds):
            run.log_metrics({f"fold/{name}": v for name, v in fold.metrics.items()}, step=number)
        run.log_metrics({name: each.value for name, each in validation.metrics.items()})
    return validation


def _score(model: Any, split: Split, chosen: Mapping[str, Any]) -> FoldScore:
    metrics = measure_model(model, split)
    return FoldScore(metrics, len(split.train), len(split.test), dict(chosen))


def _fold_of(
    train: Step[..., Any], argument: str, shared: Mapping[str, object]
) -> Pipeline[..., FoldScore]:
    """Return the pipeline of a fold, with a parameter for each argument of the train step."""

    def fold(**given: Any) -> FoldScore:
        split = given.pop(_SPLIT)
        return score_fold(train(**{argument: split}, **given), split)

    fold.__signature__ = _signature_of(shared)  # type: ignore[attr-defined] # read by inspect.signature
    return Pipeline(fold, name="fold")


def _signature_of(shared: Mapping[str, object]) -> inspect.Signature:
    names = [_SPLIT, *(name for name in shared if name != _SPLIT)]
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Signature([inspect.Parameter(name, kind) for name in names])


def _tried_on(
    train: Step[..., Any],
    argument: str,
    candidates: Sequence[Mapping[str, object]],
    shared: Mapping[str, object],
) -> Pipeline[..., list[FoldScore]]:
    """Return the pipeline of an inner fold: each candidate is fitted and judged in separate steps.

    A step's seed follows from its name, which therefore depends on the candidate alone: with other
    candidates beside, or in a different order, a candidate is a cache hit.
    """

    def inner(**given: Any) -> Any:
        split = given.pop(_SPLIT)
        fits = [train.named(f"{train.name}-{_label(chosen)}") for chosen in candidates]
        return collect_scores(
            [
                score_fold(fit(**{argument: split}, **given, **chosen), split)
                for fit, chosen in zip(fits, candidates, strict=True)
            ]
        )

    inner.__signature__ = _signature_of(shared)  # type: ignore[attr-defined] # read by inspect.signature
    return Pipeline(inner, name="inner")


def _label(chosen: Mapping[str, object]) -> str:
    text = json.dumps(dict(chosen), sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def _chosen_of(
    train: Step[..., Any], argument: str, candidates: Sequence[Mapping[str, object]]
) -> Step[..., FoldScore]:
    """Return the step that fits the candidate chosen for an outer fold, and evaluates that."""

    def fold(**given: Any) -> FoldScore:
        parts = given.pop(_SPLIT)
        split, chosen = parts["split"], parts["chosen"]
        return _score(train.function(**{argument: split}, **given, **chosen), split, chosen)

    parameters = inspect.signature(train.function).parameters
    searched = set(itertools.chain.from_iterable(candidates))
    kind = inspect.Parameter.KEYWORD_ONLY
    rest = [n for n in parameters if n not in {argument, _SPLIT} | searched]
    fold.__signature__ = inspect.Signature(  # type: ignore[attr-defined] # read by inspect.signature
        [
            inspect.Parameter(_SPLIT, kind),
            *(inspect.Parameter(n, kind, default=parameters[n].default) for n in rest),
        ]
    )
    return Step(fold, name="fold")


def _require_choice(
    choose_by: str | None,
    candidates: Sequence[Mapping[str, object]],
    shared: Mapping[str, object],
) -> tuple[str, bool]:
    """Return the metric, and whether a lower value is better."""
    if choose_by is None or choose_by not in METRICS:
        raise ParameterError(
            what=f"choose_by={choose_by!r} names no known metric.",
            why="The best candidate of a fold is chosen by a metric on inner folds.",
            fix=did_you_mean(str(choose_by), METRICS) or 'Write choose_by="roc_auc".',
        )
    if both := sorted(set(shared).intersection(*[set().union(*candidates)])):
        raise ParameterError(
            what=f"{both[0]} is given for every fold, and is part of a candidate.",
            why="A candidate decides the argument by itself.",
            fix=f"Leave {both[0]} out of the arguments, or of the candidates.",
        )
    return choose_by, METRICS[choose_by].better == "lower"


def _split_argument(train: Step[..., Any]) -> str:
    if not isinstance(train, Step):
        raise DefinitionError(
            what=f"cross_validate() was given {getattr(train, '__name__', train)!r}, which is no step.",
            why="Each fold calls the step that trains.",
            fix="Decorate the function with @ps.step.",
        )
    names = list(inspect.signature(train.function).parameters)
    if not names:
        raise DefinitionError(
            what=f"Step {train.name!r} takes no argument, so it cannot train on a fold.",
            why="Each fold passes a Split with its train rows.",
            fix=f"Write def {train.name}(split: ps.Split, …).",
        )
    return _SPLIT if _SPLIT in names else names[0]


def _refuse_choice(choose_by: str | None) -> None:
    if choose_by is not None:
        raise ParameterError(
            what=f"choose_by={choose_by!r} is given without candidates.",
            why="There is nothing to choose from.",
            fix="Give candidates=[{…}, {…}], or leave choose_by out.",
        )
