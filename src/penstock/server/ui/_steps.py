"""Steps of a run for the run's page: times, inputs and outputs, log and error."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from penstock.core import (
    ArtifactRecord,
    LogLine,
    RunRecord,
    StepRunRecord,
    StepState,
    now,
    to_json,
)
from penstock.execution import training_facts
from penstock.pipelines import PipelineSpec
from penstock.server.ui._drawing import Drawing, GraphNode, draw
from penstock.server.ui._format import duration, seconds_between
from penstock.server.ui._items import ItemsView, items_views, whole_of
from penstock.server.ui._layout import Arrow
from penstock.server.ui._site import Site

_TAIL = 200
_PLAIN_OUTPUT = "result"
_ENDED_WITHOUT_RUNNING = {StepState.CACHED, StepState.SKIPPED, StepState.QUEUED}


@dataclass(frozen=True, slots=True)
class ValueView:
    """An input or output: name, content digest and, if known, the artifact."""

    name: str
    digest: str
    artifact: ArtifactRecord | None


@dataclass(frozen=True, slots=True)
class StepView:
    """A step as shown on the page.

    Args:
        record: The step run.
        seconds: How long the step took; None if the step did not run.
        start: Start of the step's bar, percent of the run's time.
        length: Length of the bar, percent.
        inputs: The step's inputs.
        outputs: The step's outputs.
        log: The last lines of the step's log.
        more: Number of lines before those.
        items: The items of a map or loop.
        training: How the step trained: workers, shards, torch's switches.
    """

    record: StepRunRecord
    seconds: float | None
    start: float
    length: float
    inputs: tuple[ValueView, ...]
    outputs: tuple[ValueView, ...]
    log: tuple[LogLine, ...]
    more: int
    items: ItemsView | None = None
    training: Mapping[str, Any] = field(default_factory=dict)


def step_views(site: Site, steps: Sequence[StepRunRecord]) -> list[StepView]:
    """Arrange the pipeline's own steps on a common time axis and look up their values."""
    items = items_views(steps)
    steps = [step for step in steps if whole_of(step.step) is None]
    begins = [step.started_at for step in steps if step.started_at]
    first = min(begins, default=None)
    last = max([step.ended_at or now() for step in steps if step.started_at], default=None)
    span = max(0.001, (last - first).total_seconds()) if first and last else 1.0
    artifacts: dict[str, ArtifactRecord | None] = {}

    def values(named: Mapping[str, str], step: StepRunRecord) -> tuple[ValueView, ...]:
        views = []
        for name, digest in named.items():
            if digest not in artifacts:
                artifacts[digest] = site.artifact(step.addresses.get(digest) or digest)
            views.append(ValueView(name, digest, artifacts[digest]))
        return tuple(views)

    views = []
    for step in steps:
        log = site.metadata.steps.list_logs(step.step_run_id)
        seconds = step_seconds(step)
        start = (step.started_at - first).total_seconds() if first and step.started_at else 0.0
        views.append(
            StepView(
                record=step,
                seconds=seconds,
                # Bars of very short steps stay visible, also at the right edge.
                start=round(min(99.6, 100 * start / span), 2),
                length=round(max(0.4, 100 * (seconds or 0) / span), 2),
                inputs=values(step.inputs, step),
                outputs=values(step.outputs, step),
                log=tuple(log[-_TAIL:]),
                more=max(0, len(log) - _TAIL),
                items=items.get(step.step),
                training=training_facts(step),
            )
        )
    return views


def step_json(step: StepRunRecord) -> dict[str, Any]:
    """Return a step's record as plain JSON, with the course of training."""
    trained = training_facts(step)
    return {**to_json(step), **({"training": trained} if trained else {})}


def step_seconds(step: StepRunRecord) -> float | None:
    """Compute how long a step ran; None if the step did not run."""
    if step.state in _ENDED_WITHOUT_RUNNING:
        return None
    return seconds_between(step.started_at, step.ended_at)


def run_drawing(run: RunRecord, steps: Sequence[StepRunRecord]) -> Drawing | None:
    """Draw the pipeline with the state of each step; None for a run without steps."""
    counts = items_views(steps)
    steps = [step for step in steps if whole_of(step.step) is None]
    by_name = {step.step: step for step in steps}
    names, arrows = _graph(PipelineSpec.from_json(run.graph), steps)
    if not names:
        return None
    nodes = [_node(name, by_name.get(name), counts.get(name)) for name in names]
    label = "The pipeline: " + ", ".join(
        f"{name} {by_name[name].state if name in by_name else 'queued'}" for name in names
    )
    return draw(nodes, arrows, label)


def _node(name: str, step: StepRunRecord | None, items: ItemsView | None) -> GraphNode:
    state = step.state.value if step else "queued"
    took = duration(step_seconds(step)) if step and step_seconds(step) is not None else ""
    sub = f"{state} · {took}" if took else state
    if items is not None:
        sub = f"{items.count:,} items · {sub}"
    return GraphNode(name, name, sub, f"is-{state}", state, "#step-" + quote(name))


def _graph(spec: PipelineSpec, steps: Sequence[StepRunRecord]) -> tuple[list[str], list[Arrow]]:
    """Read nodes and arrows from the pipeline's spec, else infer them from the steps' digests."""
    names = [step.name for step in spec.steps]
    if names:
        return names, _spec_arrows(spec)
    # Without a recorded graph, an input's digest identifies the step that made it.
    maker: dict[str, tuple[str, str]] = {}
    arrows = []
    for step in steps:
        for digest in step.inputs.values():
            if digest in maker:
                source, output = maker[digest]
                arrows.append(Arrow(source, step.step, _arrow_label([output])))
        maker.update({digest: (step.step, name) for name, digest in step.outputs.items()})
    return [step.step for step in steps], arrows


def _spec_arrows(spec: PipelineSpec) -> list[Arrow]:
    """Join the edges between the same two steps into a single arrow."""
    joined: dict[tuple[str, str], list[str]] = {}
    for edge in spec.edges:
        joined.setdefault((edge.source, edge.target), []).append(edge.output)
    return [Arrow(*ends, _arrow_label(outputs)) for ends, outputs in joined.items()]


def _arrow_label(outputs: Sequence[str]) -> str:
    named = dict.fromkeys(name for name in outputs if name and name != _PLAIN_OUTPUT)
    return ", ".join(named)
