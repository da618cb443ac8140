"""Pipeline and @pipeline: a function whose body is traced into a graph."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar, overload

from penstock.core import DefinitionError, ParameterError, PenstockError, require_name
from penstock.pipelines._graph import Graph, Node
from penstock.pipelines._output import Output, find_outputs
from penstock.pipelines._parameters import Parameter, bind, read_parameters
from penstock.pipelines._partitions import Partitions
from penstock.pipelines._position import error_position, function_position, position_text
from penstock.pipelines._trace import current_tracer, tracing
from penstock.pipelines._values import dump_exact, dump_value

P = ParamSpec("P")
R = TypeVar("R")

_QUOTED = re.compile(r"'(\w+)'")


class Pipeline(Generic[P, R]):
    """A function that calls steps; `run` executes the pipeline, `trace` returns the graph.

    Args:
        function: The body.
        name: Name of the pipeline; by default the function's.
        description: A sentence; by default the first line of the docstring.
        partitions: Partitions that the pipeline is run for; these set some of the parameters.
    """

    def __init__(
        self,
        function: Callable[P, R],
        *,
        name: str | None = None,
        description: str | None = None,
        partitions: Partitions | None = None,
    ) -> None:
        if not hasattr(function, "__code__"):
            raise DefinitionError(
                what=f"{function!r} is no function, so it cannot be a pipeline.",
                fix="Put @pipeline above a def whose body calls steps.",
            )
        update_wrapper(self, function)
        self.function = function
        self.name = require_name(name or function.__name__, "pipeline")
        lines = (function.__doc__ or "").strip().splitlines()
        self.description = description if description is not None else (lines or [""])[0].strip()
        self.parameters: Mapping[str, Parameter] = read_parameters(function)
        self.partitions = partitions
        if partitions is not None:
            self._require_part_parameters(partitions)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the body; as a sub-pipeline, add the steps to the pipeline that is being traced."""
        if current_tracer() is None:
            return self.function(*args, **kwargs)
        with tracing(self.name, self.position):
            traced: R = self._traced_body(*args, **kwargs)
            return traced

    def __repr__(self) -> str:
        return f"<pipeline {self.name!r} at {self.position}>"

    @property
    def position(self) -> str:
        """File and line of the definition."""
        return position_text(function_position(self.function))

    @cached_property
    def file(self) -> str:
        """File that defines the pipeline."""
        return function_position(self.function)[0]

    def bind(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Convert texts or values to typed parameter values, with defaults filled in.

        Args:
            given: Text (command line) or value (Python) by parameter name.

        Raises:
            ParameterError: If a name is unknown, a value cannot be used, or a value is missing.
        """
        return bind(self.name, self.parameters, given)

    def dump(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Convert typed parameter values to plain JSON that ``bind`` reads back."""
        return {name: dump_value(value) for name, value in values.items()}

    def dump_exact(self, values: Mapping[str, Any]) -> dict[str, str | None]:
        """Return exact texts of the values that ``bind`` would not read back equal from `dump`.

        Returns:
            Exact text by name; see `StoredArgument`.
        """
        dumped: dict[str, str | None] = {}
        for name, value in values.items():
            parameter = self.parameters[name]
            try:
                text = dump_exact(value, parameter.hint)
            except TypeError:
                # A value without a text can be restored only if it is the default.
                dumped[name] = "" if value is parameter.default else None
                continue
            if text is not None:
                dumped[name] = text
        return dumped

    def bind_partition(self, key: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Convert texts or values to typed parameter values, including those set by a partition.

        Args:
            key: Key of the partition.
            given: Text or value by name of the remaining parameters.

        Raises:
            ParameterError: If there are no partitions, or a given parameter is set by the
                partition, or a value cannot be used.
            NotFoundError: If there is no such partition.
        """
        if self.partitions is None:
            raise ParameterError(
                what=f"Pipeline {self.name!r} has no partitions, so {key!r} means nothing.",
                fix='Say what it is run for: @pipeline(partitions=Partitions.daily("2016-01-01")).',
                key=key,
            )
        # A pipeline may take ``cutoff`` alone of a time partition's two parameters.
        of_partition = {
            name: value
            for name, value in self.partitions.parameters(key).items()
            if name in self.parameters
        }
        twice = sorted({name.replace("-", "_") for name in given} & set(of_partition))
        if twice:
            raise ParameterError(
                what=f"{twice[0]} is given, but partition {key!r} gives it already.",
                fix="Leave one of the two out.",
                name=twice[0],
            )
        return self.bind({**given, **of_partition})

    def trace(self, /, **params: object) -> Graph:
        """Run the body with steps recorded instead of executed, and return the graph.

        Args:
            **params: Parameter values or texts, as for ``bind``.

        Raises:
            DefinitionError: If the body is wrong; the error names the user's line.
            ParameterError: If a parameter cannot be used.
        """
        values = self.bind(params)
        with tracing(self.name, self.position) as tracer:
            result = self._traced_body(**values)
        self._require_outputs(result)
        if not tracer.nodes:
            raise DefinitionError(
                what=f"{self.position}: pipeline {self.name!r} calls no step.",
                why="There is nothing to run.",
                fix="Call functions marked with @step in its body.",
            )
        return Graph(self.name, tuple(tracer.nodes), result, values, self.description)

    def trace_body(self, prefix: str, arguments: Mapping[str, Any]) -> tuple[Sequence[Node], Any]:
        """Trace the body with outputs for parameters, for an item of a mapped value.

        Args:
            prefix: Prefix of the names of the nodes.
            arguments: Arguments by parameter name.

        Returns:
            The nodes, and the return value of the body.
        """
        with tracing(self.name, self.position, prefix) as tracer:
            result = self._traced_body(**arguments)
        self._require_outputs(result)
        return tracer.nodes, result

    def _traced_body(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return self.function(*args, **kwargs)
        except DefinitionError as error:
            place = position_text(error_position(error.__traceback__))
            # Only an error that does not name the user's line yet gets the line.
            if error.what.startswith(place) or re.match(r"\S+:\d+: ", error.what):
                raise
            raise DefinitionError(
                f"{place}: {error.what}", error.why, error.fix, **error.values
            ) from error
        except PenstockError:
            raise
        except NameError as error:
            raise self._name_error(error) from error
        except Exception as error:
            place = position_text(error_position(error.__traceback__))
            raise DefinitionError(
                what=f"{place}: the body of pipeline {self.name!r} raised "
                f"{type(error).__name__}: {error}",
                why="The body only connects steps; work belongs inside steps.",
                fix="Move the failing code into a step, or fix it.",
            ) from error

    def _name_error(self, error: NameError) -> DefinitionError:
        place = position_text(error_position(error.__traceback__))
        match = _QUOTED.search(str(error))
        name = match[1] if match else "a name"
        if isinstance(error, UnboundLocalError):
            return DefinitionError(
                what=f"{place}: {name!r} is used before any step has made it.",
                why="Steps cannot wait for each other in a circle: each runs after what it needs.",
                fix=f"Move the step that makes {name!r} above, or break the circle.",
                name=name,
            )
        return DefinitionError(
            what=f"{place}: {name!r} is not defined.",
            fix="Import or define it before the pipeline runs.",
            name=name,
        )

    def _require_part_parameters(self, partitions: Partitions) -> None:
        missing = [name for name in partitions.names if name not in self.parameters]
        if not missing or (partitions.is_of_time and "cutoff" not in missing):
            return
        raise DefinitionError(
            what=f"{self.position}: pipeline {self.name!r} has no parameter {missing[-1]!r}.",
            why="Each run must know which partition it is for.",
            fix=f"Add a parameter {missing[-1]}, and let its steps use it.",
            name=missing[-1],
        )

    def _require_outputs(self, result: Any) -> None:
        if result is None or isinstance(result, Output):
            return
        outputs = dict(find_outputs(result, "result"))
        if isinstance(result, list | tuple) and len(outputs) == len(result):
            return
        if isinstance(result, Mapping) and len(outputs) == len(result):
            return
        raise DefinitionError(
            what=f"{self.position}: pipeline {self.name!r} returns {type(result).__name__} "
            f"{str(result)[:60]!r}, which does not come from a step.",
            why="The result of a pipeline must be an output of its steps.",
            fix="Return the output of a step, a tuple or dict of outputs, or nothing.",
        )


@overload
def pipeline(function: Callable[P, R], /) -> Pipeline[P, R]: ...
@overload
def pipeline(
    *,
    name: str | None = None,
    description: str | None = None,
    partitions: Partitions | None = None,
) -> Callable[[Callable[P, R]], Pipeline[P, R]]: ...
def pipeline(
    function: Callable[..., Any] | None = None,
    /,
    **options: Any,  # Any: the overloads name the options of Pipeline
) -> Any:  # Any: a Pipeline, or a decorator; see the overloads
    """Make a function a pipeline.

    >>> from penstock.pipelines import step
    >>> @step
    ... def double(number: int) -> int:
    ...     return 2 * number
    >>> @pipeline
    ... def twice(number: int) -> int:
    ...     return double(double(number))
    >>> [node.name for node in twice.trace(number=3).order()]
    ['double', 'double-2']

    Args:
        function: The body; given by ``@pipeline`` without brackets.
        **options: ``name``, ``description`` and ``partitions``.

    Raises:
        DefinitionError: If the name of a parameter is an option of ``run``.
    """
    if function is None:
        return lambda body: Pipeline(body, **options)
    return Pipeline(function, **options)
