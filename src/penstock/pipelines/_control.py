"""``map``, ``when``, ``loop``, ``wait_for_approval``: steps that depend on values of a run."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar, get_args, get_origin

from penstock.core import DefinitionError, with_article
from penstock.pipelines._graph import ITEM, Node
from penstock.pipelines._groups import groups
from penstock.pipelines._hints import accepts, hint_name
from penstock.pipelines._output import Output
from penstock.pipelines._pipeline import Pipeline
from penstock.pipelines._position import caller_position, position_text
from penstock.pipelines._step import Step
from penstock.pipelines._trace import Tracer, current_tracer

_MOST_ROUNDS = 100
T = TypeVar("T")
_Mapped = Step[..., Any] | Pipeline[..., Any]


@dataclass(frozen=True, slots=True)
class Again:
    """The return value of a looped step that asks for a next round.

    >>> Again(3).value
    3

    Args:
        value: Input of the next round.
    """

    value: Any

    bundle_type: ClassVar[str] = "penstock.pipelines:Again"

    def to_bundle(self) -> dict[str, Any]:
        """See Bundle."""
        return {"value": self.value}

    @classmethod
    def from_bundle(cls, parts: Mapping[str, Any]) -> Self:
        """See Bundle."""
        return cls(parts["value"])


class Nothing:
    """The class of `NOTHING`, which a step returns for an output that is not made this time."""

    def __reduce__(self) -> str:
        """Pickle by name, so that `NOTHING` is a singleton in every process."""
        return "NOTHING"

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING = Nothing()


def map(  # noqa: A001 - what it does is known under this name
    step: _Mapped,
    items: Any,  # Any: a list, a dict, a table, or a step's output
    /,
    *,
    over: str | None = None,
    by: str | None = None,
    name: str | None = None,
    **shared: object,
) -> Any:  # Any: an output with a step's hint; outside of a pipeline the result
    """Run a step, or a whole pipeline, for each of many items.

    The number of items may be unknown until the run reaches the map. Each item has a key, a seed
    and a separate cache entry: a failed item stops none of the rest, and ``--resume`` executes
    only the missing items. Outside a pipeline's body ``map`` is a plain loop.

    >>> from penstock.pipelines import step
    >>> @step
    ... def scaled(number: int, factor: int) -> int:
    ...     return number * factor
    >>> map(scaled, [1, 2, 3], factor=10)
    [10, 20, 30]

    Args:
        step: The step, or a pipeline that is called with each item.
        items: A list or dict, an output that holds a list or dict, or with ``by`` a table.
        over: The argument that gets the item; by default the first not named in ``shared``.
        by: A column; the table is split into the rows of each value of the column, in order.
        name: Name of the map in the pipeline; by default the step's name.
        **shared: The remaining arguments, the same for every item.

    Returns:
        A list of results in the order of the items; for a dict, or with ``by``, a dict. For a step
        with several outputs, a tuple of these.

    Raises:
        DefinitionError: If the step cannot be mapped, or an argument is wrong.
    """
    position = caller_position()
    _require_mapped("map", step, position)
    argument = over or _first_free(step, shared, position)
    tracer = current_tracer()
    if tracer is None:
        return _mapped_now(step, items, argument, by, shared)
    _require_items(items, by, position)
    if isinstance(step, Step):
        node = _mapped_step(tracer, step, items, argument, by, name, shared, position)
    else:
        node = _mapped_pipeline(tracer, step, items, argument, by, name, shared, position)
    collected = _collected(items, by)
    one = {"result": node.gives.hint} if node.body else node.step.output_hints
    return tracer.add(node, {key: collected(hint) for key, hint in one.items()})


def when(
    condition: object,
    then: Callable[[], Any] | Any,  # Any: of any type, called if callable
    otherwise: Callable[[], Any] | Any = None,  # Any: as then
    *,
    name: str = "when",
) -> Any:  # Any: an output with a step's hint; outside of a pipeline the result
    """Run either of two branches, by a value that is known only in the run.

    Both branches are in the graph; the steps of the branch that is not taken are skipped. Outside a
    pipeline's body ``when`` is a plain ``if``.

    >>> when(3 > 2, lambda: "more", lambda: "less")
    'more'

    Args:
        condition: An output, or a known value; true or false as in Python.
        then: A function without arguments that calls the steps for true, or a value.
        otherwise: The same for false; None to do nothing and return None.
        name: Name of the choice in the pipeline.

    Returns:
        The result of the branch that was taken.
    """
    tracer = current_tracer()
    if not isinstance(condition, Output):
        return _branch(then if condition else otherwise)
    if tracer is None:
        raise DefinitionError(
            what=f"{condition!r} is used outside of a pipeline's body.",
            fix="Call when() where the pipeline's steps are called.",
        )
    with tracer.guarded(condition, True):
        taken = _branch(then)
    with tracer.guarded(condition, False):
        other = _branch(otherwise)
    step = CHOOSE if name == CHOOSE.name else CHOOSE.named(name)
    return tracer.record(step, (condition, taken, other), {})


def loop(
    step: Step[..., Any],
    start: Any,  # Any: a value, or a step's output
    /,
    *,
    over: str | None = None,
    max_rounds: int = _MOST_ROUNDS,
    name: str | None = None,
    **shared: object,
) -> Any:  # Any: an output with a step's hint; outside of a pipeline the result
    """Run a step repeatedly until the result is not an `Again`.

    Each round is recorded, cached and resumed as a separate step. Outside a pipeline's body
    ``loop`` is a plain loop.

    >>> from penstock.pipelines import step
    >>> @step
    ... def halve(number: int) -> int | Again:
    ...     return Again(number // 2) if number > 1 else number
    >>> loop(halve, 40)
    1

    Args:
        step: The step; returns ``Again(value)`` to be called with that value.
        start: Input of the first round.
        over: The argument that gets the value; by default the first not named in ``shared``.
        max_rounds: Maximum number of rounds; the loop fails if the step asks for more.
        name: Name of the loop in the pipeline; by default the step's name.
        **shared: The remaining arguments, the same in each round.

    Raises:
        DefinitionError: If the step cannot be looped, or an argument is wrong.
    """
    position = caller_position()
    _require_mapped("loop", step, position)
    if not isinstance(step, Step):
        raise DefinitionError(
            what=f"{position_text(position)}: loop() was given the pipeline {step.name!r}.",
            fix="Give one step; it may do several things.",
        )
    if max_rounds < 1:
        raise DefinitionError(
            what=f"{position_text(position)}: loop() was given max_rounds={max_rounds!r}.",
            fix="Give a whole number of 1 or more.",
        )
    argument = over or _first_free(step, shared, position)
    tracer = current_tracer()
    if tracer is None:
        return _looped_now(step, start, argument, max_rounds, shared)
    arguments = tracer.bind(step, (), {argument: start, **shared}, position)
    node = Node(
        tracer.unique(name or step.name),
        step,
        arguments,
        *position,
        each=argument,
        max_rounds=max_rounds,
    )
    hints = {key: _without_again(hint) for key, hint in step.output_hints.items()}
    return tracer.add(node, hints)


def wait_for_approval(value: T, /, *, message: str = "", name: str = "approval") -> T:
    """Continue with a value once the step has been approved.

    The run stops here, for days if necessary: no process waits. `penstock approve-step` or
    `penstock reject-step` decides, and ``penstock run --resume`` continues the run. Outside a pipeline's body the
    value is returned at once.

    >>> wait_for_approval(3, message="Does the report look right?")
    3

    Args:
        value: The value to inspect, and the input of the steps that follow.
        message: Instructions for the approver.
        name: Name of the approval in the pipeline.

    Raises:
        DefinitionError: If the message is no text.
    """
    if not isinstance(message, str):
        raise DefinitionError(
            what=f"{position_text(caller_position())}: the message of an approval is {message!r}.",
            fix="Give a text; what is to be looked at is the value before it.",
        )
    tracer = current_tracer()
    if tracer is None:
        return value
    step = APPROVE if name == APPROVE.name else APPROVE.named(name)
    recorded: T = tracer.record(step, (value, message), {})  # stands for the value
    return recorded


class _Approval(Step[..., Any]):
    """A step that waits for a decision, then returns the input."""

    asks = True


def _approved(value: Any, message: str = "") -> Any:
    del message
    return value


# Not reused by later runs: a decision is about a single run.
APPROVE = _Approval(_approved, name="approval", cache=False)


class _Choice(Step[..., Any]):
    """A step that returns the result of the branch taken; the branch not taken has no result."""

    joins = True


def _choose(condition: Any, then: Any = None, otherwise: Any = None) -> Any:
    return then if condition else otherwise


CHOOSE = _Choice(_choose, name="when")


def _branch(value: Any) -> Any:
    return value if isinstance(value, Output | type) or not callable(value) else value()


def _mapped_step(
    tracer: Tracer,
    step: Step[..., Any],
    items: Any,
    argument: str,
    by: str | None,
    name: str | None,
    shared: Mapping[str, Any],
    position: tuple[str, int],
) -> Node:
    arguments = tracer.bind(step, (), {argument: items, **shared}, position)
    _require_item_type(step, argument, items, position)
    unique = tracer.unique(name or step.name)
    return Node(unique, step, arguments, *position, each=argument, by=by)


def _mapped_pipeline(
    tracer: Tracer,
    pipeline: Pipeline[..., Any],
    items: Any,
    argument: str,
    by: str | None,
    name: str | None,
    shared: Mapping[str, Any],
    position: tuple[str, int],
) -> Node:
    unique = tracer.unique(name or pipeline.name)
    around = Step(pipeline.function, name=name or pipeline.name)
    arguments = tracer.bind(around, (), {argument: items, **shared}, position)
    # The body is traced once, with a placeholder, and copied for each item in the run.
    placeholder = f"{unique}[]"
    inner = {**arguments, argument: Output(placeholder, ITEM)}
    body, gives = pipeline.trace_body(f"{placeholder}/", inner)
    if not isinstance(gives, Output):
        raise DefinitionError(
            what=f"{position_text(position)}: the mapped pipeline {pipeline.name!r} does not have a single output.",
            why="What is collected over the items is one value of each.",
            fix="Return the output of one step; a last step can put several into a dict.",
        )
    return Node(
        unique, around, arguments, *position, each=argument, by=by, body=tuple(body), gives=gives
    )


def _first_free(step: _Mapped, shared: Mapping[str, Any], position: tuple[str, int]) -> str:
    for name, item in inspect.signature(step.function).parameters.items():
        if name not in shared and item.kind not in {item.VAR_POSITIONAL, item.VAR_KEYWORD}:
            return name
    raise DefinitionError(
        what=f"{position_text(position)}: {step.name!r} has no argument left for the items.",
        fix="Leave one out of the shared arguments, or name it: over='…'.",
    )


def _require_mapped(what: str, step: Any, position: tuple[str, int]) -> None:
    if not isinstance(step, Step | Pipeline):
        raise DefinitionError(
            what=f"{position_text(position)}: {what}() was given {step!r}, which is no step.",
            fix="Decorate the function with @step, and pass the function itself, not its result.",
        )


def _require_items(items: Any, by: str | None, position: tuple[str, int]) -> None:
    if isinstance(items, Output | list | tuple) or (isinstance(items, Mapping) and by is None):
        return
    if by is not None:  # a constant table in the body
        return
    raise DefinitionError(
        what=f"{position_text(position)}: map() was given {with_article(type(items).__name__)} for items.",
        why="It goes over a list, a dict, or with by='column' over the groups of a table.",
        fix="Give a list, or the output of a step that makes one.",
    )


def _require_item_type(
    step: Step[..., Any], argument: str, items: Any, position: tuple[str, int]
) -> None:
    wanted = step.hints.get(argument, Any)
    hint = _item_hint(items.hint) if isinstance(items, Output) else Any
    if not accepts(wanted, hint):
        raise DefinitionError(
            what=f"{position_text(position)}: step {step.name!r} takes {argument} as {hint_name(wanted)}, "
            f"but each item is {hint_name(hint)}.",
            why="The step would get a value that it cannot use.",
            fix=f"Map it over other items, or correct the annotation of {argument!r}.",
            argument=argument,
        )


def _item_hint(hint: Any) -> Any:
    parts = get_args(hint)
    origin = get_origin(hint)
    if inspect.isclass(origin) and issubclass(origin, Mapping) and len(parts) > 1:
        return parts[1]
    if inspect.isclass(origin) and issubclass(origin, Iterable) and len(parts) == 1:
        return parts[0]
    return Any


def _collected(items: Any, by: str | None) -> Callable[[Any], Any]:
    """Return the type of the collection that holds the results."""
    hint = items.hint if isinstance(items, Output) else type(items)
    origin = get_origin(hint) or hint
    if by is not None or (inspect.isclass(origin) and issubclass(origin, Mapping)):
        return lambda one: dict[Any, one] if one is not Any else dict  # type: ignore[valid-type]
    if inspect.isclass(origin) and issubclass(origin, Sequence):
        return lambda one: list[one] if one is not Any else list  # type: ignore[valid-type]
    return lambda _: Any


def _without_again(hint: Any) -> Any:
    left = [option for option in get_args(hint) if option is not Again]
    if not left or hint is Again:
        return Any
    return left[0] if len(left) == 1 else Any


def _mapped_now(
    step: _Mapped, items: Any, argument: str, by: str | None, shared: Mapping[str, Any]
) -> Any:
    if by is not None:
        items = groups(items, by)
    if isinstance(items, Mapping):
        return {key: step(**{argument: item}, **shared) for key, item in items.items()}
    return [step(**{argument: item}, **shared) for item in items]


def _looped_now(
    step: Step[..., Any], value: Any, argument: str, max_rounds: int, shared: Mapping[str, Any]
) -> Any:
    for _ in range(max_rounds):
        result = step(**{argument: value}, **shared)
        if not isinstance(result, Again):
            return result
        value = result.value
    raise too_many_rounds(step.name, max_rounds)


def too_many_rounds(name: str, max_rounds: int) -> DefinitionError:
    """Return the error of a loop that did not end."""
    return DefinitionError(
        what=f"{name!r} still returned Again after {max_rounds} rounds.",
        why="A loop that does not end would run for ever.",
        fix="Return a result at some point, or allow more rounds: loop(…, max_rounds=…).",
        max_rounds=max_rounds,
    )
