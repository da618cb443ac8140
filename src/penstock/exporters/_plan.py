"""ExportPlan: a pipeline as tasks with plain names, which every exporter writes in its engine's form.

The first task, ``prepare``, records a run; each further task executes a step of that run.
"""

import keyword
import math
import posixpath
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from penstock.core import ParameterError
from penstock.pipelines import OptionsSpec, PipelineSpec, StepSpec

PREPARE = "prepare"
WINDOW = ("since", "cutoff")
_CRON_OF_UNIT = {"hour": "0 * * * *", "day": "0 0 * * *", "month": "0 0 1 * *"}
# Names that the exported Python files give to other things.
_RESERVED = frozenset({
    *keyword.kwlist, PREPARE, "asyncio", "context", "dagster", "environment", "flow", "gather", "item", "items",
    "json", "name", "names", "op", "os", "parameters", "pendulum", "penstock", "run", "schedule",
    "secrets", "start", "step", "store", "submit_all", "submit_each", "subprocess", "task",
    "timedelta",
})  # fmt: skip
_START_S = 60  # an engine's limit of time includes the start of the process


@dataclass(frozen=True, slots=True)
class Task:
    """A step as a task.

    Args:
        name: Name of the step.
        id: Name of the task: lower-case letters, digits and underscores, unique.
        needs: Ids of the tasks of the steps whose outputs or conditions the step needs.
        options: Options of the step.
        is_map: True for a map, whose items are listed at run time.
        is_conditional: True if the step is in a branch.
        image: Container image of the step, for engines that run containers.
    """

    name: str
    id: str
    needs: tuple[str, ...]
    options: OptionsSpec
    is_map: bool = False
    is_conditional: bool = False
    image: str = ""

    @property
    def limit_s(self) -> int | None:
        """Limit of an attempt in the engine, with the start of the process; None without."""
        timeout = self.options.timeout_s
        return None if timeout is None else math.ceil(timeout) + _START_S

    @property
    def total_limit_s(self) -> int | None:
        """Limit of all attempts, where penstock retries within the task; None without."""
        limit, options = self.limit_s, self.options
        if limit is None:
            return None
        return limit + math.ceil(options.max_retries * (limit + options.max_delay_s))


@dataclass(frozen=True, slots=True)
class Input:
    """A parameter of the exported file; empty text means the pipeline's own default.

    Args:
        name: Name of the pipeline's parameter.
        variable: Environment variable of the value.
        default: Text of the default; empty for the pipeline's.
        type: Name of the annotated type; empty without.
        required: True if the pipeline has no default.
        of_interval: True if the engine's data interval fills the parameter.
    """

    name: str
    variable: str
    default: str = ""
    type: str = ""
    required: bool = False
    of_interval: bool = False

    @property
    def about(self) -> str:
        """What the parameter takes, for people."""
        kind = self.type or "text"
        if self.of_interval:
            return f"{kind}; empty: of the data interval"
        return f"{kind}; required" if self.required else f"{kind}; empty: the pipeline's default"


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """A pipeline as tasks.

    Args:
        name: Name of the pipeline.
        id: The name as lower-case letters, digits and underscores.
        description: First sentence of the pipeline's docstring.
        entry: Entry point, ``file.py:name``.
        inputs: Parameters of the exported file.
        tasks: A task per step; each stands after those that it needs.
        cron: Cron expression; None without a schedule.
        timezone: Time zone of the cron expression.
        partitions: Partitions as plain JSON; None without.
        image: Container image for engines that run containers.
    """

    name: str
    id: str
    description: str
    entry: str
    inputs: tuple[Input, ...]
    tasks: tuple[Task, ...]
    cron: str | None
    timezone: str
    partitions: Mapping[str, Any] | None
    image: str

    @property
    def time_unit(self) -> str | None:
        """Unit of partitions by time; None for others, or none."""
        return (self.partitions or {}).get("unit")

    @property
    def has_conditions(self) -> bool:
        """True if a step is in a branch."""
        return any(task.is_conditional for task in self.tasks)

    def prepare_words(self) -> list[str]:
        """Return the fixed words of the command that records the run and prints its id."""
        steps = ",".join(task.name for task in self.tasks)
        return ["run", self.entry, "--prepare", "-q", "--require-steps", steps]

    def step_words(self, name: str) -> list[str]:
        """Return the words behind ``penstock step RUN`` of a step, without options."""
        return [name, self.entry]

    def prepare_shell(self) -> str:
        """Return the command that records the run, for a POSIX shell; empty variables count as unset."""
        return self._with_inputs(f"penstock {shlex.join(self.prepare_words())}")

    def run_shell(self) -> str:
        """Return entry point and parameters of ``penstock run``, for a POSIX shell."""
        return self._with_inputs(f"{shlex.quote(self.entry)} -q")

    def _with_inputs(self, command: str) -> str:
        lines = [command]
        for each in self.inputs:
            variable = each.variable
            lines.append(f'${{{variable}:+--set "{each.name}=${variable}"}}')
        if self.partitions is not None:
            lines.append('${PARTITION:+--partition "$PARTITION"}')
        return " \\\n  ".join(lines)


