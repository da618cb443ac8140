"""Calls that no text shows: of properties by an attribute, of ``__add__`` by a plus, of ``__iter__`` by a loop.

Python's data model names the method of each: https://docs.python.org/3/reference/datamodel.html
"""

import ast
from collections.abc import Iterable, Mapping, Sequence

from penstock.notebooks._events import CONSTANT, OWN, Event, EventKind

# The methods of a use, in the order in which Python looks: the first that the class has is called.
ITERATES = "__iter__|__getitem__"
TRUTH = "__bool__|__len__"
TEXT = "__str__|__repr__"
SHOWN = "_repr_mimebundle_|_ipython_display_|_repr_html_|_repr_png_|_repr_svg_|_repr_pretty_|__repr__|__str__"

_OPERATORS: Mapping[type[ast.AST], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.MatMult: "matmul",
    ast.Div: "truediv",
    ast.FloorDiv: "floordiv",
    ast.Mod: "mod",
    ast.Pow: "pow",
    ast.LShift: "lshift",
    ast.RShift: "rshift",
    ast.BitOr: "or",
    ast.BitXor: "xor",
    ast.BitAnd: "and",
}
_COMPARISONS: Mapping[type[ast.AST], tuple[str, str]] = {
    ast.Eq: ("__eq__", "__eq__"),
    ast.NotEq: ("__ne__|__eq__", "__ne__|__eq__"),
    ast.Lt: ("__lt__", "__gt__"),
    ast.LtE: ("__le__", "__ge__"),
    ast.Gt: ("__gt__", "__lt__"),
    ast.GtE: ("__ge__", "__le__"),
}
_UNARY: Mapping[type[ast.AST], str] = {
    ast.UAdd: "__pos__",
    ast.USub: "__neg__",
    ast.Invert: "__invert__",
}
_ITERATING = frozenset(
    [
        "iter",
        "list",
        "tuple",
        "set",
        "frozenset",
        "sorted",
        "sum",
        "min",
        "max",
        "enumerate",
        "zip",
        "any",
        "all",
        "dict",
    ]
)
# What a built-in function calls of its first argument.
_BUILT_IN: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(_ITERATING, (ITERATES, "__next__")),
    "len": ("__len__",),
    "next": ("__next__",),
    "reversed": ("__reversed__|__getitem__",),
    "str": (TEXT,),
    "print": (TEXT,),
    "repr": ("__repr__",),
    "format": ("__format__|__str__|__repr__",),
    "bool": (TRUTH,),
    "int": ("__int__|__index__|__trunc__",),
    "float": ("__float__|__index__",),
    "complex": ("__complex__|__float__",),
    "bytes": ("__bytes__|__iter__",),
    "hash": ("__hash__",),
    "abs": ("__abs__",),
    "round": ("__round__",),
    "divmod": ("__divmod__",),
    "pow": ("__pow__",),
    "dir": ("__dir__",),
}
_EACH_ARGUMENT = frozenset({"print", "zip"})
_OWN_TYPE = (ast.Constant, ast.JoinedStr, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.ListComp,
             ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)  # fmt: skip


class UnseenCalls(ast.NodeVisitor):
    """Collects the calls that no text shows; the rest of a walk is `FlowWalker`'s.

    Args:
        scopes: Names of the enclosing functions, with whether the scope is a class's.
        own: The name of the object whose method is walked; else empty.
    """

    def __init__(self, scopes: Sequence[tuple[frozenset[str], bool]], own: str) -> None:
        self.events: list[Event] = []
        self._scopes, self._own = list(scopes), own

    def walk(self, nodes: Iterable[ast.AST]) -> None:
        """Walk nodes in order, up to what leaves the body: nothing executes the rest."""
        for node in nodes:
            self.visit(node)
            if isinstance(node, ast.Return | ast.Raise | ast.Continue | ast.Break):
                break

    def emit(self, kind: EventKind, name: str, line: int, other: str = "") -> None:
        """Add an event, unless the name is local to a function."""
        if not any(name in names for names, _ in self._scopes):
            self.events.append(Event(kind, name, line, other))

    def _operand(self, node: ast.AST) -> str:
        name = node.func if isinstance(node, ast.Call) else node
        is_local = isinstance(name, ast.Name) and any(name.id in each for each, _ in self._scopes)
        return operand_of(node, self._own, is_local)

    def _uses(self, node: ast.AST, methods: str, *, kind: EventKind = "implicit") -> None:
        line = getattr(node, "lineno", 1)
        self.events.append(Event(kind, self._operand(node), line, methods))

    def _iterates(self, node: ast.AST) -> None:
        self._uses(node, ITERATES)
        self._uses(node, "__next__")

    def _truth(self, node: ast.AST) -> None:
        if isinstance(node, ast.Name | ast.Call):
            self._uses(node, TRUTH)

    def _unpacked(self, target: ast.AST, value: ast.AST) -> None:
        """Note what a target is made of: ``a = A()``, ``a, b = A(), B()``, ``a, b = pair``."""
        if isinstance(target, ast.Name):
            if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
                self.emit("instance", target.id, target.lineno, value.func.id)
        elif isinstance(target, ast.Tuple | ast.List):
            if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts):
                for one, other in zip(target.elts, value.elts, strict=True):
                    self._unpacked(one, other)
            else:
                self._iterates(value)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        """Operands, then the operator's method."""
        self.walk([node.left, node.right])
        self.events.append(
            operator_event(node, self._operand(node.left), self._operand(node.right))
        )

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        """The operand, then the sign's method."""
        self.visit(node.operand)
        if isinstance(node.op, ast.Not):
            self._truth(node.operand)
        else:
            self._uses(node.operand, unary_method(node))

    def visit_Compare(self, node: ast.Compare) -> None:
        """Operands, then the methods that compare."""
        operands = [node.left, *node.comparators]
        self.walk(operands)
        self.events += comparison_events(node, [self._operand(each) for each in operands])

    def visit_FormattedValue(self, node: ast.FormattedValue) -> None:
        """A value in a text."""
        self.generic_visit(node)
        self._uses(node.value, format_methods(node))

    def visit_Starred(self, node: ast.Starred) -> None:
        """Values of a value."""
        self.visit(node.value)
        if isinstance(node.ctx, ast.Load):
            self._iterates(node.value)

    def visit_YieldFrom(self, node: ast.YieldFrom) -> None:
        """Values of a value."""
        self.visit(node.value)
        self._iterates(node.value)

    def visit_Await(self, node: ast.Await) -> None:
        """A value that is waited for."""
        self.visit(node.value)
        self._uses(node.value, "__await__")


