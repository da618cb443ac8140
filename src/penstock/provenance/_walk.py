"""The walk over live objects for a step key: functions, classes, modules, values.

Each object becomes a record: the object itself, and references to the objects reached.
References are positions in the order of the walk, so a record depends on no address, hash seed,
file or process. Anything that cannot be described is named, and the walk is then not complete.
"""

import builtins
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from penstock.core import digest_bytes, digest_json
from penstock.provenance._bytecode import (
    Chain,
    Uses,
    code_facts,
    find_uses,
    has_docstring,
    inner_codes,
    plain_record,
    text_digest,
)
from penstock.provenance._computed import is_computing, lines_of
from penstock.provenance._describe import describe, is_data, is_loaded_under_its_name, shown
from penstock.provenance._frames import READS_FRAMES, words_in, words_of
from penstock.provenance._imports import Origins, absolute_name, is_own_class, project_modules
from penstock.provenance._loaded import file_code, is_late, plain_code
from penstock.provenance._own import (
    find_extension,
    find_own_file,
    has_file,
    is_own_code,
    is_own_module,
)
from penstock.provenance._packages import module_version
from penstock.provenance._steady import Steady

Record = tuple[Any, ...]
Ref = tuple[Any, ...]

_DOC_READERS = frozenset({"__doc__", "doctest", "getdoc", "help", "pydoc"})
_TEXT_READERS = frozenset(
    {"co_firstlineno", "co_lines", "extract_stack", "f_lineno", "getcomments", "getsource",
     "getsourcelines", "linecache", "tb_lineno"}
)  # fmt: skip
_LOCAL_TIME = frozenset(
    {"astimezone", "ctime", "fromtimestamp", "get_localzone", "localtime", "mktime", "now",
     "timestamp", "today", "tzlocal", "tzname"}
)  # fmt: skip
_COMMAND_LINE = frozenset({"parse_args", "parse_known_args", "parse_intermixed_args"})
_MISSING: Any = object()
_HEX = 64
_STREAMS = frozenset(("sys", name) for name in ("stdin", "stdout", "stderr"))
_INPUT, _ARGUMENTS = ("sys", "stdin"), ("sys", "argv")
_ABOUT_INPUT = frozenset({"closed", "encoding", "isatty"})
_STEADY = frozenset({FunctionType, BuiltinFunctionType})  # and classes of packages


