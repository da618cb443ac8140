"""The step key: equal keys give equal results, and its parts explain a hit or a miss."""

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from penstock.core import NotFoundError, SerializationError, digest_json, short
from penstock.pipelines import Graph, Node, Output, Step
from penstock.provenance import CodeDigest, code_digest
from penstock.stores import Store

_FROM_STEP = "output"
_PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"


@dataclass(frozen=True, slots=True)
class StepKey:
    """A step's key with what it is made of.

    Args:
        digest: The key.
        parts: ``code``, ``python``, constant ``arguments``, and ``code_parts`` (shortened: they are
            told, not looked up). Inputs and seed count too; the step's record has them.
        complete: False if something that the result depends on has no digest: never reused.
        cacheable: True if another run may reuse the result.
    """

    digest: str
    parts: Mapping[str, Any]
    complete: bool
    cacheable: bool


class KeyMaker:
    """Makes the keys of one graph; each function's code is digested once.

    Args:
        store: Digests constants that are tables, arrays or models.
        graph: The traced graph.
        project: The folder that the user's code is in.
    """

    def __init__(self, store: Store, graph: Graph, project: Path) -> None:
        self._store, self._graph, self._project = store, graph, project
        self._code: dict[Any, CodeDigest] = {}
        self._classes: dict[str, dict[str, str]] = {}

    def make(self, node: Node, inputs: Mapping[str, str], seed: int) -> StepKey:
        """Make the key of a step.

        Args:
            node: The step's node.
            inputs: Content digest by path of every output that it takes.
            seed: Its seed.

        Raises:
            PenstockError: If a source in its arguments cannot tell its state (a missing file).
        """
        code = self._code_of(node.step)
        constants = _Constants(self, _global_sources(node.step))
        arguments = {name: constants.digest(value, name) for name, value in node.arguments.items()}
        sources = {name: constants.digest(value, name) for name, value in constants.globals.items()}
        inherited = self._inherited_classes(node)
        parts: dict[str, Any] = {
            "code": code.digest,
            "arguments": arguments,
            "inputs": dict(inputs),
            "seed": seed,
            "python": _PYTHON,
        }
        if sources:
            parts["sources"] = sources
        if inherited:
            parts["classes"] = digest_json(inherited)
        if node.is_expanded:  # the same step on the whole list is another thing
            parts["each"] = [node.each, node.by, node.at_most, [n.name for n in node.body]]
        declared = self._declared(node.step)
        if declared:
            parts["uses"] = declared
        complete = code.complete and constants.complete and (not code.unfollowed or bool(declared))
        known_source = constants.has_fingerprint or not node.step.source
        return StepKey(
            digest_json(parts),
            _told(parts, code) | ({} if complete else {"unfollowed": list(code.unfollowed)}),
            complete,
            complete and known_source and _may_be_reused(node),
        )

    def _declared(self, step: Step[..., Any]) -> dict[str, str]:
        """Digest what a step says that it uses.

        Raises:
            NotFoundError: If a file is not there.
        """
        found: dict[str, str] = {}
        for value in step.uses:
            if isinstance(value, str | Path):
                found[str(value)] = _file_digest(self._project / value, step)
            elif isinstance(value, ModuleType):
                files = _module_files(value)
                found[value.__name__] = digest_json([_file_digest(path, step) for path in files])
            else:
                found[getattr(value, "__qualname__", repr(value))] = self.code_of(value).digest
        return found

    def inherit(self, item: str, node: str) -> None:
        """Note that an item's value may hold objects of the classes that a map's inputs hold."""
        found = self._classes.get(node)
        if found:
            self._classes[item] = found

    def code_of(self, function: Any) -> CodeDigest:
        """Digest a function's code, once."""
        if function not in self._code:
            self._code[function] = code_digest(function, self._project)
        return self._code[function]

    def digest_value(self, value: Any) -> str:
        """Digest a constant by its type."""
        return self._store.digest(value)

    def _code_of(self, step: Step[..., Any]) -> CodeDigest:
        return self.code_of(step.function)

    def _inherited_classes(self, node: Node) -> dict[str, str]:
        """Give the user's classes that made the inputs: their methods travel inside the values."""
        inherited: dict[str, str] = {}
        for output in node.inputs.values():
            inherited.update(self._classes.get(output.node, {}))
        code = self._code_of(node.step)
        own = {name: code.parts[name] for name in code.classes}
        self._classes[node.name] = {**inherited, **own} if inherited or own else {}
        return inherited


