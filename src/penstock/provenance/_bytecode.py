"""Facts of a code object and of all names, without positions: base of every code digest."""

import dis
import hashlib
import inspect
import struct
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

Chain = tuple[str, ...]

_HAS_DOCSTRING = 0x4000000  # a flag of code objects from Python 3.13 on
_LONG = 64  # texts and bytes above this many characters stand in a record as their digest
_SILENT = frozenset(
    {"CACHE", "NOP", "EXTENDED_ARG", "PUSH_NULL", "PRECALL", "RESUME", "COPY_FREE_VARS"}
)
_LOCAL_LOADS = ("LOAD_FAST", "LOAD_DEREF", "LOAD_NAME", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR")
_ATTRIBUTES = frozenset({"LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR", "DELETE_ATTR"})
_REMEMBERED = 20_000  # code objects whose facts are remembered; only generated code makes more


@dataclass(frozen=True, slots=True)
class ImportUse:
    """An import statement: ``from module import names``, or ``import module`` without names.

    Args:
        module: Module as written, without the dots of a relative import.
        level: Number of dots.
        names: Names imported from the module, and ``*``.
        bound: Names that the statement binds.
    """

    module: str
    level: int
    names: tuple[str, ...]
    bound: tuple[str, ...]


@dataclass(slots=True)
class Uses:
    """Names that a code object and all nested code read.

    Args:
        globals: Chains of attributes by global name: ``np.random.normal`` is ``np`` with
            ``("random", "normal")``; the empty chain is the name by itself.
        locals: The same for locals and closure cells: any of them may hold a module.
        values: Globals that are read without being called at once: they may be passed on.
        imports: Import statements.
        imported: Modules that a call of ``import_module`` names.
        computed: Line and name of every call that runs or imports computed code.
        names: Every global, attribute and short text, to find readers of `__doc__` and the like.
        writes: Chains of globals that are assigned to, as ``("settings", "DEBUG")``.
    """

    globals: dict[str, set[Chain]] = field(default_factory=dict)
    locals: dict[str, set[Chain]] = field(default_factory=dict)
    values: set[str] = field(default_factory=set)
    imports: list[ImportUse] = field(default_factory=list)
    imported: set[str] = field(default_factory=set)
    computed: list[tuple[int, str]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    writes: set[Chain] = field(default_factory=set)


class _Memory:
    """Results by code object: two equal objects may have different names, so identity counts."""

    def __init__(self, make: Any) -> None:
        self._make = make
        self._known: dict[int, tuple[CodeType, Any]] = {}

    def __call__(self, code: CodeType) -> Any:
        known = self._known.get(id(code))
        if known is not None:
            return known[1]
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        made = self._make(code)
        self._known[id(code)] = (code, made)
        return made


def code_facts(code: CodeType) -> str:
    """Compute the digest of a code object's behaviour, independent of file, line and process.

    >>> def one():
    ...     return 1
    >>> first = code_facts(one.__code__)
    >>> def one():
    ...     # a comment
    ...     return 1
    >>> first == code_facts(one.__code__)
    True
    >>> def one():
    ...     return 1.0
    >>> first == code_facts(one.__code__)
    False
    """
    facts: str = _facts(code)
    return facts


def plain_record(value: Any) -> tuple[Any, ...] | None:
    """Return a record of a constant that differs for different values and different types.

    >>> plain_record(1) == plain_record(True)
    False
    >>> plain_record(0.0) == plain_record(-0.0)
    False

    Returns:
        Tuples, texts and numbers whose ``repr`` is the same in each process; None if the value is
        not a plain constant.
    """
    kind = type(value)
    make = _PLAIN.get(kind)
    if make is not None:
        record: tuple[Any, ...] = make(value)
        return record
    if kind is tuple:
        return _items_record("tuple", value)
    if kind is frozenset:
        items = [plain_record(item) for item in value]
        return None if None in items else ("frozenset", *sorted(map(repr, items)))
    return None


def text_digest(record: Any) -> str:
    """Compute the digest of a record: tuples, lists, texts, bytes and numbers."""
    return hashlib.sha256(repr(record).encode("utf-8", "backslashreplace")).hexdigest()


def find_uses(code: CodeType) -> Uses:
    """List the names that a code object and nested code read.

    >>> def area(r):
    ...     return math.pi * r
    >>> find_uses(area.__code__).globals
    {'math': {('pi',)}}
    """
    uses: Uses = _uses(code)
    return uses


def top_level_uses(code: CodeType) -> Uses:
    """List the names that a module's code reads on import, without those that functions read.

    Args:
        code: The module's top-level code, or the body of a class.
    """
    uses: Uses = _top_uses(code)
    return uses


def inner_codes(code: CodeType) -> Iterator[CodeType]:
    """Yield a code object and all nested code objects."""
    yield code
    for item in code.co_consts:
        if isinstance(item, CodeType):
            yield from inner_codes(item)


def _make_facts(code: CodeType) -> str:
    constants = [
        ("code", code_facts(item)) if isinstance(item, CodeType) else _constant(item)
        for item in code.co_consts
    ]
    # All that affects execution, without positions and the file's name.
    record = (
        code.co_name,
        code.co_qualname,
        (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags),
        code.co_code,
        constants,
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        code.co_cellvars,
        code.co_exceptiontable,
    )
    return text_digest(record)


def _constant(value: Any) -> tuple[Any, ...]:
    record = plain_record(value)
    if record is None:
        raise TypeError(f"{type(value).__name__} is no constant of a code object")
    return record


def _items_record(tag: str, items: Sequence[Any]) -> tuple[Any, ...] | None:
    records = [plain_record(item) for item in items]
    return None if None in records else (tag, *records)


def _float_record(value: float) -> tuple[Any, ...]:
    # Exact, with -0.0 unlike 0.0; NaNs differ by their bits.
    text = value.hex()
    return ("float", text if text != "nan" else struct.pack("<d", value))


def _text_record(value: str) -> tuple[Any, ...]:
    if len(value) <= _LONG:
        return ("str", value)
    data = value.encode("utf-8", "surrogatepass")
    return ("text", len(value), hashlib.sha256(data).hexdigest())


def _bytes_record(value: bytes) -> tuple[Any, ...]:
    if len(value) <= _LONG:
        return ("bytes", value)
    return ("data", len(value), hashlib.sha256(value).hexdigest())


_PLAIN: dict[type, Any] = {
    type(None): lambda _: ("None",),
    type(...): lambda _: ("...",),
    type(NotImplemented): lambda _: ("NotImplemented",),
    bool: lambda value: ("bool", int(value)),
    int: lambda value: ("int", value if -(1 << 63) < value < (1 << 63) else hex(value)),
    float: _float_record,
    complex: lambda value: ("complex", _float_record(value.real), _float_record(value.imag)),
    str: _text_record,
    bytes: _bytes_record,
}


class _Reader:
    """Reader of a code object's instructions that collects the uses."""

    def __init__(self, code: CodeType) -> None:
        self.uses = Uses(names={*code.co_names, *_short_texts(code)})
        self._line = code.co_firstlineno
        self._steps: list[tuple[dis.Instruction, int]] = []
        for item in dis.get_instructions(code):
            # Some instructions have no line: that of the previous instruction holds.
            self._line = _line_of(item) or self._line
            if item.opname not in _SILENT:
                self._steps.append((item, self._line))

    def read(self) -> Uses:
        position = 0
        while position < len(self._steps):
            item, line = self._steps[position]
            name = item.opname
            if name == "IMPORT_NAME":
                self._read_import(position)
            elif name.startswith("LOAD_GLOBAL"):
                position = self._read_chain(position, self.uses.globals)
                continue
            elif name.startswith(("STORE_GLOBAL", "DELETE_GLOBAL")):
                self.uses.writes.add((item.argval,))
            elif name.startswith(_LOCAL_LOADS):
                position = self._read_local(position)
                continue
            elif name in {"LOAD_ATTR", "LOAD_METHOD"} and item.argval == "import_module":
                self._read_call(position, line, item.argval)
            position += 1
        return self.uses

    def _read_local(self, position: int) -> int:
        item, _ = self._steps[position]
        if isinstance(item.argval, tuple):  # two loads in one instruction, from Python 3.13 on
            for name in item.argval:
                self.uses.locals.setdefault(name, set()).add(())
            return position + 1
        table = self.uses.locals
        if item.opname in {"LOAD_NAME", "LOAD_CLASSDEREF"} or "OR_GLOBALS" in item.opname:
            # At the top level and in a class body a name may be local or global.
            self._read_chain(position, self.uses.globals)
        return self._read_chain(position, table)

    def _read_chain(self, position: int, table: dict[str, set[Chain]]) -> int:
        """Read a name with the attributes read from that; return the position of the end."""
        first, line = self._steps[position]
        chain: list[str] = []
        last = first
        position += 1
        while position < len(self._steps) and self._steps[position][0].opname in _ATTRIBUTES:
            last = self._steps[position][0]
            chain.append(last.argval)
            position += 1
            if last.opname in {"STORE_ATTR", "DELETE_ATTR"}:
                self.uses.writes.add((first.argval, *chain))
                break
        following = self._steps[position][0].opname if position < len(self._steps) else ""
        # An assignment to an item changes the object without rebinding the name.
        if not chain and following in {"STORE_SUBSCR", "DELETE_SUBSCR"}:
            self.uses.writes.add((first.argval, "[]"))
        table.setdefault(first.argval, set()).add(tuple(chain))
        # A name that is not called at once may be passed on as a value.
        if not _is_called(last) and not chain:
            self.uses.values.add(first.argval)
        if (chain[-1] if chain else first.argval) in {"import_module", "__import__"}:
            self._read_call(position - 1, line, chain[-1] if chain else first.argval)
        return position

    def _read_call(self, position: int, line: int, name: str) -> None:
        """Record the module that a call imports, or that the module is computed."""
        module = self._written_argument(position + 1)
        # A relative name depends on the package argument, so it counts as computed.
        if module is None or module.startswith("."):
            self.uses.computed.append((line, name))
        else:
            self.uses.imported.add(module)

    def _written_argument(self, position: int) -> str | None:
        """Return the text that is a call's first argument; None if the argument is computed."""
        following = [item for item, _ in self._steps[position:]]
        if not following or not following[0].opname.startswith("LOAD_CONST"):
            return None
        text, depth = following[0].argval, 1  # values on the stack, from the text on
        for item in following[1:]:
            if depth == 1 and item.opname in _ATTRIBUTES:
                return None  # a method of the text
            if item.opname.startswith("LOAD_"):
                depth += dis.stack_effect(item.opcode, item.arg)
            elif item.opname in {"CALL", "CALL_KW"}:
                depth -= (item.arg or 0) + 1 + (item.opname == "CALL_KW")
                if depth < 1:
                    return text if isinstance(text, str) else None
            elif item.opname != "KW_NAMES":
                return None
        return None

    def _read_import(self, position: int) -> None:
        item, _ = self._steps[position]
        # The compiler pushes level and names before IMPORT_NAME.
        level, names = (self._steps[position - back][0].argval for back in (2, 1))
        bound: list[str] = []
        for step, _ in self._steps[position + 1 :]:
            if step.opname.startswith("STORE_"):
                bound.append(step.argval)
                if len(bound) >= max(1, len(names or ())):
                    break
            elif not step.opname.startswith(("IMPORT_FROM", "SWAP", "POP_TOP")):
                break
        use = ImportUse(item.argval, int(level or 0), tuple(names or ()), tuple(bound))
        self.uses.imports.append(use)


def _make_uses(code: CodeType) -> Uses:
    uses = _Reader(code).read()
    for item in code.co_consts:
        if isinstance(item, CodeType):
            _merge(uses, find_uses(item))
    return uses


def _make_top_uses(code: CodeType) -> Uses:
    uses = _Reader(code).read()
    for item in code.co_consts:
        # Functions are optimised code and run later; class bodies run on import.
        if isinstance(item, CodeType) and not item.co_flags & inspect.CO_OPTIMIZED:
            _merge(uses, top_level_uses(item))  # the body of a class
    return uses


def _merge(uses: Uses, inner: Uses) -> None:
    for table, other in ((uses.globals, inner.globals), (uses.locals, inner.locals)):
        for name, chains in other.items():
            table.setdefault(name, set()).update(chains)
    uses.values |= inner.values
    uses.imports += inner.imports
    uses.imported |= inner.imported
    uses.computed += inner.computed
    uses.names |= inner.names
    uses.writes |= inner.writes


def _is_called(last: dis.Instruction) -> bool:
    if last.opname == "LOAD_METHOD":
        return True
    # The lowest bit of the argument says that a call follows.
    is_flagged = last.opname == "LOAD_GLOBAL" or (
        last.opname == "LOAD_ATTR" and sys.version_info >= (3, 12)
    )
    return is_flagged and bool((last.arg or 0) & 1)


def _line_of(item: dis.Instruction) -> int | None:
    if item.positions is not None and item.positions.lineno is not None:
        return item.positions.lineno
    return None


def _short_texts(code: CodeType) -> Iterator[str]:
    for item in code.co_consts:
        if isinstance(item, str) and item.isidentifier():
            yield item


def has_docstring(code: CodeType) -> bool:
    """Return whether the first constant is the docstring; a comprehension's may be any text."""
    if sys.version_info >= (3, 13):
        return bool(code.co_flags & _HAS_DOCSTRING)
    return (
        bool(code.co_flags & inspect.CO_OPTIMIZED)
        and not code.co_name.startswith("<")
        and bool(code.co_consts)
        and isinstance(code.co_consts[0], str)
    )


_facts = _Memory(_make_facts)
_uses = _Memory(_make_uses)
_top_uses = _Memory(_make_top_uses)
