"""Output: the placeholder of a step's result while a pipeline body is traced."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

from penstock.core import DefinitionError, describe_nesting

_FLAT = frozenset({type(None), bool, int, float, str, bytes})
_WORDS = frozenset({"None", "True", "False", "nan", "inf"})


class Output:
    """A value that exists only when the pipeline runs; to be passed to a step.

    Args:
        node: Name of the step that makes the value.
        name: Name of the output: ``result`` unless the step has several outputs.
        hint: Type hint, or Any.
    """

    __slots__ = ("hint", "name", "node")

    def __init__(self, node: str, name: str = "result", hint: object = Any) -> None:
        self.node, self.name, self.hint = node, name, hint

    @property
    def text(self) -> str:
        """The output as written in a spec: the step, and the output's name if there are several."""
        return self.node if self.name == "result" else f"{self.node}.{self.name}"

    def moved(self, before: str, after: str) -> "Output":
        """Return the same output of a node with a new prefix of the name."""
        if not self.node.startswith(before):
            return self
        return Output(after + self.node.removeprefix(before), self.name, self.hint)

    def __repr__(self) -> str:
        return f"<output {self.name!r} of step {self.node!r}>"

    __hash__ = object.__hash__

    def _refuse(self, doing: str, fix: str = "") -> NoReturn:
        raise DefinitionError(
            what=f"The output of step {self.node!r} {doing} in the pipeline body.",
            why="While the body is traced no step has run, so there is no value yet.",
            fix=fix or "Do this inside a step: steps get the real values.",
            node=self.node,
        )

    def __bool__(self) -> NoReturn:  # noqa: PLE0304 - it always raises
        self._refuse(
            "is used as a condition",
            "Write ps.when(condition, lambda: …, lambda: …), or decide inside a step.",
        )

    def __iter__(self) -> NoReturn:
        self._refuse(
            "is unpacked or looped over",
            f"To get several outputs, annotate {self.node!r} with -> tuple[A, B]; "
            "to do a step for each item, write ps.map(step, items).",
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # Python and notebooks probe these
            raise AttributeError(name)
        self._refuse(f"is asked for .{name}", f"Pass it to a step and use .{name} there.")

    def __getitem__(self, key: Any) -> NoReturn:
        self._refuse(f"is indexed with [{key!r}]")

    def __call__(self, *_: object, **__: object) -> NoReturn:
        self._refuse("is called")

    def __format__(self, spec: str) -> NoReturn:
        self._refuse("is put into a text")


def _refusing(doing: str) -> Callable[..., NoReturn]:
    def method(self: Output, *_: Any) -> NoReturn:
        self._refuse(doing)

    return method


_OPERATIONS = {
    "is compared": "eq ne lt le gt ge contains",
    "is used in arithmetic": (
        "add radd sub rsub mul rmul truediv rtruediv floordiv rfloordiv mod rmod pow rpow "
        "matmul rmatmul and rand or ror xor rxor neg pos abs invert round"
    ),
    "is turned into a number": "int float index complex",
    "is asked for its length": "len",
}
# Python looks operators up on the class, so `__getattr__` alone would not refuse them.
for _doing, _names in _OPERATIONS.items():
    for _name in _names.split():
        setattr(Output, f"__{_name}__", _refusing(_doing))


def find_outputs(value: object, path: str) -> Iterator[tuple[str, Output]]:
    """Iterate over the outputs inside an argument, each with a path.

    >>> [path for path, _ in find_outputs([Output("a"), {"x": Output("b")}], "models")]
    ['models[0]', 'models[1][x]']

    Raises:
        DefinitionError: If an output is in a set, which has no order, or the argument contains
            itself.
    """
    try:
        yield from _found_in(value, path)
    except RecursionError:
        raise _endless(value, path) from None


def _found_in(value: Any, path: str) -> Iterator[tuple[str, Output]]:
    if isinstance(value, Output):
        yield path, value
    elif isinstance(value, list | tuple):
        if _is_flat(value):
            return
        for index, item in enumerate(value):
            yield from _found_in(item, f"{path}[{index}]")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _found_in(item, _inner(path, key))
    elif isinstance(value, set | frozenset):
        _require_no_outputs(value, path)


def _endless(value: Any, path: str) -> DefinitionError:
    return DefinitionError(
        what=f"Argument {path} {describe_nesting(value)}.",
        why="It is recorded from its beginning to its end.",
        fix="Pass the name or place of what it refers to, or build the value inside the step.",
    )


def _is_flat(items: Sequence[Any]) -> bool:
    """Return whether items are only plain values; checked in C, as a list may be long."""
    return set(map(type, items)) <= _FLAT


def _inner(path: str, key: Any) -> str:
    """Return the path of an item in a dict; "1" and "None" differ from 1 and None."""
    plain = type(key) is str and key.isidentifier() and key not in _WORDS
    return f"{path}[{key}]" if plain else f"{path}[{key!r}]"


def _require_no_outputs(value: set[Any] | frozenset[Any], path: str) -> None:
    if any(isinstance(item, Output) for item in value):
        raise DefinitionError(
            what=f"Argument {path} is a set of step outputs.",
            why="A set has no order, so the step could get them in a different order each time.",
            fix="Use a list.",
        )


def replace_outputs(value: object, path: str, values: Mapping[str, Any]) -> Any:  # Any: as given
    """Rebuild an argument with values in place of outputs; containers are new.

    >>> replace_outputs([Output("a"), 2], "x", {"x[0]": 1})
    [1, 2]

    Args:
        value: The argument as traced.
        path: Name of the argument.
        values: Value by path, as ``find_outputs`` names them.
    """
    if isinstance(value, Output):
        return values[path]
    if type(value) is list or type(value) is tuple:
        if _is_flat(value):
            return type(value)(value)
        items = (replace_outputs(item, f"{path}[{i}]", values) for i, item in enumerate(value))
        return type(value)(items)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(
            *(replace_outputs(item, f"{path}[{i}]", values) for i, item in enumerate(value))
        )
    if type(value) is dict:
        return {
            key: replace_outputs(item, _inner(path, key), values) for key, item in value.items()
        }
    return value


def rewrite_outputs(value: object, change: Callable[[Output], Any]) -> Any:  # Any: as given
    """Rebuild an argument with every output changed; containers are new.

    >>> rewrite_outputs([Output("a"), 2], lambda output: output.node)
    ['a', 2]
    """
    changed = {path: change(output) for path, output in find_outputs(value, "")}
    return replace_outputs(value, "", changed) if changed else value