class _Constants:
    """Digests the constants in one call; outputs inside containers count by their place."""

    def __init__(self, keys: KeyMaker, found: dict[str, Any]) -> None:
        self._keys = keys
        self.globals = found
        self.complete = True
        self.has_fingerprint = False

    def digest(self, value: Any, path: str) -> str:
        if isinstance(value, Output):
            return _FROM_STEP
        return digest_json(self._plain(value, path))

    def _plain(self, value: Any, path: str) -> Any:
        if isinstance(value, Output):
            return ["output", path]
        if type(value) in {list, tuple}:
            items = [self._plain(item, f"{path}[{i}]") for i, item in enumerate(value)]
            return [type(value).__name__, items]
        if type(value) is dict:
            items = [
                [self._plain(key, path), self._plain(item, f"{path}[{key}]")]
                for key, item in value.items()
            ]
            return ["dict", items]
        if isinstance(value, Path) and value.is_file():  # it stands for what is in it
            with value.open("rb") as file:
                return ["file", str(value), hashlib.file_digest(file, "sha256").hexdigest()]
        try:
            return ["value", digest_json(value)]
        except TypeError:
            return self._object(value, path)

    def _object(self, value: Any, path: str) -> list[Any]:
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        if callable(getattr(value, "fingerprint", None)) and not isinstance(value, type):
            self.has_fingerprint = True
            return ["fingerprint", kind, self._plain(value.fingerprint(), path)]
        if isinstance(value, type | Step) or hasattr(value, "__code__"):
            code = self._keys.code_of(value)
            self.complete &= code.complete
            return ["code", code.digest]
        try:
            return ["object", kind, self._keys.digest_value(value)]
        except SerializationError:
            self.complete = False
            return ["object", kind, "has no digest"]


def _file_digest(path: Path, step: Step[..., Any]) -> str:
    if path.is_dir():
        files = sorted(item for item in path.rglob("*") if item.is_file())
        listed = [[item.relative_to(path).as_posix(), _file_digest(item, step)] for item in files]
        return digest_json(listed)
    try:
        with path.open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    except OSError as error:
        raise NotFoundError(
            what=f"Step {step.name!r} says that it uses {path}, which cannot be read"
            f" ({error.strerror}).",
            why="Its result depends on that file, so it counts in the step's key.",
            fix="Correct the path in uses=…; it is relative to the project's folder.",
            path=path,
        ) from error


def _module_files(module: ModuleType) -> list[Path]:
    """Give the files of a module; of a package all that are code."""
    if hasattr(module, "__path__"):
        return sorted(path for place in module.__path__ for path in Path(place).rglob("*.py"))
    return [Path(module.__file__)] if module.__file__ else []


def _may_be_reused(node: Node) -> bool:
    """Say whether its definition lets another run reuse it; of a map, whether it does as a whole."""
    inside = all(
        _may_be_reused(inner) and not inner.step.source and inner.step.cache_for is None
        for inner in node.body
    )
    return node.step.cache and not node.step.effect and inside


def _global_sources(step: Step[..., Any]) -> dict[str, Any]:
    """Find sources that a function reads as globals of its module instead of as arguments."""
    code = getattr(step.function, "__code__", None)
    if code is None:
        return {}
    scope = step.function.__globals__
    return {
        name: scope[name]
        for name in code.co_names
        if name in scope
        and not isinstance(scope[name], type)
        and callable(getattr(scope[name], "fingerprint", None))
    }


def _told(parts: Mapping[str, Any], code: CodeDigest) -> dict[str, Any]:
    told = {name: value for name, value in parts.items() if name not in {"inputs", "seed"}}
    told["arguments"] = {
        name: short(value) for name, value in parts["arguments"].items() if value != _FROM_STEP
    }
    told["code_parts"] = {
        name: short(value) if value.startswith("sha256:") else value
        for name, value in code.parts.items()
    }
    return told
