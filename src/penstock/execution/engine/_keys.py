"""The step key: equal keys give equal results, and the parts of a key explain a hit or a miss."""

import locale
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from penstock.core import digest_json, short
from penstock.distributed import TREE_VERSION
from penstock.execution.engine._constant_digests import FROM_STEP, ConstantDigests
from penstock.execution.engine._declared_uses import declared_uses
from penstock.pipelines import Graph, Node, Pipeline
from penstock.provenance import (
    CodeDigest,
    Patches,
    code_digest,
    effects_digest,
    find_patches,
    is_object_setting,
    library_setting_objects,
    library_settings,
    read_requirements,
    value_digest,
)
from penstock.stores import Store

_MOST_KNOWN = 256
# Of all runs of this process: a digest that holds costs a hundredth of a new one.
_known_code: dict[tuple[Any, Path], CodeDigest] = {}
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
        untraced: Digests of the arguments with sources whose data no trace of the step sees.
    """

    digest: str
    parts: Mapping[str, Any]
    complete: bool
    cacheable: bool
    untraced: Mapping[str, str] = field(default_factory=dict)


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
        constants = ConstantDigests(self.value, self._call(node))
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
        if self._settings:
            parts["settings"] = self._settings
        if self._effects.parts:
            parts["effects"] = self._effects.digest
        if self._patches:
            parts["patches"] = {place: each.digest for place, each in self._patches.items()}
        if sources:
            parts["sources"] = sources
        if carried:
            parts["classes"] = digest_json(sorted(carried))
        if node.is_expanded:  # the same step on the whole list gives a different result
            parts["each"] = [node.each, node.by, node.max_rounds, [n.name for n in node.body]]
        parts |= _of_workers(node)
        if node.step.environment:
            found = read_requirements(self._project, node.step.environment)
            parts["environment"] = found.digests
        declared = declared_uses(node.step, self._project, self.value)
        if declared:
            parts["uses"] = declared
        unfollowed = {*code.unfollowed, *constants.unfollowed}
        complete = code.complete and constants.complete and self._has_complete_patches
        complete = complete and (not unfollowed or bool(declared))
        known_source = (constants.has_fingerprint or not node.step.source) and (
            not constants.unknown_state
        )
        display = _display_parts(parts, self._shown(code, constants.parts))
        display |= self._untold
        return StepKey(
            digest_json(parts),
            display | ({} if complete else {"unfollowed": sorted(unfollowed)}),
            complete,
            complete and known_source and _may_be_reused(node),
            constants.untraced,
        )

    def find_changed_source(self, node: Node, key: StepKey) -> str | None:
        """Return the argument whose source's state is no longer that of the key.

        Args:
            node: Node of a step that was executed.
            key: The step's key, from before.
        """
        values = {**self.code_of(node.step.function).sources, **node.arguments}
        for name, before in key.untraced.items():
            try:
                now = ConstantDigests(self.value, self._call(node)).digest(values[name], name)
            except Exception:  # noqa: BLE001 - a source's own code; its state is unknown now
                return name
            if now != before:
                return name
        return None

    def _call(self, node: Node) -> dict[str, Any]:
        """Return the possible arguments of a source's ``fingerprint``: the call's arguments, the store."""
        return {"store": self._store, **node.arguments}

    def _shown(self, code: CodeDigest, constants: Mapping[str, str]) -> Mapping[str, str]:
        """Return the parts of the code's digest in display form; computed once for each digest."""
        if constants:
            return _shortened({**self._effects.parts, **constants, **code.parts})
        shown = self._shown_parts.get(code.digest)
        if shown is None or shown[0] is not code:
            shown = code, _shortened({**self._effects.parts, **code.parts})
            self._shown_parts[code.digest] = shown
        return shown[1]

    def forget(self) -> None:
        """Require that functions' digests are checked again: a step is about to run here."""
        self._checked.clear()

    @cached_property
    def _effects(self) -> CodeDigest:
        """Digest of the effects that importing the pipeline's modules had on loaded modules."""
        return effects_digest(self._modules, self._project, self._store.digest)

    @cached_property
    def _patches(self) -> dict[str, CodeDigest]:
        """Digests of what a notebook's cells have replaced in libraries, by place."""
        found = self._found_patches.by_place
        return {place: self.value(value, place) for place, value in sorted(found.items())}

    @cached_property
    def _has_complete_patches(self) -> bool:
        return all(each.complete for each in self._patches.values())

    @property
    def _untold(self) -> dict[str, list[str]]:
        """Statements of cells whose effect nobody can repeat; the effects have their digest."""
        untold = self._found_patches.untold
        return {"untold_patches": list(untold)} if untold else {}

    @cached_property
    def _found_patches(self) -> Patches:
        return find_patches(self._modules)

    @property
    def _modules(self) -> set[str]:
        """Names of the modules of the pipeline and the steps."""
        steps = [node.step.function for node in _all_nodes(self._graph.nodes)]
        functions = steps if self._pipeline is None else [*steps, self._pipeline.function]
        return {str(getattr(function, "__module__", None)) for function in functions}

    @cached_property
    def _settings(self) -> dict[str, Any]:
        """Settings of libraries that are not the defaults; steps are undone, so once for a run."""
        settings = library_settings()
        if any(map(is_object_setting, settings.values())):
            for name, value in library_setting_objects().items():
                settings[name] = f"object {self.value(value, name).digest}"
        return settings

    def inherit(self, item: str, node: str) -> None:
        """Record that an item's value may hold the code that a map's inputs hold."""
        classes = self._carried.get(node)
        if classes:
            self._carried[item] = classes

    def code_of(self, function: Any) -> CodeDigest:
        """Compute the digest of a function's code, once until a step runs."""
        place = (function, self._project)
        code = self._code.get(function, _known_code.get(place))
        if code is None or (function not in self._checked and not code.holds()):
            code = code_digest(function, self._project, self._store.digest)
            if code.steady.is_possible and len(_known_code) < _MOST_KNOWN:
                _known_code[place] = code
        self._code[function] = code
        self._checked.add(function)
        return code

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


def _of_workers(node: Node) -> dict[str, Any]:
    """Return the dependences of a step's result beside code: shards, or else workers."""
    step, parts = node.step, dict[str, Any]()
    if step.shards is not None:
        parts["shards"] = {"count": step.shards, "tree": TREE_VERSION, "threads": step.threads}
    elif step.workers is not None:
        parts["workers"] = {"count": step.workers, "threads": step.threads}
    if not step.deterministic:
        parts["deterministic"] = False
    return parts


def _all_nodes(nodes: Iterable[Node]) -> Iterator[Node]:
    for node in nodes:
        yield node
        yield from _all_nodes(node.body)


def _may_be_reused(node: Node) -> bool:
    """Return whether a node's definition allows reuse by a later run; for a map, as a whole."""
    inside = all(
        _may_be_reused(inner) and not inner.step.source and inner.step.cache_for is None
        for inner in node.body
    )
    return node.step.cache and not node.step.effect and inside


def _display_parts(parts: Mapping[str, Any], shown: Mapping[str, str]) -> dict[str, Any]:
    display = {name: value for name, value in parts.items() if name not in {"inputs", "seed"}}
    display["arguments"] = {
        name: short(value) for name, value in parts["arguments"].items() if value != FROM_STEP
    }
    display["code_parts"] = shown
    return display


def _shortened(parts: Mapping[str, str]) -> dict[str, str]:
    return {
        name: short(value) if value.startswith("sha256:") else value
        for name, value in sorted(parts.items())
    }
