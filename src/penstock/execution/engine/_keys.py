"""The step key: equal keys give equal results, and the parts of a key explain a hit or a miss."""

import hashlib
import locale
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from penstock.core import NotFoundError, digest_bytes, digest_json, short
from penstock.pipelines import Graph, Node, Output, Pipeline, Step
from penstock.provenance import CodeDigest, code_digest, effects_digest, value_digest
from penstock.stores import Store, dump_json

_FROM_STEP = "output"
_PLAIN = frozenset({type(None), bool, int, float, str, bytes})
# A long list of only plain values is digested as a single text.
_LONG = 1_000
_FLAT = frozenset({type(None), bool, int, float, str})
_PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"


@dataclass(frozen=True, slots=True)
class StepKey:
    """A step's key with the parts of which the key is computed.

    Args:
        digest: The key.
        parts: ``code``, ``python``, constant ``arguments``, and ``code_parts`` (digests shortened:
            these are displayed, not looked up). Inputs and seed count too; the step's record has
            them.
        complete: False if something that the result depends on has no digest: never reused.
        cacheable: True if a later run may reuse the result.
    """

    digest: str
    parts: Mapping[str, Any]
    complete: bool
    cacheable: bool


class KeyMaker:
    """Factory of a graph's step keys; each function's code is digested once while no step runs.

    Args:
        store: Computes digests of constants that are tables, arrays or estimators.
        graph: The traced graph.
        project: Folder of the user's code.
        pipeline: The pipeline: effects of the module's imports count too.
    """

    def __init__(
        self,
        store: Store,
        graph: Graph,
        project: Path,
        pipeline: Pipeline[..., Any] | None = None,
    ) -> None:
        self._store, self._graph, self._project = store, graph, project
        self._pipeline = pipeline
        self._code: dict[Any, CodeDigest] = {}
        self._checked: set[Any] = set()  # functions whose digest holds until a step runs
        self._carried: dict[str, frozenset[str]] = {}
        self._shown_parts: dict[str, tuple[CodeDigest, dict[str, str]]] = {}

    def make(self, node: Node, inputs: Mapping[str, str], seed: int) -> StepKey:
        """Compute the key of a step.

        Args:
            node: Node of the step.
            inputs: Content digest by path of every output that the step takes.
            seed: Seed of the step.

        Raises:
            PenstockError: If the state of a source in the arguments cannot be read (a missing
                file).
        """
        code = self.code_of(node.step.function)
        constants = _Constants(self)
        arguments = {name: constants.digest(value, name) for name, value in node.arguments.items()}
        sources = {name: constants.digest(value, name) for name, value in code.sources.items()}
        carried = self._carried_into(node, code, constants.carried)
        parts: dict[str, Any] = {
            "code": code.digest,
            "arguments": arguments,
            "inputs": dict(inputs),
            "seed": seed,
            "python": _PYTHON,
        }
        encoding = locale.getpreferredencoding(do_setlocale=False).lower()
        if encoding != "utf-8":  # the encoding with which `open` reads and writes text
            parts["encoding"] = encoding
        if self._effects.parts:
            parts["effects"] = self._effects.digest
        if sources:
            parts["sources"] = sources
        if carried:
            parts["classes"] = digest_json(sorted(carried))
        if node.is_expanded:  # the same step on the whole list gives a different result
            parts["each"] = [node.each, node.by, node.at_most, [n.name for n in node.body]]
        declared = self._declared(node.step)
        if declared:
            parts["uses"] = declared
        unfollowed = {*code.unfollowed, *constants.unfollowed}
        complete = code.complete and constants.complete and (not unfollowed or bool(declared))
        known_source = constants.has_fingerprint or not node.step.source
        told = _told(parts, self._shown(code, constants.parts))
        return StepKey(
            digest_json(parts),
            told | ({} if complete else {"unfollowed": sorted(unfollowed)}),
            complete,
            complete and known_source and _may_be_reused(node),
        )

    def _shown(self, code: CodeDigest, constants: Mapping[str, str]) -> Mapping[str, str]:
        """Return the parts of the code's digest in display form; computed once for each digest."""
        if constants:
            return _shortened({**self._effects.parts, **constants, **code.parts})
        found = self._shown_parts.get(code.digest)
        if found is None or found[0] is not code:
            found = code, _shortened({**self._effects.parts, **code.parts})
            self._shown_parts[code.digest] = found
        return found[1]

    def forget(self) -> None:
        """Require that functions' digests are checked again: a step is about to run here."""
        self._checked.clear()

    @cached_property
    def _effects(self) -> CodeDigest:
        """Digest of the effects that importing the pipeline's modules had on loaded modules."""
        steps = [node.step.function for node in _all_nodes(self._graph.nodes)]
        functions = steps if self._pipeline is None else [*steps, self._pipeline.function]
        modules = {str(getattr(function, "__module__", None)) for function in functions}
        return effects_digest(modules, self._project, self._store.digest)

    def _declared(self, step: Step[..., Any]) -> dict[str, str]:
        """Compute the digests of a step's declared ``uses``.

        Raises:
            NotFoundError: If a file does not exist.
        """
        found: dict[str, str] = {}
        for value in step.uses:
            if isinstance(value, str | Path):
                found[str(value)] = _file_digest(self._project / value, step)
            elif isinstance(value, ModuleType):
                files = _module_files(value)
                found[value.__name__] = digest_json([_file_digest(path, step) for path in files])
            else:
                name = getattr(value, "__qualname__", type(value).__qualname__)
                found[name] = self.value(value, name).digest
        return found

    def inherit(self, item: str, node: str) -> None:
        """Record that an item's value may hold the code that a map's inputs hold."""
        found = self._carried.get(node)
        if found:
            self._carried[item] = found

    def code_of(self, function: Any) -> CodeDigest:
        """Compute the digest of a function's code, once until a step runs."""
        found = self._code.get(function)
        if found is None or (function not in self._checked and not found.holds()):
            found = code_digest(function, self._project, self._store.digest)
            self._code[function] = found
        self._checked.add(function)
        return found

    def value(self, value: Any, place: str) -> CodeDigest:
        """Compute the digest of a constant, including code that the constant holds."""
        return value_digest(value, place, self._project, self._store.digest)

    def _carried_into(self, node: Node, code: CodeDigest, own: Iterable[str]) -> frozenset[str]:
        """Return the code that reaches a node inside inputs, and record the code passed on.

        A value may hold objects of the user's classes and functions: these are stored by name, so
        the value's digest does not cover their code.
        """
        carried = frozenset[str]().union(
            *(self._carried.get(output.node, ()) for output in node.inputs.values())
        )
        added = {digest for digest in (code.carried, *own) if digest is not None}
        self._carried[node.name] = carried | added
        return carried


