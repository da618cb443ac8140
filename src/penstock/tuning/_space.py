"""The search space: dimensions as values, their text form, and the form that records have."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.core import ParameterError

Plain = None | bool | int | float | str
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_LOG = re.compile(rf"log(?:\(\s*({_NUMBER})\s*,\s*({_NUMBER})\s*\)|:({_NUMBER})\.\.({_NUMBER}))")
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(?:/({_NUMBER}))?")
_FEWEST = 2
_FORMS = "3..12, 0..1/0.1, log:1e-4..1e-1 or a,b,c"
_WORDS: Mapping[str, Plain] = {
    "true": True, "True": True, "false": False, "False": False, "none": None, "None": None,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FloatRange:
    """Real numbers from ``low`` to ``high``.

    >>> str(FloatRange(1e-4, 0.1, log=True))
    'log(0.0001,0.1)'

    Args:
        low: Lowest value.
        high: Highest value.
        step: Distance between values; None for any real number.
        log: True to search the logarithm evenly.

    Raises:
        ParameterError: If the range is empty or not finite.
    """

    low: float
    high: float
    step: float | None = None
    log: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))
        _require_range(self)

    @property
    def size(self) -> int | None:
        """Number of values; None if there is no finite number."""
        if self.step is None:
            return None
        return math.floor((self.high - self.low) / self.step + 1e-9) + 1

    def values(self) -> list[float]:
        """Return all values in order, for a grid."""
        return [self.low + place * (self.step or 0.0) for place in range(self.size or 0)]

    def __str__(self) -> str:
        if self.log:
            return f"log({self.low!r},{self.high!r})"
        return f"{self.low!r}..{self.high!r}" + (f"/{self.step!r}" if self.step else "")


@dataclass(frozen=True, slots=True)
class IntRange:
    """Whole numbers from ``low`` to ``high``, both included.

    >>> IntRange(2, 8, step=3).values()
    [2, 5, 8]

    Args:
        low: Lowest value.
        high: Highest value.
        step: Distance between values.
        log: True to search the logarithm evenly; then without a step.

    Raises:
        ParameterError: If the range is empty.
    """

    low: int
    high: int
    step: int = 1
    log: bool = False

    def __post_init__(self) -> None:
        for name in ("low", "high", "step"):
            value = getattr(self, name)
            if isinstance(value, bool) or int(value) != value:
                raise ParameterError(
                    what=f"IntRange has {name}={value!r}.",
                    why="The values are whole numbers.",
                    fix="Use FloatRange for real numbers.",
                )
            object.__setattr__(self, name, int(value))
        _require_range(self)

    @property
    def size(self) -> int:
        """Number of values."""
        return (self.high - self.low) // self.step + 1

    def values(self) -> list[int]:
        """Return all values in order, for a grid."""
        return list(range(self.low, self.high + 1, self.step))

    def __str__(self) -> str:
        if self.log:
            return f"log({self.low},{self.high})"
        return f"{self.low}..{self.high}" + (f"/{self.step}" if self.step != 1 else "")


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice between values that have no order.

    >>> Choice(("gini", "entropy")).size
    2

    Args:
        options: The values: texts, numbers, booleans, None.

    Raises:
        ParameterError: If there are fewer than two, or two are equal, or one is of another type.
    """

    options: tuple[Plain, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", tuple(self.options))
        for value in self.options:
            if not isinstance(value, None | bool | int | float | str):
                raise ParameterError(
                    what=f"A choice has the value {value!r}.",
                    why="A study records its values as text, number, boolean or none.",
                    fix="Search a name, and look the object up in the pipeline.",
                )
        distinct = {(type(value), value) for value in self.options}
        if len(distinct) < max(_FEWEST, len(self.options)):
            raise ParameterError(
                what=f"A choice has the values {', '.join(map(repr, self.options)) or 'none'}.",
                why="A search needs at least two values, each once.",
                fix="Pass a single value as a parameter of the pipeline instead"
                " (--set NAME=VALUE), or remove the repeated value.",
            )

    @property
    def size(self) -> int:
        """Number of values."""
        return len(self.options)

    def values(self) -> list[Plain]:
        """Return all values in order, for a grid."""
        return list(self.options)

    def __str__(self) -> str:
        return ",".join(map(_quoted, self.options))


Dimension = FloatRange | IntRange | Choice
SearchSpace = Mapping[str, Dimension]


def read_space(search: Mapping[str, Any] | Sequence[str]) -> dict[str, Dimension]:
    """Read a search space from dimensions, texts or lists.

    >>> {name: str(each) for name, each in read_space(["depth=3..12", "kind=a,b"]).items()}
    {'depth': '3..12', 'kind': 'a,b'}

    Args:
        search: Dimension, text form or list of options by parameter name; or texts ``name=form``.

    Raises:
        ParameterError: If a dimension cannot be read, or there is none.
    """
    if isinstance(search, str):
        search = search.split()
    pairs = search.items() if isinstance(search, Mapping) else map(_pair, search)
    space: dict[str, Dimension] = {}
    for written, value in pairs:
        name = str(written).strip().replace("-", "_")
        if name in space:
            raise ParameterError(
                what=f"Parameter {name!r} is searched twice.",
                why="It has one range of values.",
                fix="Leave one of the two out.",
            )
        space[name] = _dimension(name, value)
    if not space:
        raise ParameterError(
            what="Nothing is searched.",
            why="A study needs at least one parameter with a range of values.",
            fix=f"Name a parameter of the pipeline and its values: {_FORMS}.",
        )
    return space


def parse_dimension(text: str) -> Dimension:
    """Parse the text form of a dimension.

    >>> parse_dimension("3..12"), parse_dimension("log(1e-4,1e-1)")
    (IntRange(low=3, high=12, step=1, log=False), FloatRange(low=0.0001, high=0.1, step=None, log=True))

    Args:
        text: ``3..12`` or ``2..8/3`` (whole numbers, with a step), ``0.1..0.9`` or ``0..1/0.1``
            (real numbers), ``log(1e-4,1e-1)``, in a shell also ``log:1e-4..1e-1``, which needs no
            quotes, or options ``a,b,c``; a number in quotes is text.

    Raises:
        ParameterError: If the text has none of these forms.
    """
    text = text.strip()
    if match := _LOG.fullmatch(text):
        low, high = (_number(part) for part in match.groups() if part is not None)
        if isinstance(low, int) and isinstance(high, int):
            return IntRange(low, high, log=True)
        return FloatRange(low, high, log=True)
    if match := _RANGE.fullmatch(text):
        low, high = _number(match[1]), _number(match[2])
        step = None if match[3] is None else _number(match[3])
        if isinstance(low, int) and isinstance(high, int) and isinstance(step, int | None):
            return IntRange(low, high, step=1 if step is None else step)
        return FloatRange(low, high, step=step)
    if "," not in text or ".." in text or "(" in text:
        raise ParameterError(
            what=f"{text!r} is no range and no choice.",
            why="A search needs the values to choose from.",
            fix=f"Write {_FORMS}.",
        )
    return Choice(tuple(_option(part.strip()) for part in text.split(",")))


def grid_size(space: SearchSpace) -> int | None:
    """Return the number of points of the grid; None if a dimension has no finite number of values."""
    total = 1
    for dimension in space.values():
        if dimension.size is None or (getattr(dimension, "log", False)):
            return None
        total *= dimension.size
    return total


def _pair(text: str) -> tuple[str, str]:
    name, equals, form = text.partition("=")
    if not equals or not name.strip():
        raise ParameterError(
            what=f"{text!r} does not say which parameter is searched.",
            why="A range of values belongs to a parameter of the pipeline.",
            fix=f"Write NAME={form or text or '3..12'}, with one of the forms {_FORMS}.",
        )
    return name, form


def _dimension(name: str, value: Any) -> Dimension:
    if isinstance(value, Dimension):
        return value
    try:
        if isinstance(value, str):
            return parse_dimension(value)
        if isinstance(value, list | tuple):
            return Choice(tuple(value))
    except ParameterError as error:
        raise ParameterError(
            what=f"Parameter {name!r}: {error.what}", why=error.why, fix=error.fix, name=name
        ) from error
    raise ParameterError(
        what=f"Parameter {name!r} has the range {value!r}.",
        why="A search needs the values to choose from.",
        fix=f"Give FloatRange, IntRange, Choice, a list of options, or the text {_FORMS}.",
        name=name,
    )


def _number(text: str) -> int | float:
    return int(text) if re.fullmatch(r"[-+]?\d+", text) else float(text)


def _option(text: str) -> Plain:
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    if re.fullmatch(_NUMBER, text):
        return _number(text)
    return text


def _quoted(value: Plain) -> str:
    if not isinstance(value, str):
        return repr(value)
    return value if isinstance(_option(value), str) and value == _option(value) else repr(value)


def _require_range(range_: FloatRange | IntRange) -> None:
    kind = type(range_).__name__
    low, high, step = range_.low, range_.high, range_.step
    problem = ""
    if not (math.isfinite(low) and math.isfinite(high)):
        problem = "the ends are not finite"
    elif low >= high:
        problem = f"{low!r} is not below {high!r}"
    elif range_.log and low <= 0:
        problem = f"a logarithm of {low!r} does not exist"
    elif step is not None and step <= 0:
        problem = f"the step {step!r} is not above 0"
    elif range_.log and step not in {None, 1}:
        problem = "a logarithmic range has no step"
    if problem:
        raise ParameterError(
            what=f"{kind} from {low!r} to {high!r}: {problem}.",
            why="No value could be suggested.",
            fix="Give the lower end first, above 0 for a logarithm, and a step above 0.",
        )
