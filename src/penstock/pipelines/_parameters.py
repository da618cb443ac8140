"""Parameters of a pipeline: typed from annotations and checked before anything runs."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.core import DefinitionError, ParameterError, StoredArgument, did_you_mean
from penstock.pipelines._hints import resolve_hints
from penstock.pipelines._position import function_position, position_text
from penstock.pipelines._values import describe, example, parse_value

# `run` has these arguments beside the pipeline's parameters, so no parameter may have these names,
# but for the names of SHARED_OPTIONS.
RUN_OPTIONS = (
    "entry",
    "experiment",
    "from_step",
    "name",
    "on_failure",
    "only",
    "partition",
    "pipeline",
    "refresh",
    "reporter",
    "resume",
    "run_id",
    "runner",
    "seed",
    "store",
    "tags",
    "until",
    "use_cache",
    "workers",
)
SHARED_OPTIONS = frozenset({"name"})
"""Options of `run` that a pipeline's parameter of the same name takes the place of.

A run's name can be left out or set later, and `name` is too common a parameter to be refused.
"""
# Options of `penstock run` whose names differ from those of `run`.
COMMAND_OPTIONS = ("help", "json", "no_cache", "prepare", "quiet", "require_steps", "set", "tag")
_REQUIRED = inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a pipeline.

    Args:
        name: Name as in the function.
        hint: Annotation, or Any.
        default: Default value; ``inspect.Parameter.empty`` if the parameter is required.
    """

    name: str
    hint: Any
    default: Any

    @property
    def required(self) -> bool:
        """True if the parameter has no default."""
        return self.default is _REQUIRED

    @property
    def option(self) -> str:
        """The parameter as an option of the command line, with an example."""
        return f"--{self.name.replace('_', '-')} {example(self.hint)}"


def read_parameters(function: Callable[..., Any]) -> dict[str, Parameter]:
    """Read a pipeline's parameters from the function.

    Raises:
        DefinitionError: If a name is an option of ``run`` (but for `SHARED_OPTIONS`), or a
            parameter is ``*args`` or ``**kwargs``.
    """
    place, hints = position_text(function_position(function)), resolve_hints(function)
    parameters = {}
    for name, item in inspect.signature(function).parameters.items():
        if item.kind in {item.VAR_POSITIONAL, item.VAR_KEYWORD}:
            raise DefinitionError(
                what=f"{place}: pipeline {function.__name__!r} takes {item}.",
                why="Every parameter is checked by its name and type before anything runs.",
                fix="Name each parameter and annotate it.",
            )
        if name in RUN_OPTIONS and name not in SHARED_OPTIONS:
            raise DefinitionError(
                what=f"{place}: pipeline {function.__name__!r} has a parameter {name!r}.",
                why=f"run() has an option of that name ({', '.join(RUN_OPTIONS)} are taken).",
                fix=f"Call it for example {function.__name__}_{name}.",
                name=name,
            )
        if name.lower() in COMMAND_OPTIONS:
            raise DefinitionError(
                what=f"{place}: pipeline {function.__name__!r} has a parameter {name!r}.",
                why=f"`penstock run` has an option --{name.replace('_', '-')} of its own.",
                fix=f"Call it for example {function.__name__}_{name}.",
                name=name,
            )
        hint = hints.get(name, Any)
        if hint is Any and item.default not in (_REQUIRED, None):
            hint = type(item.default)
        parameters[name] = Parameter(name, hint, item.default)
    return parameters


def bind(
    pipeline: str, parameters: Mapping[str, Parameter], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Convert texts or values to typed values, with defaults filled in.

    Args:
        pipeline: Name of the pipeline, for messages.
        parameters: Parameters of the pipeline.
        given: Text (command line) or value (Python) by name; dashes count as underscores.

    Raises:
        ParameterError: If a name is unknown, a value cannot be used, or a value is missing.
    """
    values = {}
    for written, value in given.items():
        if isinstance(value, StoredArgument) and value.is_default:
            continue
        name = written.replace("-", "_")
        if name not in parameters:
            raise ParameterError(
                what=f"Pipeline {pipeline!r} has no parameter {written!r}.",
                fix=did_you_mean(name, parameters) or "It takes none.",
                name=written,
            )
        values[name] = parse_value(value, parameters[name].hint, name=name)
    missing = [item for item in parameters.values() if item.required and item.name not in values]
    if missing:
        listed = ", ".join(f"{item.name} ({describe(item.hint)})" for item in missing)
        many = len(missing) > 1
        raise ParameterError(
            what=f"Pipeline {pipeline!r} needs {listed}; {'they are' if many else 'it is'} not given.",
            fix="Add " + " ".join(item.option for item in missing) + ".",
            missing=[item.name for item in missing],
        )
    return {name: values.get(name, item.default) for name, item in parameters.items()}