@dataclass(slots=True)
class Findings:
    """The results of a walk, apart from the records.

    Args:
        parts: Facts by which a change is reported, by ``file.py:name``.
        versions: Versions by ``package x``, and digests of the user's compiled modules.
        blind: Places of values that cannot be described.
        unfollowed: Places of calls that run computed code.
        classes: Own classes that were reached.
        passed_on: Own functions that are used as values.
        sources: Reached objects with a ``fingerprint``, by place.
        makes_functions: True if reached code makes functions at run time.
        has_code: True if any code of the user's was reached.
    """

    parts: dict[str, list[str]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    blind: dict[str, str] = field(default_factory=dict)
    unfollowed: set[str] = field(default_factory=set)
    classes: list[type] = field(default_factory=list)
    passed_on: list[Any] = field(default_factory=list)
    sources: dict[str, Any] = field(default_factory=dict)
    makes_functions: bool = False
    has_code: bool = False


class Walk:
    """The walk from any number of roots; each object is described once.

    Args:
        project: The project's folder: files are named relative to it.
        digest_value: Digests tables, arrays and models; raises where impossible.
        named: True to name functions and classes instead of walking into them.
    """

    def __init__(
        self,
        project: Path,
        digest_value: Callable[[Any], str] | None = None,
        *,
        named: bool = False,
    ) -> None:
        self.project, self.digest_value, self.named = project, digest_value, named
        self.found = Findings()
        self.steady = Steady()
        self.records: list[Record | None] = []
        self.lenient = 0
        self._packages: set[str] = set()
        self._waiting: deque[tuple[int, Any, str, int]] = deque()
        self._loosely: set[int] = set()  # numbers of objects that were visited leniently,
        self._forgiven: dict[str, str] = {}  # and objects without a digest there
        self._index: dict[int | str, int] = {}  # by id, or by name
        self._alive: list[Any] = []  # an id is only unique while the object lives
        self._docs: list[tuple[int, Any]] = []
        self._texts: set[str] = set()
        self._readers: set[str] = set()
        self._origins = Origins()
        self._folder = str(project)

    # Results

    def digest(self, *roots: Ref) -> str:
        """Compute the digest of the walk; the roots are references that `visit` returned."""
        self._work_off()
        while self._add_subclasses():
            self._work_off()
        record: list[Any] = [roots, self.records, sorted(self.found.versions.items())]
        if self._readers & _DOC_READERS:
            record.append(self._docs)
        if self._readers & _TEXT_READERS:
            record.append([_file_digest(file) for file in sorted(self._texts)])
        return f"sha256:{text_digest(record)}"

    def blind(self, place: str, value: Any) -> Record:
        """Record a value that cannot be described."""
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        if self.lenient:
            self._forgiven[place] = f"a {type(value).__qualname__}, which has no digest"
        else:
            self.found.blind[place] = f"a {type(value).__qualname__}, which has no digest"
        return ("blind", kind)

    def part(self, place: str, facts: str) -> None:
        """Record a part by which a change is reported."""
        if not self.named:
            told = f"sha256:{facts}" if len(facts) == _HEX and facts.isalnum() else facts
            self.found.parts.setdefault(place, []).append(told)

    def value_part(self, place: str, value: Any) -> None:
        """Record the value at a place as a part, without the code that the value reaches."""
        if self.named or not is_data(value):
            return
        if plain_record(value) is not None:
            self.part(place, shown(value) or text_digest(self.visit(value, place)))
            return
        inner = Walk(self.project, self.digest_value, named=True)
        self.part(place, inner.digest(inner.visit(value, place)))

    def package(self, module: str) -> None:
        """Record the version of the package that a module belongs to."""
        if module in self._packages:
            return
        self._packages.add(module)
        compiled = find_extension(module)
        if compiled is not None:  # the user's own extension: the bytes are the code
            self.found.versions[self.place(compiled)] = digest_bytes(compiled.read_bytes())
            return
        top = module.partition(".")[0]
        if top in {"", "__main__"} or top in sys.stdlib_module_names or top.startswith("_cython"):
            return
        name, version = module_version(module)
        self.found.versions[f"package {name}"] = version

    def place(self, path: Path | str) -> str:
        """Return a file's path relative to the project."""
        return _place(str(path), self._folder)

    # Values

    def visit(self, value: Any, place: str) -> Ref:
        """Describe a value and return a reference, or the record itself of a constant."""
        if type(value) is str:
            return self._text(value)
        if type(value) is not tuple and type(value) is not frozenset:
            record = plain_record(value)
            if record is not None:
                return record
        if type(value) is tuple:
            return ("tuple", *(self.visit(item, f"{place}[{i}]") for i, item in enumerate(value)))
        known = self._index.get(id(value))
        if known is not None:
            # Reached strictly now: values without a digest that were forgiven before count after
            # all.
            if not self.lenient and known in self._loosely:
                self.found.blind.update(self._forgiven)
            return ("#", known)
        if type(value) not in _STEADY and (not isinstance(value, type) or is_own_class(value)):
            self.steady.is_possible = False
        number = len(self.records)
        self._index[id(value)] = number
        self._alive.append(value)
        self.records.append(None)
        if self.lenient:
            self._loosely.add(number)
        if isinstance(value, FunctionType | type):  # long chains of calls must not be recursion
            self._waiting.append((number, value, place, self.lenient))
        else:
            self._describe(number, value, place)
        return ("#", number)

    def _describe(self, number: int, value: Any, place: str) -> None:
        try:
            self.records[number] = describe(self, value, place)
        except Exception:  # noqa: BLE001 - foreign code; what fails here has no digest
            self.records[number] = self.blind(place, value)

    def _work_off(self) -> None:
        """Describe the functions and classes in the queue, in order of discovery."""
        before = self.lenient
        while self._waiting:
            number, value, place, self.lenient = self._waiting.popleft()
            self._describe(number, value, place)
        self.lenient = before

    def alone(self, value: Any, place: str) -> str:
        """Compute the digest of a set's member, independent of the order of visits."""
        inner = Walk(self.project, self.digest_value, named=self.named)
        inner.lenient = self.lenient
        digest = inner.digest(inner.visit(value, place))
        self._merge(inner.found)
        self.steady.is_possible = False
        self._readers |= inner._readers
        return digest

    def _merge(self, other: Findings) -> None:
        found = self.found
        for name, facts in other.parts.items():
            found.parts.setdefault(name, []).extend(facts)
        found.versions.update(other.versions)
        found.blind.update(other.blind)
        found.unfollowed |= other.unfollowed
        found.classes += other.classes
        found.passed_on += other.passed_on
        found.sources.update(other.sources)
        found.makes_functions |= other.makes_functions
        found.has_code |= other.has_code

    def _text(self, text: str) -> Record:
        """Return the record of a text without the project's folder: checkouts must be equal."""
        folder = self._folder
        if folder in text:
            plain = text.replace(f"{folder}/", "<project>/")
            plain = "<project>" if plain == folder else plain
            if plain != text:
                return ("place", *(plain_record(plain) or ()))
        return plain_record(text) or ()

    # Code

    def function(self, function: FunctionType) -> Record:
        """Return the record of a function: code, carried values, and the names that are read."""
        code = function.__code__
        if not is_own_code(code.co_filename):
            return self._installed_function(function)
        if self.named:
            return ("function", self.code_place(function), function.__qualname__)
        self.steady.note_function(function)
        return (
            "function",
            self.code(code, self.code_place(function)),
            *self._carried(function, f"{self._file(function)}:{function.__qualname__}"),
            self.names(code, function.__globals__, self._cells(function)),
            self._annotations(function),
        )

    def code(self, code: CodeType, place: str) -> str:
        """Compute the digest of a code object without formatting, and record the part."""
        plain = plain_code(code)
        facts = code_facts(plain)
        self.part(place, facts)
        self.found.has_code = True
        inner = list(inner_codes(code))
        names = {item.co_name for item in inner[1:]}
        self.found.makes_functions |= any(n == "<lambda>" or n.isidentifier() for n in names)
        docs = [item.co_consts[0] for item in inner if has_docstring(item)]
        self._docs.append((len(self.records), docs))
        self._texts.add(code.co_filename)
        return facts

    def names(self, code: CodeType, scope: Mapping[str, Any], cells: Mapping[str, Any]) -> Record:
        """Return the record of the current objects of the names that a code object reads."""
        uses = find_uses(code)
        self._readers |= uses.names & (_DOC_READERS | _TEXT_READERS | {"__subclasses__"})
        if uses.names & _LOCAL_TIME:  # read by the system's library, out of our sight
            self.found.versions["time zone"] = f"{'/'.join(time.tzname)} {-time.timezone:+d} s"
        if uses.names & _COMMAND_LINE:  # read by argparse
            self.found.versions["command line"] = digest_json(list(sys.argv[1:]))[-12:]
        edges: list[Any] = []
        for name in sorted(uses.globals):
            edges += self._of_global(name, code, scope, uses)
        # A closure may hold a module, whose attributes count singly.
        for name in sorted(uses.locals.keys() & cells.keys()):
            if isinstance(cells[name], ModuleType):
                for chain in sorted(uses.locals[name]):
                    edges.append((name, chain, self.along(cells[name], chain, name)))
        edges += self._imported(code, scope, uses)
        if uses.names & READS_FRAMES:
            edges += self._read_by_frames(code, scope)
        # Code that reads its own namespace may use any name in it.
        if "globals" in uses.globals or uses.names & {"f_globals", "_getframe", "currentframe"}:
            edges.append(("globals", self.whole(scope)))
        for line, name in uses.computed:
            self.found.unfollowed.add(f"{self.place(code.co_filename)}:{line}: {name}")
        return tuple(edges)

    def _of_global(
        self, name: str, code: CodeType, scope: Mapping[str, Any], uses: Uses
    ) -> list[Any]:
        self.steady.note_name(scope, name)
        value = scope.get(name, getattr(builtins, name, _MISSING))
        if value is _MISSING:
            return []
        if is_computing(name, value):
            self._note_computing(code, name)
            return []
        if name not in scope and not _is_own_value(value):
            return [(name, "of", "builtins")]  # Ray puts its own print there
        edges = self._edges(scope, name, value, uses.globals[name])
        self._note_passed_on(name, value, uses)
        return list(edges)

    def along(self, value: Any, chain: Chain, place: str) -> Ref:
        """Return the record of the object at the end of a value's attribute chain."""
        if not isinstance(value, ModuleType):
            self.value_part(place, value)
            return self.visit(value, place)
        if not is_own_module(value):
            return self._along_installed(value, chain, place)
        file = getattr(value, "__file__", None)
        # Imported by a step: other processes may not have it loaded, so the file counts.
        if file and is_late(file):
            return self.unloaded(value.__name__)
        if not chain or chain[0] == "__dict__":
            return self.whole(vars(value))
        name, rest = chain[0], chain[1:]
        submodule = f"{value.__name__}.{name}"
        self.steady.note_name(vars(value), name)
        if name in vars(value):
            return self.along(vars(value)[name], rest, self._value_place(vars(value), name))
        if submodule in sys.modules:
            return self.along(sys.modules[submodule], rest, submodule)
        if find_own_file(submodule):
            return self.unloaded(submodule)
        return self.whole(vars(value)) if "__getattr__" in vars(value) else ("missing", name)

    def whole(self, scope: Mapping[str, Any]) -> Ref:
        """Return the record of everything that a module holds: the used parts are unknown."""
        self.steady.is_possible = False
        known = self._index.get(id(scope))
        if known is not None:
            return ("#", known)
        number = len(self.records)
        self._index[id(scope)] = number
        self._alive.append(scope)
        self.records.append(None)
        names = sorted(n for n in scope if n == "__getattr__" or not n.startswith("__"))
        edges = [(n, self.along(scope[n], (), self._value_place(scope, n))) for n in names]
        self.records[number] = ("module", *edges)
        return ("#", number)

    def unloaded(self, name: str) -> Ref:
        """Return the record of a user's module that steps import when they run: the whole file."""
        self.steady.is_possible = False
        key = f"unloaded {name}"
        if key in self._index:
            return ("#", self._index[key])
        file = find_own_file(name)
        code = file_code(str(file)) if file else None
        if file is None:
            self.package(name)
            return ("module", name)
        self._index[key] = len(self.records)
        number = len(self.records)
        self.records.append(None)
        if code is None:
            self.records[number] = ("file", _file_digest(str(file)))
            self.part(self.place(file), _file_digest(str(file)))
            return ("#", number)
        package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        parent = name.rpartition(".")[0]
        # Importing a submodule runs the packages above it first.
        above = (self.unloaded(parent),) if parent and parent not in sys.modules else ()
        scope = {"__name__": name, "__package__": package, "__file__": str(file)}
        facts = self.code(code, f"{self.place(file)}:(whole file)")
        inside = self._imported(code, scope, find_uses(code))
        self.records[number] = ("unloaded", facts, above, *inside)
        return ("#", number)

    # Names

    def code_place(self, function: FunctionType) -> str:
        """Return the place of a function's definition: ``file.py:name`` of the top-level name."""
        return f"{self._file(function)}:{function.__qualname__.partition('.')[0]}"

    def class_place(self, cls: type) -> str:
        """Return the place of a class: the file and the class name."""
        file = getattr(sys.modules.get(cls.__module__), "__file__", None)
        return f"{self.place(file) if file else cls.__module__}:{cls.__qualname__}"

    def _file(self, function: FunctionType) -> str:
        file = function.__code__.co_filename
        if not has_file(file):
            file = function.__globals__.get("__file__") or ""
        return self.place(file) if file else str(function.__module__)

    def _value_place(self, scope: Mapping[str, Any], name: str) -> str:
        scope, name = self._origins.find(scope, name)
        file = scope.get("__file__")
        return f"{self.place(file) if file else scope.get('__name__')}:{name}"

    def _edges(
        self, scope: Mapping[str, Any], name: str, value: Any, chains: set[Chain]
    ) -> Iterator[Any]:
        if value is sys.modules:
            yield (name, self.all_modules())
            return
        if not isinstance(value, ModuleType):
            chains = {()}
        for chain in sorted(chains):
            yield (name, chain, self.along(value, chain, self._value_place(scope, name)))

    def all_modules(self) -> Ref:
        """Return the record of all loaded project modules: a computed name may mean any."""
        return ("modules", *(self.whole(vars(module)) for module in project_modules(self.project)))

    def _note_passed_on(self, name: str, value: Any, uses: Uses) -> None:
        if name in uses.values and isinstance(value, FunctionType):
            self.found.passed_on.append(value)

    def _note_computing(self, code: CodeType, name: str) -> None:
        for line in lines_of(code, name):
            self.found.unfollowed.add(f"{self.place(code.co_filename)}:{line}: {name}")

    def _along_installed(self, module: ModuleType, chain: Chain, place: str) -> Ref:
        """Return the record of a package's attribute: the name, and any patch by the user.

        The name is the same whether a submodule is loaded by now or not.
        """
        named = ("of", module.__name__, *chain)
        value: Any = module
        while chain and isinstance(value, ModuleType) and not is_own_module(value):
            module, name, chain = value, chain[0], chain[1:]
            self.steady.note_name(vars(module), name)
            value = vars(module).get(name, _MISSING)
            if is_computing(name, value):
                self.found.unfollowed.add(f"{place}: {module.__name__}.{name}")
        self.package(module.__name__)
        if isinstance(value, ModuleType):
            return (*named, self.along(value, chain, place)) if is_own_module(value) else named
        if named[1:3] == _INPUT and (len(named) == len(_INPUT) + 1 or named[3] not in _ABOUT_INPUT):
            self.blind("sys.stdin", value)  # input from there is not observed
        if value is _MISSING or named[1:3] in _STREAMS:  # each runner has its own
            return named
        if value is sys.modules:
            return (*named, self.all_modules())
        is_told = plain_record(value) is not None or named[1:] == _ARGUMENTS
        if is_told or _is_own_value(value):
            return (*named, self.visit(value, ".".join(named[1:])))
        return (*named, *self._replaced(value, named[-1 - len(chain)], chain, place))

    def _replaced(self, value: Any, name: str, chain: Chain, place: str) -> Record:
        """Return the record of a package's object with a replaced name or class member."""
        patched = _class_member(value, chain)
        if _is_own_value(patched):
            self.steady.is_possible = False
            return (chain[0], self.visit(patched, place))
        if isinstance(value, FunctionType | type) and value.__name__ != name:
            return (value.__module__, value.__qualname__)
        return ()

    def _imported(self, code: CodeType, scope: Mapping[str, Any], uses: Uses) -> list[Any]:
        """Return the records of imports inside of a function, and of calls of import_module."""
        edges: list[Any] = []
        for use in uses.imports:
            name = absolute_name(use.module, use.level, scope)
            if use.names and use.names != ("*",):
                pairs = zip(use.names, use.bound, strict=False)
                edges += [(name, n, self._taken(name, n, uses.locals.get(b))) for n, b in pairs]
            elif not use.names and len(use.bound) == 1:
                is_top = use.bound[0] == name.partition(".")[0]
                chains = uses.locals.get(use.bound[0]) or uses.globals.get(use.bound[0]) or {()}
                chains = chains | (
                    {tuple(name.split(".")[1:])} if is_top and "." in name else set()
                )
                base = name.partition(".")[0] if is_top else name
                for chain in sorted(chains):
                    edges.append((name, chain, self._of_module(base, chain, code)))
            else:
                edges.append((name, self._of_module(name, (), code)))
        edges += [(name, self._of_module(name, (), code)) for name in sorted(uses.imported)]
        return edges

    def _of_module(self, name: str, chain: Chain, code: CodeType) -> Ref:
        module = sys.modules.get(name)
        if module is not None and chain and is_computing(chain[-1], _attribute(module, chain)):
            self._note_computing(code, chain[-1])
            return ("of", name, *chain)
        files = [name, *(".".join((name, *chain[: i + 1])) for i in range(len(chain)))]
        if module is not None and is_own_module(module):
            return self.along(module, chain, name)
        own = [] if module is not None else [each for each in files if find_own_file(each)]
        if own:
            return ("parts", *(self.unloaded(each) for each in own))
        return self._of_package(name, chain)

    def _of_package(self, name: str, chain: Chain) -> Ref:
        """Return the record of a function's import of a package: equal whether loaded or not."""
        self.package(name)
        value = _attribute(sys.modules.get(name), chain)
        patch = (self.visit(value, name),) if _is_own_value(value) else ()
        return ("of", name, *chain, *patch)

    def _taken(self, module: str, name: str, chains: set[Chain] | None) -> Ref:
        loaded = sys.modules.get(module)
        submodule = f"{module}.{name}"
        if loaded is None:
            own = [each for each in (module, submodule) if find_own_file(each)]
            if own:
                return ("parts", *(self.unloaded(each) for each in own))
        if loaded is None or not is_own_module(loaded):
            return self._of_package(module, (name,))
        refs = [self.along(loaded, (name, *chain), module) for chain in sorted(chains or {()})]
        return ("taken", *refs)

    def _read_by_frames(self, code: CodeType, scope: Mapping[str, Any]) -> list[Any]:
        """Return the record of the names in a query's text: tables and constants of the module."""
        words = words_of(code, scope)
        edges: list[Any] = []
        for name in sorted(scope):
            is_named = name in words
            if not is_named and (name.startswith("__") or not is_data(scope[name])):
                continue
            self.lenient += not is_named  # unnamed values without a digest are ignored
            edges.append((name, self.along(scope[name], (), self._value_place(scope, name))))
            self.lenient -= not is_named
        return edges

    def _carried(self, function: FunctionType, place: str) -> Record:
        """Return the record of defaults, closure cells and attributes."""
        code = function.__code__
        positional = code.co_varnames[: code.co_argcount]
        defaults = function.__defaults__ or ()
        keyed = dict(zip(positional[len(positional) - len(defaults) :], defaults, strict=True))
        keyed |= function.__kwdefaults__ or {}
        for name, value in keyed.items():
            self.value_part(f"{place} default {name}", value)
        for name, value in self._cells(function).items():
            self.value_part(f"{place} cell {name}", value)
        uses = find_uses(code)
        return (
            [(n, self.visit(v, f"{place} default {n}")) for n, v in keyed.items()],
            [
                (n, self.visit(v, f"{place} cell {n}"))
                for n, v in self._cells(function).items()
                if not isinstance(v, ModuleType) or () in uses.locals.get(n, set())
            ],
            [(n, self.visit(v, f"{place}.{n}")) for n, v in function.__dict__.items()],
        )

    def _cells(self, function: FunctionType) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ):
            try:
                found[name] = cell.cell_contents
            except ValueError:  # not yet filled
                continue
        return found

    def _annotations(self, function: FunctionType) -> Record:
        """Return the record of annotations: dataclasses, penstock and more read them when run."""
        scope = function.__globals__
        self.lenient += 1
        try:
            return tuple(self._annotation(n, h, scope) for n, h in _hints(function).items())
        finally:
            self.lenient -= 1

    def _annotation(self, name: str, hint: Any, scope: Mapping[str, Any]) -> Record:
        if isinstance(hint, str):
            named = [w for w in words_in(hint) if w in scope and isinstance(scope[w], type)]
            return (name, hint, *(self.visit(scope[word], word) for word in named))
        return (name, self.visit(hint, name))

    def _installed_function(self, function: FunctionType) -> Record:
        module = str(function.__globals__.get("__name__", ""))
        self.package(module)
        record = ("installed", module, function.__code__.co_qualname, function.__qualname__)
        if self.named or (module == function.__module__ and is_loaded_under_its_name(function)):
            return record
        self.steady.is_possible = False
        skipped = {"cache_token", "dispatch_cache"} if module == "functools" else set()
        place = f"{module}:{function.__qualname__}"
        return (
            *record,
            [self.visit(v, place) for v in function.__defaults__ or ()],
            [(n, self.visit(v, place)) for n, v in (function.__kwdefaults__ or {}).items()],
            [
                (n, self.visit(v, f"{place} cell {n}"))
                for n, v in self._cells(function).items()
                if n not in skipped
            ],
            [(n, self.visit(v, f"{place}.{n}")) for n, v in function.__dict__.items()],
        )

    def _add_subclasses(self) -> bool:
        """Visit every class's subclasses if reached code reads them; return whether any are new."""
        if "__subclasses__" not in self._readers:
            return False
        for cls in list(self.found.classes):
            every: list[type] = type.__subclasses__(cls)
            below = [each for each in every if is_loaded_under_its_name(each)]
            for subclass in sorted(below, key=_name_of):
                self.visit(subclass, subclass.__qualname__)
        return bool(self._waiting)

    def documented(self, text: str | None) -> None:
        """Record a docstring, which counts if reached code can read docstrings."""
        self._docs.append((len(self.records), text))