def operand_of(node: ast.AST, own: str, is_local: bool) -> str:
    """Return the object of a use: a name, ``A()`` of a new object, `OWN`, `CONSTANT`, or empty if unknown.

    Args:
        node: The expression.
        own: The name of the object whose method is walked; else empty.
        is_local: Whether the expression's name is local to a function.
    """
    if isinstance(node, _OWN_TYPE):
        return CONSTANT
    if isinstance(node, ast.Name):
        if is_local:
            return OWN if node.id == own else ""
        return node.id
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not is_local:
        return f"{node.func.id}()"
    return ""


def operator_event(
    node: ast.BinOp | ast.AugAssign, left: str, right: str, *, in_place: bool = False
) -> Event:
    """Return the event of ``a + b``, or of ``a += b``."""
    name = _OPERATORS[type(node.op)]
    first = f"__i{name}__|__{name}__" if in_place else f"__{name}__"
    return Event("operator", left, node.lineno, first, operand=(right, f"__r{name}__"))


def comparison_events(node: ast.Compare, operands: list[str]) -> list[Event]:
    """Return the events of a chain of comparisons."""
    events = []
    for place, sign in enumerate(node.ops):
        left, right = operands[place : place + 2]
        if isinstance(sign, ast.In | ast.NotIn):
            events.append(Event("implicit", right, node.lineno, f"__contains__|{ITERATES}"))
        elif type(sign) in _COMPARISONS:
            first, second = _COMPARISONS[type(sign)]
            events.append(Event("operator", left, node.lineno, first, operand=(right, second)))
    return events


def unary_method(node: ast.UnaryOp) -> str:
    """Return the methods that a sign before a value calls."""
    return _UNARY[type(node.op)]


def format_methods(node: ast.FormattedValue) -> str:
    """Return the methods that a value in a text with values calls."""
    return {-1: "__format__|__str__|__repr__", 114: "__repr__", 97: "__repr__"}.get(
        node.conversion, TEXT
    )


def built_in_uses(node: ast.Call) -> list[tuple[ast.AST, str]]:
    """Return the arguments of a built-in function with the methods that it calls of them."""
    if not isinstance(node.func, ast.Name):
        return []
    name = node.func.id
    arguments = node.args if name in _EACH_ARGUMENT else node.args[:1]
    if name in {"map", "filter"}:
        arguments, name = node.args[1:], "iter"
    return [(each, methods) for each in arguments for methods in _BUILT_IN.get(name, ())]


def named_attribute(node: ast.Call) -> tuple[ast.AST, str] | None:
    """Return object and attribute of ``getattr(x, "name")``."""
    match node:
        case ast.Call(
            func=ast.Name(id="getattr" | "hasattr"), args=[value, ast.Constant(value=str(name)), *_]
        ):
            return value, name
    return None


def is_property(decorators: list[ast.expr]) -> bool:
    """Return whether decorators make an attribute that executes the function: ``@cached_property``."""
    return any(_last_name(each).endswith("property") or _is_getter(each) for each in decorators)


def setter_of(decorators: list[ast.expr]) -> str:
    """Return ``setter`` or ``deleter`` of ``@name.setter``; else empty."""
    names = [each.attr for each in decorators if isinstance(each, ast.Attribute)]
    return next((name for name in names if name in {"setter", "deleter"}), "")


def made_property(value: ast.AST) -> ast.AST | None:
    """Return the function of ``property(function)`` in a class; else None."""
    if isinstance(value, ast.Call) and value.args and _last_name(value.func).endswith("property"):
        return value.args[0]
    return None


def _is_getter(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "getter"


def _last_name(node: ast.expr) -> str:
    while isinstance(node, ast.Call):
        node = node.func
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
