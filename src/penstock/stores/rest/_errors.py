"""Errors over HTTP: the same class with the same sentences comes out at the client."""

from collections.abc import Mapping
from typing import Any

from penstock.core import GateResult, ParameterError, PenstockError, StoreError
from penstock.stores._json import read_plain, write_plain
from penstock.stores.rest._wire import wire_of

_GATES = "gates"  # of a GateError: the gates that did not pass
_GATE_FORM = wire_of(tuple[GateResult, ...])


def error_to_json(error: PenstockError) -> dict[str, Any]:
    """Return an error as plain JSON, with its class and the values at fault.

    >>> error_to_json(StoreError(what="Disk is full.", path="/data"))["type"]
    'StoreError'
    """
    return {"type": type(error).__name__, **error.to_json(), "values": _values(error.values)}


def error_from_json(document: Mapping[str, Any]) -> PenstockError:
    """Return the error that `error_to_json` wrote; an unknown class becomes a StoreError.

    >>> repr(error_from_json({"type": "ConflictError", "what": "It moved.", "why": "", "fix": ""}))
    "ConflictError('It moved.', '', '')"
    """
    kind = _classes().get(str(document.get("type")), StoreError)
    error = kind.__new__(kind)  # a subclass may have another constructor
    sentences = [str(document.get(name) or "") for name in ("what", "why", "fix")]
    PenstockError.__init__(error, *sentences, **_safe(document.get("values")))
    return error


def _classes() -> dict[str, type[PenstockError]]:
    found, waiting = dict[str, type[PenstockError]](), [PenstockError]
    while waiting:
        kind = waiting.pop()
        found.setdefault(kind.__name__, kind)
        waiting += kind.__subclasses__()
    return found


def _values(values: Mapping[str, Any]) -> dict[str, Any]:
    written = {}
    for name, value in values.items():
        try:
            written[name] = _write(name, value)
        except TypeError:
            written[name] = str(value)
    return written


def _write(name: str, value: Any) -> Any:
    is_gates = (
        name == _GATES
        and isinstance(value, list | tuple)
        and all(type(each) is GateResult for each in value)
    )
    return _GATE_FORM.write(tuple(value)) if is_gates else write_plain(value)


def _read(name: str, value: Any) -> Any:
    if name == _GATES and isinstance(value, list) and all(type(each) is dict for each in value):
        return _GATE_FORM.read(value, name)
    return read_plain(value)


def _safe(values: Any) -> dict[str, Any]:
    if not isinstance(values, dict):
        return {}
    reserved = {"what", "why", "fix", "values", "self"}
    try:
        return {
            name: _read(name, value)
            for name, value in values.items()
            if name not in reserved and name.isidentifier() and not hasattr(PenstockError, name)
        }
    except ParameterError:
        return {}