def plan_export(
    spec: PipelineSpec,
    entry: str,
    *,
    defaults: Mapping[str, str],
    cron: str | None = None,
    timezone: str = "UTC",
    image: str = "",
) -> ExportPlan:
    """Plan the export of a pipeline.

    Args:
        spec: The pipeline, with signature and partitions.
        entry: Entry point, ``file.py:name``.
        defaults: Texts of parameters that the exported file has as defaults.
        cron: Cron expression; by default that of the partitions by time.
        timezone: Time zone of the cron expression.
        image: Container image for engines that run containers.

    Raises:
        ParameterError: If a step's name cannot be passed on.
    """
    _require_names(spec)
    ids = _unique_ids(spec.steps)
    conditional = {edge.target for edge in spec.edges if edge.argument.startswith("if ")}
    tasks = tuple(
        Task(
            step.name,
            ids[step.name],
            _needs(spec, step, ids),
            step.options,
            is_map=bool(step.each) and not step.max_rounds,
            is_conditional=step.name in conditional,
            image=image_of(spec.name, image, step.options.environment),
        )
        for step in spec.steps
    )
    of_time = (spec.partitions or {}).get("unit")
    if of_time and cron is None:
        cron, timezone = _partition_cron(spec.partitions or {}), (spec.partitions or {})["timezone"]
    return ExportPlan(
        spec.name,
        plain_id(spec.name),
        spec.description,
        entry,
        tuple(_inputs(spec, defaults, has_interval=cron is not None)),
        tasks,
        cron,
        timezone,
        spec.partitions,
        image_of(spec.name, image),
    )


def image_of(pipeline: str, image: str = "", environment: str | None = None) -> str:
    """Return the image of a pipeline, or of an environment of a step.

    >>> image_of("churn"), image_of("churn", "registry/churn:1", "requirements/gpu.txt")
    ('churn:latest', 'registry/churn:1-requirements-gpu')

    Args:
        pipeline: Name of the pipeline.
        image: Image of the project; by default of the pipeline's name.
        environment: Requirements file; None for the project's image.

    Raises:
        ParameterError: If the image has a digest, so that none can be named after it.
    """
    image = image or f"{plain_id(pipeline).replace('_', '-')}:latest"
    if environment is None:
        return image
    if "@" in image:
        raise ParameterError(
            what=f"The image {image} has a digest, and a step has the environment {environment}.",
            why="The environment's image has the same name and a tag of its own.",
            fix="Give the image by its tag: --image registry/churn:1",
        )
    tag = plain_id(posixpath.splitext(environment)[0]).replace("_", "-")
    has_tag = ":" in image.rpartition("/")[2]
    return f"{image}-{tag}" if has_tag else f"{image}:{tag}"


def plain_id(text: str) -> str:
    """Return a text as lower-case letters, digits and underscores, beginning with a letter.

    >>> plain_id("Train 2-deep"), plain_id("2x")
    ('train_2_deep', 's_2x')
    """
    found = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or "step"
    return found if found[0].isalpha() else f"s_{found}"


def _unique_ids(steps: Sequence[StepSpec]) -> dict[str, str]:
    taken, found = {PREPARE}, dict[str, str]()
    for step in steps:
        base = plain_id(step.name)
        base = f"{base}_step" if base in _RESERVED else base
        numbered = (base if number == 1 else f"{base}_{number}" for number in range(1, 10**6))
        # With the tasks of a map: the list of its items, and an item.
        each = next(i for i in numbered if not {i, *_parts(i)} & taken)
        taken |= {each, *_parts(each)} if step.each else {each}
        found[step.name] = each
    return found


def _needs(spec: PipelineSpec, step: StepSpec, ids: Mapping[str, str]) -> tuple[str, ...]:
    sources = {edge.source for edge in spec.edges if edge.target == step.name}
    return tuple(ids[each.name] for each in spec.steps if each.name in sources)


def _inputs(spec: PipelineSpec, defaults: Mapping[str, str], *, has_interval: bool) -> list[Input]:
    found = []
    for name, parameter in spec.signature.items():
        of_window = name in WINDOW
        if spec.partitions is not None and _is_of_partition(spec.partitions, name):
            continue
        fills = has_interval and of_window
        default = "" if fills else defaults.get(name, "")
        variable = f"PARAMETER_{name.upper()}"
        found.append(Input(name, variable, default, parameter.type, parameter.required, fills))
    return found


def _is_of_partition(partitions: Mapping[str, Any], name: str) -> bool:
    return name in (WINDOW if partitions.get("unit") else partitions.get("values", {}))


def _partition_cron(partitions: Mapping[str, Any]) -> str | None:
    if partitions["unit"] == "week":
        day = date.fromisoformat(partitions["start"][:10]).isoweekday() % 7
        return f"0 0 * * {day}"
    return _CRON_OF_UNIT[partitions["unit"]]


def _require_names(spec: PipelineSpec) -> None:
    for step in spec.steps:
        if "," in step.name or not step.name.isprintable():
            raise ParameterError(
                what=f"Step {step.name!r} of {spec.name!r} has a comma or an unprintable character.",
                why="The exported file lists the names of the steps, separated by commas.",
                fix="Give it another name: step.named('…').",
                step=step.name,
            )


def _parts(task_id: str) -> set[str]:
    return {f"{task_id}_{part}" for part in ("items", "item", "loop", "ended")}
