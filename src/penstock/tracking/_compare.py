"""Two runs side by side: differences in parameters, metrics, steps and provenance."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from penstock.core import NotFoundError, RunRecord, did_you_mean, short
from penstock.provenance import manifest_difference
from penstock.tracking._search import as_store, get_run

if TYPE_CHECKING:
    import plotly.graph_objects as go
    import polars as pl

    from penstock.stores import Store

Pair = tuple[Any, Any]
_DRAWN = 2000


@dataclass(frozen=True, slots=True)
class RunComparison:
    """The similarities and differences of two runs.

    Args:
        a: The first run's record.
        b: The second run's record.
        params: Both values by parameter, None where a run has none.
        metrics: Both last values by metric, None where a run has none.
        tags: Both values by tag, None where a run has none.
        steps: By step in the order of execution: ``same``, ``other code or inputs``,
            ``other result``, ``only in a``, ``only in b``.
        provenance: A sentence for each difference of code, environment and hardware.
        store: The store in which both are recorded.
    """

    a: RunRecord
    b: RunRecord
    params: Mapping[str, Pair]
    metrics: Mapping[str, Pair]
    tags: Mapping[str, Pair]
    steps: Mapping[str, str]
    provenance: tuple[str, ...]
    store: "Store" = field(repr=False, compare=False)

    def frame(self) -> "pl.DataFrame":
        """Return parameters, metrics and tags as a table: kind, name, a, b as text, differs."""
        import polars as pl

        rows = [
            (kind, name, *(None if v is None else str(v) for v in pair), pair[0] != pair[1])
            for kind, pairs in (
                ("param", self.params),
                ("metric", self.metrics),
                ("tag", self.tags),
            )
            for name, pair in pairs.items()
        ]
        schema = {"kind": pl.String, "name": pl.String, "a": pl.String, "b": pl.String}
        return pl.DataFrame(rows, schema=schema | {"differs": pl.Boolean}, orient="row")

    def figure(self, metric: str) -> "go.Figure":
        """Draw a metric of both runs over its steps as a plotly figure.

        Args:
            metric: Name of the metric.

        Raises:
            NotFoundError: If neither run has the metric.
        """
        import plotly.graph_objects as go

        if metric not in self.metrics:
            raise NotFoundError(
                what=f"Neither run has a metric {metric!r}.", fix=did_you_mean(metric, self.metrics)
            )
        lines = []
        for run in (self.a, self.b):
            points = self.store.metadata.metrics.history(run.run_id, metric, most=_DRAWN)
            mode = "lines" if len(points) > 1 else "markers"
            name = f"{run.name} ({run.run_id[-6:]})"
            lines.append(go.Scatter(x=points.steps, y=points.values, name=name, mode=mode))
        return go.Figure(lines, {"title": metric, "hovermode": "x unified"})

    @property
    def differences(self) -> list[str]:
        """Return a sentence for each difference."""
        values = [
            f"{kind} {name}: {_shown(left)} and {_shown(right)}"
            for kind, pairs in (("param", self.params), ("metric", self.metrics))
            for name, (left, right) in pairs.items()
            if left != right
        ]
        steps = [f"step {name}: {how}" for name, how in self.steps.items() if how != "same"]
        return [*values, *steps, *self.provenance]

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as plain JSON-like values."""
        return {
            "a": self.a.run_id,
            "b": self.b.run_id,
            "params": {name: list(pair) for name, pair in self.params.items()},
            "metrics": {name: list(pair) for name, pair in self.metrics.items()},
            "tags": {name: list(pair) for name, pair in self.tags.items()},
            "steps": dict(self.steps),
            "provenance": list(self.provenance),
            "differences": self.differences,
        }


def compare_runs(a: str, b: str, *, store: "Store | str | None" = None) -> RunComparison:
    """Compare two runs.

    Args:
        a: Id of the first run, a unique beginning of the id, or ``last``.
        b: Id of the second.
        store: A store or a store URL; by default the project's.

    Raises:
        NotFoundError: If there is no such run.
    """
    opened = as_store(store)
    left, right = get_run(a, store=opened).record, get_run(b, store=opened).record
    return RunComparison(
        left,
        right,
        _pairs(left.params, right.params),
        _pairs(_last(left), _last(right)),
        _pairs(left.tags, right.tags),
        _compare_steps(opened, left.run_id, right.run_id),
        tuple(_compare_provenance(opened, left, right)),
        opened,
    )


def _pairs(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, Pair]:
    return {name: (left.get(name), right.get(name)) for name in dict.fromkeys([*left, *right])}


def _last(record: RunRecord) -> dict[str, float]:
    return {key: summary.last for key, summary in record.metrics.items()}


def _compare_steps(store: "Store", left: str, right: str) -> dict[str, str]:
    first = {step.step: step for step in store.metadata.steps.list(left)}
    second = {step.step: step for step in store.metadata.steps.list(right)}
    differences = {}
    for name in dict.fromkeys([*first, *second]):
        if name not in second or name not in first:
            differences[name] = "only in a" if name in first else "only in b"
        # Outputs before keys: equal results matter more than how they came about.
        elif first[name].outputs != second[name].outputs:
            same_key = first[name].key == second[name].key
            differences[name] = "other result" if same_key else "other code or inputs, other result"
        else:
            same = first[name].key == second[name].key
            differences[name] = "same" if same else "other code or inputs, same result"
    return differences


def _compare_provenance(store: "Store", left: RunRecord, right: RunRecord) -> list[str]:
    if left.provenance == right.provenance:
        return []
    if left.provenance is None or right.provenance is None:
        return ["provenance: recorded for one of the runs only"]
    return manifest_difference(store.get(left.provenance), store.get(right.provenance))


def _shown(value: Any) -> str:
    if isinstance(value, str) and value.startswith("sha256:"):
        return short(value)
    return "nothing" if value is None else repr(value)[:60]
