"""cross_validate: a train step fitted and judged on folds, each fold a cached item of a map."""

import inspect
import itertools
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import polars as pl

from penstock.core import DefinitionError, NotFoundError, ParameterError, did_you_mean
from penstock.data import FoldMethod, FoldRules, Snapshot, Split, cut_folds
from penstock.evaluation import METRICS, CrossValidation, FoldScore
from penstock.evaluation import evaluate as judge_model
from penstock.pipelines import Pipeline, Step, step
from penstock.pipelines import map as map_items
from penstock.steps._listed import as_tuple
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
    train step gets a Split with the train rows of the fold, so all that it fits (scaling,
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
            and judged on the test rows.
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
        nested = _nested(train, argument, candidates, choose_by, inner_folds)
        scores = map_items(nested, cut, over=_SPLIT, name="fold", **shared)
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
def score_fold(model: Any, split: Split, chosen: Mapping[str, Any] | None = None) -> FoldScore:
    """Judge a fold's model on the fold's test rows."""
    return _score(model, split, chosen or {})


@step
def summarize_folds(scores: list[FoldScore], *, method: str) -> CrossValidation:
    """Collect the folds' metrics, and log their means and the values of each fold."""
    found = CrossValidation(tuple(scores), method)
    run = active_run()
    if run is not None:
        for number, fold in enumerate(found.folds):
            run.log_metrics({f"fold/{name}": v for name, v in fold.metrics.items()}, step=number)
        run.log_metrics({name: each.value for name, each in found.metrics.items()})
    return found


def _score(model: Any, split: Split, chosen: Mapping[str, Any]) -> FoldScore:
    report = judge_model(model, split, resamples=0)
    metrics = {name: estimate.value for name, estimate in report.metrics.items()}
    return FoldScore(metrics, len(split.train), len(split.test), dict(chosen))


def _fold_of(
    train: Step[..., Any], argument: str, shared: Mapping[str, object]
) -> Pipeline[..., FoldScore]:
    """Return the pipeline of a fold, with a parameter for each argument of the train step."""

    def fold(**given: Any) -> FoldScore:
        split = given.pop(_SPLIT)
        return score_fold(train(**{argument: split}, **given), split)

    kind = inspect.Parameter.KEYWORD_ONLY
    names = [_SPLIT, *(name for name in shared if name != _SPLIT)]
    signature = inspect.Signature([inspect.Parameter(name, kind) for name in names])
    fold.__signature__ = signature  # type: ignore[attr-defined] # read by inspect.signature
    return Pipeline(fold, name="fold")


def _nested(
    train: Step[..., Any],
    argument: str,
    candidates: Sequence[Mapping[str, object]],
    choose_by: str | None,
    inner_folds: int,
) -> Step[..., FoldScore]:
    """Return the step of a fold that chooses among candidates on inner folds."""
    if choose_by is None or choose_by not in METRICS:
        raise ParameterError(
            what=f"choose_by={choose_by!r} names no known metric.",
            why="The best candidate of a fold is chosen by a metric on inner folds.",
            fix=did_you_mean(str(choose_by), METRICS) or 'Write choose_by="roc_auc".',
        )
    lower = METRICS[choose_by].better == "lower"

    def fold(**given: Any) -> FoldScore:
        split = given.pop(_SPLIT)

        def fit(part: Split, chosen: Mapping[str, object]) -> Any:
            return train.function(**{argument: part, **given, **chosen})

        inner = cut_folds(
            split.train.table,
            FoldRules(
                folds=inner_folds,
                method="rolling" if split.by_time else "group" if split.by_group else None,
                by_time=split.by_time,
                by_group=split.by_group,
            ),
            target=split.target,
            drop=[n for n in split.table.columns if n not in {*split.schema.names, split.target}],
            task=split.task,
            positive=split.positive,
        )
        means = []
        for chosen in candidates:
            scores = [_score(fit(part, chosen), part, {}).metrics for part in inner]
            if any(choose_by not in each for each in scores):
                raise NotFoundError(
                    what=f"An inner fold has no metric {choose_by!r}.",
                    why="It may lack a class, or the target is of another kind.",
                    fix=did_you_mean(choose_by, scores[0]) or "Use fewer inner folds.",
                )
            means.append(sum(each[choose_by] for each in scores) / len(scores))
        best = (min if lower else max)(range(len(means)), key=means.__getitem__)
        return _score(fit(split, candidates[best]), split, candidates[best])

    parameters = inspect.signature(train.function).parameters
    searched = set(itertools.chain.from_iterable(candidates))
    kind = inspect.Parameter.KEYWORD_ONLY
    names = [_SPLIT, *(n for n in parameters if n not in {argument, _SPLIT} | searched)]
    fold.__signature__ = inspect.Signature(  # type: ignore[attr-defined] # read by inspect.signature
        [
            inspect.Parameter(
                n,
                kind,
                default=parameters[n].default if n in parameters else inspect.Parameter.empty,
            )
            for n in names
        ]
    )
    return Step(fold, name="fold")


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
