"""``get_step_call``: a recorded step with the exact inputs, to call in this process."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from penstock.core import NotFoundError, StepState, did_you_mean
from penstock.execution.engine import entry_of_run, load_inputs, load_pipeline, project_of
from penstock.execution.step import bind_arguments, convert_argument, split_outputs
from penstock.pipelines import Pipeline, Step
from penstock.provenance import (
    deterministic,
    keep_library_settings,
    missing_patches,
    use_library_settings,
    value_digest,
)
from penstock.stores import open_store
from penstock.tracking import StepContext, start_run, use_step

if TYPE_CHECKING:
    from penstock.stores import Store


@dataclass(frozen=True, slots=True)
class StepCall:
    """A call of a step, as made by a run.

    Args:
        step: The step, with the present code.
        name: Name of the step in the pipeline.
        arguments: Arguments by name; recorded values, loaded and checked.
        seed: Seed of the step run.
        threads: Threads that numerical libraries had; None for the libraries' defaults.
        recorded: Recorded content digest by output; empty if the step failed.
        settings: Settings of libraries that the run had and that were not the defaults.
        missing: What the cells of the run's notebook had changed in libraries, and this process has
            not: a call may return something else.
    """

    step: Step[..., Any]
    name: str
    arguments: Mapping[str, Any]
    seed: int
    threads: int | None
    recorded: Mapping[str, str]
    settings: Mapping[str, Any] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    def __call__(self) -> Any:  # Any: a step's result
        """Call the function with the seed, threads and settings of the run; exceptions are passed on.

        Logged metrics and artifacts go to a temporary run that is deleted.
        """
        context = StepContext(
            self.name, "debug", self.seed, shards=self.step.shards, threads=self.step.threads
        )
        with (
            TemporaryDirectory(prefix="penstock-debug-", ignore_cleanup_errors=True) as folder,
            open_store(f"sqlite:///{folder}/scratch.db") as scratch,
            start_run(
                "debug",
                store=scratch,
                nested=True,
                console=False,
                system_metrics=False,
                provenance=False,
            ),
            use_step(context),
            keep_library_settings(),
        ):
            self.use_settings()
            return self._call()

    def use_settings(self) -> None:
        """Set the libraries' settings of the run in this process, for a debugger."""
        # As in verify: without any, the imports of the pipeline have set what the run had.
        if self.settings:
            use_library_settings(self.settings)

    def _call(self) -> Any:
        values = {
            name: convert_argument(value, self.step.hints.get(name))
            for name, value in self.arguments.items()
        }
        with deterministic(self.seed, self.threads):
            return self.step.call(values)

    def same_as_recorded(self, value: object, *, store: "Store") -> bool:
        """Return whether the value of a call equals the recorded outputs, bit for bit."""
        outputs = split_outputs(self.name, self.step, value)
        digests = {name: store.digest(output) for name, output in outputs.items()}
        return bool(self.recorded) and digests == dict(self.recorded)


def get_step_call(
    run: str,
    step: str,
    *,
    target: Pipeline[..., Any] | str | None = None,
    store: "Store | str | None" = None,
) -> StepCall:
    """Load a step of a recorded run with the exact inputs, to inspect or to call.

    Args:
        run: Id of the run; a unique prefix, or ``"last"``.
        step: Name of the step in the pipeline.
        target: The pipeline or ``file.py:name``; by default the entry point of the run.
        store: Store that has the run; by default the project's store.

    Raises:
        NotFoundError: If there is no such run or step, the file is gone, or the step never began.
        StoreError: If the bytes of a value are gone or damaged.
        StepError: If the step has different inputs now.
    """
    opened = open_store(store)
    record = opened.metadata.runs.get(run)
    steps = {each.step: each for each in opened.metadata.steps.list(record.run_id)}
    if step not in steps:
        raise NotFoundError(
            what=f"Run {record.run_id} has no step {step!r}.", fix=did_you_mean(step, steps)
        )
    step_run = steps[step]
    if step_run.state is StepState.SKIPPED:
        raise NotFoundError(
            what=f"Step {step!r} of run {record.run_id} never began: {step_run.error}.",
            fix="See the step that failed before it.",
        )
    target = (
        target if isinstance(target, Pipeline) else load_pipeline(target or entry_of_run(record))
    )
    graph = target.trace(**target.bind(record.arguments))
    node = graph.find(step)
    if node is None:
        names = [node.name for node in graph.nodes]
        raise NotFoundError(
            what=f"Pipeline {target.name!r} has no step {step!r} any more.",
            fix=did_you_mean(step, names),
        )
    arguments = bind_arguments(node, load_inputs(step_run, store=opened))
    facts = step_run.facts
    key_parts = facts.get("key_parts", {})

    def digest(value: Any, place: str) -> str:
        return value_digest(value, place, project_of(target.file), opened.digest).digest

    return StepCall(
        node.step,
        step,
        arguments,
        step_run.seed,
        facts.get("threads"),
        dict(step_run.outputs),
        key_parts.get("settings", {}),
        missing_patches(key_parts, digest),
    )
