"""The walk over live objects for a step key: functions, classes, modules, values.

Each object becomes a record: the object itself, and references to the objects reached.
References are positions in the order of the walk, so a record depends on no address, hash seed,
file or process. Anything that cannot be described is named, and the walk is then not complete.
"""

import sys
from collections import deque
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType
from typing import Any

from penstock.core import digest_bytes, with_article
from penstock.provenance._bytecode import (
    code_facts,
    has_docstring,
    inner_codes,
    plain_record,
    text_digest,
)
from penstock.provenance._describe import describe
from penstock.provenance._findings import Findings, Record, Ref
from penstock.provenance._imports import Origins, is_own_class
from penstock.provenance._kinds import holds_function, is_data, is_loaded_under_its_name, shown
from penstock.provenance._loaded import file_digest, plain_code
from penstock.provenance._own import (
    find_extension,
    has_file,
)
from penstock.provenance._packages import module_version
from penstock.provenance._steady import Steady

_DOC_READERS = frozenset({"__doc__", "doctest", "getdoc", "help", "pydoc"})
_TEXT_READERS = frozenset(
    {"co_firstlineno", "co_lines", "extract_stack", "f_lineno", "getcomments", "getsource",
     "getsourcelines", "linecache", "tb_lineno"}
)  # fmt: skip
_HEX = 64
# Never change in place; classes of packages do not either.
_STEADY = frozenset({FunctionType, BuiltinFunctionType, type(Path()), date, datetime, timedelta})


class Walk:
    """The walk from any number of roots; each object is described once.

    Args:
        project: The project's folder: files are named relative to that.
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
        if self._readers & (_DOC_READERS | _TEXT_READERS):  # a file may be edited at any time
            self.steady.give_up()
        if self._readers & _TEXT_READERS:
            record.append([file_digest(file) for file in sorted(self._texts)])
        return f"sha256:{text_digest(record)}"

    def blind(self, place: str, value: Any) -> Record:
        """Record a value that cannot be described."""
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        if self.lenient:
            self._forgiven[place] = f"{with_article(type(value).__qualname__)}, which has no digest"
        else:
            self.found.blind[place] = (
                f"{with_article(type(value).__qualname__)}, which has no digest"
            )
        return ("blind", kind)

    def part(self, place: str, facts: str) -> None:
        """Record a part by which a change is reported."""
        if not self.named:
            digest = f"sha256:{facts}" if len(facts) == _HEX and facts.isalnum() else facts
            self.found.parts.setdefault(place, []).append(digest)

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
        self._note_steady(value)
        number = self.reserve(id(value), value)
        if self.lenient:
            self._loosely.add(number)
        if isinstance(value, FunctionType | type):  # long chains of calls must not be recursion
            self._waiting.append((number, value, place, self.lenient))
        else:
            self._describe(number, value, place)
        return ("#", number)

    def _note_steady(self, value: Any) -> None:
        if type(value) in _STEADY or (isinstance(value, type) and not is_own_class(value)):
            return
        if holds_function(value):
            self.steady.note_name(vars(value), "function")  # nothing else of it is read
        else:
            self.steady.note_container(value)

    def known(self, key: int | str) -> Ref | None:
        """Return the reference to an object that was reached before; None for a new object.

        Args:
            key: The object's id; of a module that is not loaded, a name.
        """
        number = self._index.get(key)
        return None if number is None else ("#", number)

    def reserve(self, key: int | str, value: Any = None) -> int:
        """Reserve the record of an object, to which objects below may refer; return the number."""
        number = len(self.records)
        self._index[key] = number
        self._alive.append(value)
        self.records.append(None)
        return number

    def note_readers(self, names: set[str]) -> None:
        """Record which of the names that code reads lead to texts, docstrings or subclasses."""
        self._readers |= names & (_DOC_READERS | _TEXT_READERS | {"__subclasses__"})

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
        self.found.merge(inner.found)
        self.steady.give_up()
        self._readers |= inner._readers
        return digest

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

    def code_place(self, function: FunctionType) -> str:
        """Return the place of a function's definition: ``file.py:name`` of the top-level name."""
        return f"{self.file_of(function)}:{function.__qualname__.partition('.')[0]}"

    def class_place(self, cls: type) -> str:
        """Return the place of a class: the file and the class name."""
        file = getattr(sys.modules.get(cls.__module__), "__file__", None)
        return f"{self.place(file) if file else cls.__module__}:{cls.__qualname__}"

    def file_of(self, function: FunctionType) -> str:
        file = function.__code__.co_filename
        if not has_file(file):
            file = function.__globals__.get("__file__") or ""
        return self.place(file) if file else str(function.__module__)

    def value_place(self, scope: Mapping[str, Any], name: str) -> str:
        scope, name = self._origins.find(scope, name)
        file = scope.get("__file__")
        return f"{self.place(file) if file else scope.get('__name__')}:{name}"

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


def _name_of(cls: type) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__