class _Constants:
    """Digests of the constants of a call; outputs inside containers count by position."""

    def __init__(self, keys: KeyMaker) -> None:
        self._keys = keys
        self.complete = True
        self.has_fingerprint = False
        self.parts: dict[str, str] = {}
        self.carried: set[str] = set()
        self.unfollowed: set[str] = set()

    def digest(self, value: Any, path: str) -> str:
        if isinstance(value, Output):
            return _FROM_STEP
        return digest_json(self._plain(value, path))

    def _plain(self, value: Any, path: str) -> Any:
        if type(value) in _PLAIN:
            return ["value", digest_json(value)]
        if isinstance(value, Output):
            return ["output", path]
        if type(value) in {list, tuple} and value:
            if len(value) > _LONG and set(map(type, value)) <= _FLAT:
                text = dump_json(value, exact=True)
                return ["long", digest_bytes(text.encode())]
            items = [self._plain(item, f"{path}[{i}]") for i, item in enumerate(value)]
            return [type(value).__name__, items]
        if type(value) is dict and value:
            items = [
                [self._plain(key, path), self._plain(item, f"{path}[{key}]")]
                for key, item in value.items()
            ]
            return ["dict", items]
        if callable(getattr(type(value), "fingerprint", None)):
            self.has_fingerprint = True
            kind = f"{type(value).__module__}.{type(value).__qualname__}"
            return ["fingerprint", kind, self._plain(value.fingerprint(), path)]
        return self._object(value, path)

    def _object(self, value: Any, path: str) -> list[Any]:
        found = self._keys.value(value, path)
        self.complete &= found.complete
        self.parts |= found.parts
        self.unfollowed |= set(found.unfollowed)
        if found.carried is not None:
            self.carried.add(found.carried)
        return ["object", found.digest]


def _all_nodes(nodes: Iterable[Node]) -> Iterator[Node]:
    for node in nodes:
        yield node
        yield from _all_nodes(node.body)


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
    """Return the file of a module; for a package, all Python files."""
    if hasattr(module, "__path__"):
        return sorted(path for place in module.__path__ for path in Path(place).rglob("*.py"))
    return [Path(module.__file__)] if module.__file__ else []


def _may_be_reused(node: Node) -> bool:
    """Return whether a node's definition allows reuse by a later run; for a map, as a whole."""
    inside = all(
        _may_be_reused(inner) and not inner.step.source and inner.step.cache_for is None
        for inner in node.body
    )
    return node.step.cache and not node.step.effect and inside


def _told(parts: Mapping[str, Any], shown: Mapping[str, str]) -> dict[str, Any]:
    told = {name: value for name, value in parts.items() if name not in {"inputs", "seed"}}
    told["arguments"] = {
        name: short(value) for name, value in parts["arguments"].items() if value != _FROM_STEP
    }
    told["code_parts"] = shown
    return told


def _shortened(parts: Mapping[str, str]) -> dict[str, str]:
    return {
        name: short(value) if value.startswith("sha256:") else value
        for name, value in sorted(parts.items())
    }
