"""RecordedRun: a run in the form for `why`, and the earlier runs of the same pipeline."""

from collections.abc import Iterator, Mapping
from functools import cached_property

from penstock.core import NotFoundError, PenstockError, RunRecord, StepRunRecord, did_you_mean
from penstock.execution.engine import GOOD_STATES, read_manifest, read_source
from penstock.pipelines import PipelineSpec, StepSpec
from penstock.stores import Store

_LOOKED_AT = 200  # runs, newest first, searched for a run to compare with
_PAGE = 25


class RecordedRun:
    """A run with the records of the steps."""

    def __init__(self, store: Store, run: RunRecord) -> None:
        self.store, self.run = store, run

    @cached_property
    def steps(self) -> Mapping[str, StepRunRecord]:
        return {step.step: step for step in self.store.metadata.steps.list(self.run.run_id)}

    def step(self, name: str) -> StepRunRecord:
        if name not in self.steps:
            raise NotFoundError(
                what=f"Run {self.run.run_id} has no step {name!r}.",
                fix=did_you_mean(name, self.steps),
                run_id=self.run.run_id,
            )
        return self.steps[name]

    @cached_property
    def spec(self) -> PipelineSpec:
        return PipelineSpec.from_json(self.run.graph)

    def step_spec(self, name: str) -> StepSpec:
        """Return a step as recorded; for an item of a map, nothing is known but the name."""
        specs = (step for step in self.spec.steps if step.name == name)
        return next(specs, StepSpec(name))

    @cached_property
    def files(self) -> Mapping[str, bytes]:
        """The recorded sources; empty if they are gone."""
        try:
            return read_source(read_manifest(self.run, store=self.store), store=self.store)
        except PenstockError:
            return {}

    def giver(self, step: str, argument: str) -> str | None:
        """Return the name of the step that an input comes from."""
        place = (step, argument)
        givers = (e.source for e in self.spec.edges if (e.target, e.argument) == place)
        return next(givers, None)


def earlier_runs(side: RecordedRun) -> Iterator[RecordedRun]:
    """Iterate over the earlier runs of the pipeline, newest first."""
    name = str(side.run.pipeline).replace("'", "''")
    after = side.run.run_id
    for _ in range(_LOOKED_AT // _PAGE):
        page = side.store.metadata.runs.search(
            f"pipeline = '{name}'", order_by="created_at desc", limit=_PAGE, after=after
        )
        yield from (RecordedRun(side.store, run) for run in page)
        if len(page) < _PAGE:
            return
        after = page[-1].run_id


def last_good_run(side: RecordedRun, step: str) -> RecordedRun | None:
    """Return the last earlier run in which the step ended well."""
    return next(
        (
            other
            for other in earlier_runs(side)
            if (record := other.steps.get(step)) is not None
            and record.state in GOOD_STATES
            and "key_parts" in record.facts
        ),
        None,
    )
