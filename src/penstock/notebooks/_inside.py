"""Questions of penstock to a kernel: executed inside, between the cells; changes nothing there."""

import hashlib
import os
import random
import re
import sys
import tempfile
import types
from collections.abc import Iterable, Mapping
from typing import Any

from penstock.core import PenstockError
from penstock.provenance import FolderWatch
from penstock.stores import Store, content_digest, open_store

_HISTORY = re.compile(r"_+|_i+|_i?\d+|_[dio]h|__\w*|_exit_code")  # IPython's own names
_SEARCHED = 1_000  # items of a container
_files: list[str] = []  # opened for reading since the last question; of this kernel only
_written: list[str] = []
_native: list[
    FolderWatch
] = []  # of the kernel's folder: polars, pyarrow and programs open files too


def watch_files() -> None:
    """Begin to record the files that cells open, in the kernel's folder also those of native code."""
    sys.addaudithook(_note)
    watch = FolderWatch(lambda _: False)
    watch.add(os.getcwd())  # noqa: PTH109 - the folder as text
    watch.start()
    _native.append(watch)


def opened_files() -> dict[str, list[str]]:
    """Return the files opened since the last call: for reading, for writing."""
    for watch in _native:
        read, written = watch.collect()
        _files.extend(read)
        _written.extend(written)
        watch.start()
    files = {"read": sorted({*_files}), "written": sorted({*_written})}
    _files.clear()
    _written.clear()
    return files


def describe_values(names: Mapping[str, Any], hidden: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the value behind each of the notebook's names: digest, type, kind.

    Args:
        names: The kernel's names.
        hidden: Names that are the kernel's own.
    """
    left_out = {*hidden, "In", "Out", "exit", "quit", "get_ipython", "open"}
    return {
        name: _describe(value)
        for name, value in list(names.items())
        if not _HISTORY.fullmatch(name) and name not in left_out
    }


def generators_digest() -> str:
    """Compute the digest of the states of the global random generators."""
    whole = hashlib.sha256(repr(random.getstate()).encode())
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        whole.update(repr([str(part) for part in _numpy_state(numpy)]).encode())
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_rng_state"):
        whole.update(bytes(torch.get_rng_state().numpy().tobytes()))
    return whole.hexdigest()


def save_values(names: Mapping[str, Any], wanted: Iterable[str], url: str) -> dict[str, str]:
    """Store values for the process that asks; return their stored digests by name.

    Raises:
        PenstockError: If a value cannot be stored.
    """
    store: Store = open_store(url, create=True)
    with store:
        return {name: store.put(names[name]).digest for name in wanted}


def refused_values(names: Mapping[str, Any], hidden: Iterable[str]) -> list[str]:
    """Return the names whose values no store takes."""
    refused = []
    described = describe_values(names, hidden)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/trial.db"
        with open_store(url, create=True) as store:
            for name, facts in described.items():
                if facts["digest"] is not None and not _takes(store, names[name]):
                    refused.append(name)
    return refused


def _takes(store: Store, value: Any) -> bool:
    try:
        return not any(record.unsafe for record in store.pack(value))
    except (PenstockError, ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError,
            ValueError, OSError):  # fmt: skip  # any value of the user's
        return False


def _numpy_state(module: Any) -> tuple[Any, ...]:
    kind, keys, *rest = module.get_state()
    return (kind, keys.tobytes(), *rest)


def _describe(value: Any) -> dict[str, Any]:
    if isinstance(value, types.ModuleType):
        return {"kind": "module", "type": value.__name__, "digest": None, "own": False}
    kind = "value"
    if isinstance(value, types.FunctionType | types.BuiltinFunctionType | type):
        kind = "code"
    try:
        digest = content_digest(value) if kind == "value" else None
    except (PenstockError, ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError,
            ValueError, OSError):  # fmt: skip  # any value of the user's: it has no digest
        digest = None
    return {"kind": kind, "type": _type_name(value), "digest": digest, "own": _holds_own(value)}


def _holds_own(value: Any, depth: int = 4) -> bool:
    """Return whether a value is of a class of the notebook, or holds such: elsewhere the class is another.

    Only plain containers are searched: members of an Enum as keys, say.
    """
    if type(value).__module__ == "__main__":
        return True
    if not depth or not isinstance(value, dict | list | tuple | set | frozenset):
        return False
    items = [*value.keys(), *value.values()] if isinstance(value, dict) else list(value)
    return any(_holds_own(each, depth - 1) for each in items[:_SEARCHED])


def _type_name(value: Any) -> str:
    cls = type(value)
    return f"{_public_module(cls)}.{cls.__qualname__}"


def _public_module(cls: type) -> str:
    """Return the shortest module that exports a class: ``sklearn.ensemble``, not ``…._forest``."""
    parts = cls.__module__.split(".")
    for end in range(1, len(parts) + 1):
        module = sys.modules.get(".".join(parts[:end]))
        if module is not None and getattr(module, cls.__name__, None) is cls:
            return ".".join(parts[:end])
    return cls.__module__


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and isinstance(arguments[0], str):
        mode = str(arguments[1] or "")
        is_written = any(sign in mode for sign in "wax+") or bool((arguments[2] or 0) & 3)
        (_written if is_written else _files).append(os.path.abspath(arguments[0]))  # noqa: PTH100 - hot
    elif event == "sqlite3.connect" and isinstance(arguments[0], str):
        path = arguments[0].removeprefix("file:").partition("?")[0]
        if path and ":memory:" not in path:  # what it is asked for, nobody sees
            _written.append(os.path.abspath(path))  # noqa: PTH100 - hot
            _files.append(os.path.abspath(path))  # noqa: PTH100 - hot
