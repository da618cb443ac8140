"""Lines of a step that can make the result differ from run to run: clocks, randomness, sets."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Dotted ends of calls whose results differ from run to run, by kind.
_CLOCKS = {"time.time", "time.time_ns", "time.monotonic", "time.perf_counter", "datetime.now",
           "datetime.utcnow", "datetime.today", "date.today", "Timestamp.now"}  # fmt: skip
_ENTROPY = {"os.urandom", "uuid.uuid1", "uuid.uuid4", "uuid1", "uuid4", "secrets.token_hex",
            "secrets.token_bytes", "secrets.randbelow", "random.SystemRandom"}  # fmt: skip
_GENERATORS = {"default_rng", "Random", "SeedSequence", "RandomState", "Generator"}
_IDENTITY = {"id", "hash", "os.getpid", "os.listdir", "glob.glob", "os.scandir"}
_MACHINE = {"os.cpu_count", "socket.gethostname", "platform.node", "getpass.getuser"}
_DURATIONS = ("time.monotonic()", "time.perf_counter()")  # of no use but to measure


def list_suspects(function: Callable[..., Any], *, root: Path | None = None) -> list[str]:
    """List lines that can make a function's result differ between two runs.

    >>> def stamp():
    ...     import time
    ...
    ...     return time.time()
    >>> "reads the clock" in list_suspects(stamp)[0]
    True

    Args:
        function: The step's function; functions of the same module that the step calls are read
            too.
        root: Folder that file names are relative to.
    """
    seen: set[str] = set()
    return list(_walk(function, root, seen))


def list_moments(function: Callable[..., Any], *, root: Path | None = None) -> list[str]:
    """List lines whose result is the same now, and may be another on another day or machine.

    >>> def today():
    ...     import datetime
    ...
    ...     return datetime.date.today()
    >>> "reads the clock" in list_moments(today)[0]
    True

    Args:
        function: The step's function.
        root: Folder that file names are relative to.
    """
    kinds = ("reads the clock", "depends on the machine")
    return [
        line
        for line in list_suspects(function, root=root)
        if any(kind in line for kind in kinds) and not any(name in line for name in _DURATIONS)
    ]


def _walk(function: Callable[..., Any], root: Path | None, seen: set[str]) -> Iterator[str]:
    function = inspect.unwrap(function)
    name = getattr(function, "__qualname__", "")
    if name in seen:
        return
    seen.add(name)
    try:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
        file = Path(inspect.getsourcefile(function) or "?")
    except (OSError, TypeError, SyntaxError):
        return
    place = file.relative_to(root) if root and file.is_relative_to(root) else file.name
    for node in ast.walk(tree):
        reason = _reason(node)
        if reason:
            yield f"{place}:{first + node.lineno - 1} {reason}"  # type: ignore[attr-defined]  # a node with a reason has a line
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            called = getattr(function, "__globals__", {}).get(node.func.id)
            if inspect.isfunction(called) and called.__module__ == function.__module__:
                yield from _walk(called, root, seen)


def _reason(node: ast.AST) -> str | None:
    if isinstance(node, ast.Call):
        return _call_reason(node)
    if isinstance(node, ast.For | ast.comprehension) and _is_set(node.iter):
        # comprehension has no line number: the iterable has.
        if isinstance(node, ast.comprehension):
            node.lineno = node.iter.lineno  # type: ignore[attr-defined]  # borrowed for the message
        return "goes through a set, whose order changes with PYTHONHASHSEED"
    return None


def _call_reason(node: ast.Call) -> str | None:
    name = ast.unparse(node.func)
    end = ".".join(name.split(".")[-2:])
    if end in _CLOCKS:
        return f"reads the clock ({name}())"
    if end in _ENTROPY or name in _ENTROPY:
        return f"draws fresh randomness ({name}())"
    if name.split(".")[-1] in _GENERATORS and not node.args and not node.keywords:
        return f"makes a generator without a seed ({name}())"
    if name in {"list", "tuple", "enumerate", "join"} and node.args and _is_set(node.args[0]):
        return "orders a set, whose order changes with PYTHONHASHSEED"
    if end in _MACHINE:
        return f"depends on the machine ({name}())"
    if end in _IDENTITY or name in _IDENTITY:
        return f"depends on the process or the folder ({name}())"
    return None


def _is_set(node: ast.AST) -> bool:
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"set", "frozenset"}
    )
