"""Type hints of a function as classes, and their compatibility; lenient when in doubt."""

import builtins
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Union, get_args, get_origin

# Values of these kinds are converted to each other before a step gets them.
_TABLE_NAMES = frozenset(
    {"DataFrame", "LazyFrame", "Series", "Snapshot", "Table", "ndarray", "NDArray"}
)
_WIDER: dict[type, tuple[type, ...]] = {bool: (int, float, complex), int: (float, complex)}


def resolve_hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Resolve a function's annotations individually; an unresolvable annotation becomes Any.

    >>> def train(rows: "list[int]", depth: "NoSuchClass") -> "str": ...
    >>> resolve_hints(train)
    {'rows': list[int], 'depth': typing.Any, 'return': <class 'str'>}
    """
    function = inspect.unwrap(function)
    scope = _Lenient(getattr(function, "__globals__", {}))
    hints = dict(getattr(function, "__annotations__", {}))
    for name, hint in hints.items():
        hint = getattr(hint, "__forward_arg__", hint)  # noqa: PLW2901 - a NamedTuple wraps its texts
        if isinstance(hint, str):
            try:
                # Annotations in quotes are the user's own code, which is about to run anyway.
                hints[name] = eval(hint, {}, scope)  # noqa: S307 - see above
            except Exception:  # noqa: BLE001 - any failure only means: not known
                hints[name] = Any
    return {name: type(None) if hint is None else hint for name, hint in hints.items()}


def output_names(hint: Any) -> tuple[tuple[str, Any], ...]:
    """Return the output names of a return hint: ``result``, or the elements of a tuple, with hints.

    >>> output_names(tuple[int, str])
    (('0', <class 'int'>), ('1', <class 'str'>))
    >>> output_names(int)
    (('result', <class 'int'>),)
    """
    if inspect.isclass(hint) and issubclass(hint, tuple) and hasattr(hint, "_fields"):
        hints = resolve_hints(hint)
        return tuple((name, hints.get(name, Any)) for name in hint._fields)
    parts = get_args(hint)
    if get_origin(hint) is tuple and parts and Ellipsis not in parts:
        return tuple((str(index), part) for index, part in enumerate(parts))
    return (("result", hint),)


def accepts(wanted: object, given: object) -> bool:
    """Return whether a value hinted ``given`` may go where ``wanted`` is asked; True when in doubt.

    >>> accepts(float, int), accepts(int, str), accepts(str, Any)
    (True, False, True)
    """
    if isinstance(given, types.UnionType) or get_origin(given) is Union:
        return any(accepts(wanted, option) for option in get_args(given))
    if isinstance(wanted, types.UnionType) or get_origin(wanted) is Union:
        return any(accepts(option, given) for option in get_args(wanted))
    left, right = _known_class(wanted), _known_class(given)
    if left is None or right is None or left in _WIDER.get(right, ()):
        return True
    # A value may be more specific than its hint: a base class is no contradiction.
    return (_is_table(left) and _is_table(right)) or _is_subclass(left, right)


def hint_name(hint: Any) -> str:
    """Return a hint as text for people.

    >>> hint_name(int), hint_name(list[int]), hint_name(Any)
    ('int', 'list[int]', 'Any')
    """
    if hint is type(None):
        return "None"
    if inspect.isclass(hint) and not get_args(hint):
        return hint.__name__
    return str(hint).replace("typing.", "")


def _known_class(hint: Any) -> type | None:
    origin = get_origin(hint)
    if origin is typing.Annotated:
        return _known_class(get_args(hint)[0])
    known = origin or hint
    # From 3.11 on Any is a class to inspect.
    if known is Any or not inspect.isclass(known) or getattr(known, "_is_protocol", False):
        return None
    return known


def _is_subclass(one: type, other: type) -> bool:
    try:
        return issubclass(one, other) or issubclass(other, one)
    except TypeError:  # a protocol with attributes has no subclass check
        return True


def _is_table(cls: type) -> bool:
    if cls.__name__ in _TABLE_NAMES:
        return True
    return any(base.__name__ in _TABLE_NAMES for base in cls.__mro__)


class _Lenient(Mapping[str, Any]):
    """The names in a function's scope; an unknown name is Any instead of an error."""

    def __init__(self, scope: Mapping[str, Any]) -> None:
        self._scope = scope

    def __getitem__(self, name: str) -> Any:
        if name in self._scope:
            return self._scope[name]
        return getattr(builtins, name, Any)

    def __iter__(self) -> Any:
        return iter(self._scope)

    def __len__(self) -> int:
        return len(self._scope)
