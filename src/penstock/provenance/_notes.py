"""Notes on changeable objects: how each type is checked for a change, and restored in place."""

import copy
import operator
import sys
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import GeneratorType, SimpleNamespace
from typing import Any

from penstock.provenance._own_names import is_own_module

_MAX_COPIED = 1 << 20  # bytes of an array; larger ones are watched by a checksum


# Objects of these packages are restored attribute by attribute, as those of own classes.
_PLAIN = ("sklearn.", "xgboost.", "lightgbm.", "catboost.", "torch.nn.", "torch.optim.")


@dataclass(slots=True)
class Note:
    """A changeable object: the check for a change, and the restoring call (None if impossible)."""

    place: str
    has_changed: Callable[[], bool]
    set_back: Callable[[], None] | None


NoteMaker = Callable[[str, Any], Iterator[Note]]


def is_plain(cls: type) -> bool:
    """Return whether objects of a class are nothing but their attributes."""
    if cls is SimpleNamespace or cls.__module__ == "argparse":
        return True
    if cls.__module__.startswith(_PLAIN):
        return True
    return is_own_module(cls.__module__, sys.modules.get(cls.__module__))


def slots_of(cls: type) -> Iterator[str]:
    for base in cls.__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in {"__dict__", "__weakref__"}:
                yield f"_{base.__name__.lstrip('_')}{name}" if _is_private(name) else name


def _is_private(name: str) -> bool:
    return name.startswith("__") and not name.endswith("__")


def note_of_slot(place: str, holder: Any, name: str, item: Any) -> Note:
    return Note(
        place,
        lambda: getattr(holder, name, None) is not item,
        lambda: object.__setattr__(holder, name, item),
    )


def _set_notes(place: str, value: set[Any]) -> Iterator[Note]:
    saved = set(value)

    def set_back() -> None:
        value.clear()
        value.update(saved)

    yield Note(place, lambda: value != saved, set_back)


def _deque_notes(place: str, value: deque[Any]) -> Iterator[Note]:
    saved = list(value)

    def set_back() -> None:
        value.clear()
        value.extend(saved)

    yield Note(
        place,
        lambda: len(value) != len(saved) or not all(map(operator.is_, value, saved)),
        set_back,
    )


def _bytes_notes(place: str, value: bytearray) -> Iterator[Note]:
    saved = bytes(value)

    def set_back() -> None:
        value[:] = saved

    yield Note(place, lambda: value != saved, set_back)


def _array_notes(place: str, value: Any) -> Iterator[Note]:
    if value.nbytes > _MAX_COPIED:
        checksum = _checksum(value)
        yield Note(place, lambda: _checksum(value) != checksum, None)
        return
    saved = value.tobytes()  # of objects their addresses: those that it holds live on in the copy
    copy = value.copy()

    def set_back() -> None:
        value[...] = copy

    yield Note(place, lambda: value.tobytes() != saved, set_back)


def _checksum(array: Any) -> int:
    if array.dtype.hasobject:
        return zlib.crc32(array.tobytes())  # of their addresses
    # Viewed as bytes by NumPy: a memoryview supports no times, no complex numbers, nothing empty.
    return zlib.crc32(array.ravel("K").view("u1")) if array.nbytes else 0


def _frame_notes(place: str, value: Any) -> Iterator[Note]:
    """Record a pandas table or column: the blocks, and the bytes of small blocks."""
    size = sum(getattr(block, "nbytes", 0) for block in value._mgr.arrays)  # noqa: SLF001 - as below
    saved = value.copy(deep=size < _MAX_COPIED)
    before = _frame_state(value)

    def set_back() -> None:
        object.__setattr__(value, "_mgr", saved.copy()._mgr)  # noqa: SLF001 - in place
        getattr(value, "_item_cache", {}).clear()
        nonlocal before
        before = _frame_state(value)

    yield Note(place, lambda: _frame_state(value) != before, set_back)


