"""The digest of the code that a step runs: its function and all of the user's code it reaches.

Where it cannot be told which definition is reached, the whole module counts: the digest may move
without need, but it never stays when the code has changed.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from penstock.core import digest_bytes, digest_json
from penstock.provenance._bytecode import code_object_facts, global_names
from penstock.provenance._modules import (
    Definition,
    Import,
    ParsedModule,
    absolute_import,
    find_extension,
    find_own_module,
    is_own,
    parse_module,
)
from penstock.provenance._packages import package_version

# Code that looks names up while it runs can reach anything in its module.
_DYNAMIC = frozenset({"eval", "exec", "globals"})


@dataclass(frozen=True, slots=True)
class CodeDigest:
    """What code a function runs, as digests.

    Args:
        digest: One digest over all parts.
        parts: Digest by ``file.py:name`` and version by ``package numpy``.
        classes: Names of the parts that are classes: their code travels on inside values.
        complete: False if something reached cannot be digested; then nothing may be cached.
        unfollowed: Where it does what only the run knows, as ``job.py:31: exec``: what that reaches
            is not among the parts, so nothing may be cached either unless the user says what it is.
    """

    digest: str
    parts: dict[str, str]
    classes: tuple[str, ...] = ()
    complete: bool = True
    unfollowed: tuple[str, ...] = ()


def code_digest(function: Callable[..., Any], project: Path) -> CodeDigest:
    """Digest a function's code and all of the user's code that it reaches.

    >>> import json
    >>> "package penstock" in code_digest(code_digest, Path.cwd()).parts
    True

    Args:
        function: The step's function.
        project: The project's folder; files are named relative to it.
    """
    walk = _Walk(project)
    walk.add_function(function)
    parts = dict(sorted(walk.parts.items()))
    return CodeDigest(
        digest_json(parts),
        parts,
        tuple(sorted(walk.classes)),
        walk.complete,
        tuple(sorted(walk.unfollowed)),
    )


class _Walk:
    """Collects the parts; a name is visited once."""

    def __init__(self, project: Path) -> None:
        self.parts: dict[str, str] = {}
        self.classes: set[str] = set()
        self.complete = True
        self.unfollowed: set[str] = set()
        self._project = project
        self._seen: set[object] = set()

    def add_function(self, function: Any) -> None:
        function = getattr(function, "__wrapped__", function)
        function = getattr(function, "function", function)  # a Step carries its function
        if function in self._seen:
            return
        self._seen.add(function)
        code = getattr(function, "__code__", None)
        if code is None:
            self._add_named(function)
            return
        self._add_bound_values(function)
        path = Path(code.co_filename)
        if is_own(path):
            module = parse_module(function.__module__, path)
            name = function.__qualname__.partition(".")[0]
            self._add_name(module, name if name in module.definitions else None)
        elif path.is_file():
            self._add_named(function)
        else:  # a notebook or an interpreter: there is no file to read
            self._add_live(function)

    def _add_named(self, value: Any) -> None:
        """Add something installed or built in: its name and its package's version."""
        module = getattr(value, "__module__", None) or type(value).__module__
        name = getattr(value, "__qualname__", None)
        if name is None:
            self._add_value(f"object {type(value).__qualname__}", value)
            return
        self.parts[f"{module}:{name}"] = "installed"
        self._add_package(module)

    def _add_package(self, module: str) -> None:
        compiled = find_extension(module)
        if compiled is not None:  # the user's own extension: its bytes are its code
            self.parts[self._relative(compiled)] = digest_bytes(compiled.read_bytes())
            return
        top = module.partition(".")[0]
        if top not in sys.stdlib_module_names and top != "__main__":
            self.parts[f"package {top}"] = package_version(top) or "unknown version"

    def _add_bound_values(self, function: Any) -> None:
        """Add what a nested function carries: closure cells and defaults made while running."""
        name = function.__qualname__
        if "<locals>" not in name:
            return
        for cell_name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ):
            try:
                self._add_value(f"{name} cell {cell_name}", cell.cell_contents)
            except ValueError:  # not yet filled: a function that refers to itself
                continue
        for index, value in enumerate(function.__defaults__ or ()):
            self._add_value(f"{name} default {index}", value)
        for key, value in (function.__kwdefaults__ or {}).items():
            self._add_value(f"{name} default {key}", value)

    def _add_value(self, place: str, value: Any) -> None:
        if isinstance(value, ModuleType):
            self._add_module(Import(value.__name__))
        elif isinstance(value, FunctionType) or callable(getattr(value, "function", None)):
            self.add_function(value)
        elif isinstance(value, type):
            self._add_class(value)
        else:
            try:
                self.parts[place] = digest_json(value)
            except TypeError:
                self.parts[place] = f"a {type(value).__qualname__}, which has no digest"
                self.complete = False

    def _add_class(self, cls: type) -> None:
        path = find_own_module(cls.__module__)
        if path is not None:
            module = parse_module(cls.__module__, path)
            name = cls.__qualname__.partition(".")[0]
            self._add_name(module, name if name in module.definitions else None)
        elif cls.__module__ == "__main__":
            for name, member in vars(cls).items():
                if isinstance(member, FunctionType):
                    self.add_function(member)
                elif not name.startswith("__"):
                    self._add_value(f"{cls.__qualname__}.{name}", member)
        else:
            self._add_named(cls)

    # Files

    def _add_name(self, module: ParsedModule, name: str | None) -> None:
        """Add a definition, or with None the whole module; then what they refer to."""
        for key, definition in self._chosen(module, name):
            mark = (module.path, key)
            if mark in self._seen:
                continue
            self._seen.add(mark)
            place = f"{self._relative(module.path)}:{key}"
            if definition.nodes:
                self.parts[place] = definition.digest
            if definition.is_class:
                self.classes.add(place)
            file = self._relative(module.path)
            self.unfollowed.update(f"{file}:{line}: {what}" for line, what in definition.unfollowed)
            self._follow(module, definition)

    @staticmethod
    def _chosen(module: ParsedModule, name: str | None) -> Iterator[tuple[str, Definition]]:
        yield "(top level)", module.others
        for key, definition in module.definitions.items():
            if name is None or key == name or definition.registered:
                yield key, definition

    def _follow(self, module: ParsedModule, definition: Definition) -> None:
        inner = {
            bound: absolute_import(target, module) for bound, target in definition.imports.items()
        }
        for name, attributes in definition.references.items():
            if name in _DYNAMIC:
                self._add_name(module, None)
            if name in inner:
                self._add_import(inner[name], attributes)
            elif name in module.definitions:
                self._add_name(module, name)
            elif name in module.imports:
                self._add_import(module.imports[name], attributes)
            else:
                for star in module.stars:
                    self._add_import(Import(star, name), {None}, only_if_there=True)

    def _add_import(
        self, target: Import, attributes: set[str | None], *, only_if_there: bool = False
    ) -> None:
        if target.name is not None:
            if target not in self._seen:  # two modules may import a name from each other
                self._seen.add(target)
                self._add_imported_name(target.module, target.name, only_if_there=only_if_there)
            return
        # `import shapes` then `shapes.area`: only that name; anything else: all of it.
        names = attributes if "." not in target.module else {None}
        for name in sorted(names, key=str):
            self._add_module(target, name)

    def _add_imported_name(self, source: str, name: str, *, only_if_there: bool) -> None:
        path, submodule = find_own_module(source), f"{source}.{name}"
        module = parse_module(source, path) if path else None
        if module and name in module.definitions:
            self._add_name(module, name)
        elif module and module.imports.get(name, Import(source, name)) != Import(source, name):
            self._add_import(module.imports[name], {None})
        elif find_own_module(submodule):
            self._add_module(Import(submodule))
        elif not only_if_there:
            if module:
                self._add_name(module, None)
            else:
                self._add_package(source)

    def _add_module(self, target: Import, name: str | None = None) -> None:
        path = find_own_module(target.module)
        if path is None:
            self._add_package(target.module)
            return
        module = parse_module(target.module, path)
        if name is None or name in module.definitions:
            self._add_name(module, name)
        else:
            self._add_import(Import(target.module, name), {None})

    def _relative(self, path: Path) -> str:
        path = path.resolve()
        if path.is_relative_to(self._project):
            return path.relative_to(self._project).as_posix()
        return path.name

    # Functions without a file

    def _add_live(self, function: FunctionType) -> None:
        place = f"{function.__module__}:{function.__qualname__}"
        self.parts[place] = digest_json(code_object_facts(function.__code__))
        for name in global_names(function.__code__):
            if name in function.__globals__:
                self._add_value(f"{function.__module__}:{name}", function.__globals__[name])
