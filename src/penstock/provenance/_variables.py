"""Environment variables, looked up without a record in the trace."""

import os

_held = os.environ._data  # type: ignore[attr-defined] # noqa: SLF001 - the look-ups of os.environ are watched


def all_variables() -> dict[str, str]:
    """Return the whole environment."""
    return {os.fsdecode(name): os.fsdecode(value) for name, value in _held.items()}


def own_variable(name: str) -> str | None:
    """Return a variable that penstock itself needs; None if unset."""
    value = _held.get(os.environ.encodekey(name))
    return None if value is None else os.fsdecode(value)