def _frame_state(value: Any) -> Any:
    blocks = value._mgr.arrays  # noqa: SLF001 - the only place where its columns lie
    sums = [_checksum(each) if hasattr(each, "flags") else id(each) for each in blocks]
    columns = tuple(value.columns) if value.ndim > 1 else value.name
    return (id(value._mgr), tuple(map(id, blocks)), sums, columns, id(value.index))  # noqa: SLF001 - see above


def _polars_notes(place: str, value: Any) -> Iterator[Note]:
    saved = value.clone()

    def has_changed() -> bool:
        return value.shape != saved.shape or not value.equals(saved)

    def set_back() -> None:
        value._df = saved.clone()._df  # noqa: SLF001 - in place

    yield Note(place, has_changed, set_back)


def _tensor_notes(place: str, value: Any) -> Iterator[Note]:
    if value.is_inference():  # it counts no changes, and refuses them outside of that mode
        before = value.clone()
        yield Note(place, lambda: not value.equal(before), None)
        return
    version = value._version  # noqa: SLF001 - counts changes in place
    small = value.numel() * value.element_size() <= _MAX_COPIED
    saved = value.detach().clone() if small else None

    def set_back() -> None:
        nonlocal version
        value.data.copy_(saved)
        version = value._version  # noqa: SLF001 - see above

    yield Note(place, lambda: value._version != version, set_back if small else None)  # noqa: SLF001 - see above


def _state_notes(get: str, put: str) -> Callable[[str, Any], Iterator[Note]]:
    def notes(place: str, value: Any) -> Iterator[Note]:
        saved = getattr(value, get)()
        yield Note(
            place,
            lambda: _state_text(getattr(value, get)()) != _state_text(saved),
            lambda: getattr(value, put)(saved),
        )

    return notes


def _generator_notes(place: str, value: Any) -> Iterator[Note]:
    holder = value.bit_generator
    saved = holder.state
    yield Note(
        place,
        lambda: _state_text(holder.state) != _state_text(saved),
        lambda: setattr(holder, "state", saved),
    )


def _state_text(state: Any) -> str:
    """Return a generator's state as text; arrays completely."""
    if isinstance(state, Mapping):
        return str({key: _state_text(value) for key, value in state.items()})
    if isinstance(state, tuple):
        return str([_state_text(value) for value in state])
    return str(state.tobytes() if hasattr(state, "tobytes") else state)


def note_of_count(place: str, holders: tuple[dict[Any, Any], dict[Any, Any]], key: Any) -> Note:
    """Record a counter: not restorable in place, so the name is bound to a copy."""
    held, saved = holders
    first = copy.copy(saved[key])
    state = repr(first)

    def set_back() -> None:
        held[key] = saved[key] = copy.copy(first)

    return Note(place, lambda: repr(saved[key]) != state, set_back)


def _running_notes(place: str, value: "GeneratorType[Any, Any, Any]") -> Iterator[Note]:
    at = value.gi_frame.f_lasti if value.gi_frame is not None else -1
    yield Note(
        place,
        lambda: (value.gi_frame.f_lasti if value.gi_frame is not None else -1) != at,
        None,
    )


KINDS: dict[str, "NoteMaker"] = {
    "builtins.set": _set_notes,
    "builtins.bytearray": _bytes_notes,
    "builtins.generator": _running_notes,
    "collections.deque": _deque_notes,
    "random.Random": _state_notes("getstate", "setstate"),
    "numpy.ndarray": _array_notes,
    "numpy.random.mtrand.RandomState": _state_notes("get_state", "set_state"),
    "numpy.random._generator.Generator": _generator_notes,
    "pandas.core.generic.NDFrame": _frame_notes,
    "polars.dataframe.frame.DataFrame": _polars_notes,
    "torch.Tensor": _tensor_notes,
    "torch._tensor.Tensor": _tensor_notes,
}