@lru_cache(maxsize=4096)
def _place(file: str, project: str) -> str:
    for path, folder in (
        (Path(file), Path(project)),
        (Path(file).resolve(), Path(project).resolve()),
    ):
        if path.is_relative_to(folder):
            return path.relative_to(folder).as_posix()
    return Path(file).name


def _hints(function: FunctionType) -> dict[str, Any]:
    try:
        return dict(function.__annotations__)
    except Exception:  # noqa: BLE001 - from Python 3.14 on they are evaluated here
        return {}


def _name_of(cls: type) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__


def _class_member(value: Any, chain: Chain) -> Any:
    """Return the class member of a given name in an installed class: may be a user's patch."""
    if not isinstance(value, type) or not chain:
        return None
    return next((vars(cls)[chain[0]] for cls in value.__mro__ if chain[0] in vars(cls)), None)


def _is_own_value(value: Any) -> bool:
    bound = isinstance(value, MethodType | classmethod | staticmethod)
    function = value.__func__ if bound else value
    if isinstance(function, FunctionType):
        return is_own_code(function.__code__.co_filename)
    if isinstance(value, type):
        return is_own_class(value)
    return value is not None and is_own_class(type(value))


def _is_installed(name: str) -> bool:
    """Return whether a module is not the user's; Python modules that a run sets up are skipped."""
    top = name.partition(".")[0]
    if top in {"__main__", "sys", "os", "builtins"}:
        return False
    return find_own_file(name) is None and find_extension(name) is None


def _is_patched(module: ModuleType | None, chain: Chain) -> bool:
    """Return whether an installed module contains an object of the user's."""
    if module is None:
        return False
    found = [_attribute(module, chain[:end]) for end in range(1, len(chain) + 1)]
    members = [_class_member(value, chain[end:]) for end, value in enumerate(found, 1)]
    return any(_is_own_value(value) for value in (*found, *members))


def _attribute(value: Any, chain: Chain) -> Any:
    for name in chain:
        value = vars(value).get(name) if isinstance(value, ModuleType) else None
    return value


def _file_digest(file: str) -> str:
    try:
        return digest_bytes(Path(file).read_bytes())
    except OSError:
        return "gone"
