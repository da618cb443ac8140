"""Secrets at rest that no answer has: of hooks, hashes of passwords, digests of tokens and sessions.

With a hash a password can be guessed at home, so that not even an admin reads it over HTTP: a mark
stands in its place, and the server compares (``users.is_password``, ``tokens.find``). A hook's secret
is written only: the server delivers, and nobody else has to sign.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from penstock.core import HIDDEN, HookRecord, ParameterError, SessionRecord, TokenRecord, UserRecord
from penstock.stores.rest._operations import Operation

_WITHHELD: Mapping[type, str] = {
    HookRecord: "secret",
    UserRecord: "password_hash",
    TokenRecord: "digest",
    SessionRecord: "digest",
}


def carries_secrets(operation: Operation) -> bool:
    """Return whether records with secrets are among an operation's arguments or in its result."""
    records = {kind.__name__ for kind in _WITHHELD}
    return bool(records & operation.schemas.keys()) or operation.rule.changes in _WITHHELD


def withhold(value: Any) -> Any:
    """Return a result with a mark in the place of each secret.

    >>> from penstock.core import now
    >>> withhold([UserRecord("ada", now(), password_hash="$argon2id$…")])[0].password_hash
    '***'

    Args:
        value: Result of an operation: a record, or lists, tuples and dicts of records.
    """
    if isinstance(value, list | tuple):
        return type(value)(withhold(each) for each in value)
    if isinstance(value, dict):
        return {name: withhold(each) for name, each in value.items()}
    name = _WITHHELD.get(type(value))
    if name is None or getattr(value, name) is None:
        return value
    return replace(value, **{name: HIDDEN})


def keep_secret(hook: HookRecord, known: HookRecord | None) -> HookRecord:
    """Return a hook to be saved with the secret that it has, where the mark stands for it.

    A hook that goes elsewhere than before keeps none: its receiver would read a key or a password.

    Args:
        hook: The hook as it was sent.
        known: The hook as the store has it; None if there is none of the name.
    """
    is_same = known is not None and (known.url, known.form) == (hook.url, hook.form)
    if hook.secret == HIDDEN and known is not None and is_same:
        return replace(hook, secret=known.secret)
    return hook


def require_secrets(value: Any) -> None:
    """Refuse arguments in which the mark stands for a secret: it would be stored as one.

    Args:
        value: Arguments by name, or a record among them.

    Raises:
        ParameterError: If the mark is there.
    """
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list | tuple):
            waiting += part
            continue
        named = part if isinstance(part, dict) else _secrets(part)
        waiting += [each for each in named.values() if not isinstance(each, str)]
        for name in set(_WITHHELD.values()) & named.keys():
            if named[name] == HIDDEN:
                raise ParameterError(
                    what=f"{name} is {HIDDEN}.",
                    why="A server shows this mark in the place of a secret; it is none.",
                    fix="Leave the field out, or set a new one.",
                    field=name,
                )


def _secrets(value: Any) -> dict[str, Any]:
    if not is_dataclass(value) or isinstance(value, type) or type(value) not in _WITHHELD:
        return {}
    return {each.name: getattr(value, each.name) for each in fields(value)}
