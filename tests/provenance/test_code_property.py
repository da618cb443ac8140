"""Any two callables that can give different results have different digests, whatever they are.

Callables of every kind are drawn, called with the same arguments, and compared: with each other and
with all drawn before. The same recipe built twice has one digest.
"""

import functools
import json
import os
import subprocess
import sys
import textwrap
from enum import Enum
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.provenance import code_digest, value_digest

EXAMPLES = int(os.environ.get("PENSTOCK_EXAMPLES", "80"))
PROBES = (0, 1, -2, 0.5, "a", (1, 2))
PLACE = Path(__file__).parent

constants = st.recursive(
    st.one_of(
        st.integers(-3, 3),
        st.sampled_from([0.0, -0.0, 1.0, float("inf"), float("nan"), 1e300, True, False, None]),
        st.sampled_from(["", "a", "b", "x > @y", "1"]),
        st.sampled_from([b"", b"a", 1j, -0.0j]),
    ),
    lambda inner: st.one_of(
        st.tuples(inner, inner),
        st.frozensets(st.one_of(st.integers(0, 3), st.sampled_from(["a", 1.0, True])), max_size=3),
    ),
    max_leaves=4,
)
bodies = st.sampled_from(
    ["c", "(c, x)", "(x, c)", "[c] * 2", "(x == c)", "{c: x} if c == c else 0", "(c, 'k')",
     "(c, type(x).__name__)", "(lambda y: (y, c))(x)", "[(c, y) for y in (x,)]", "repr(c)"]
)  # fmt: skip


def build(recipe):
    """Build a callable of one argument from nested tuples; nothing of it is shared or cached."""
    kind, *rest = recipe
    return _KINDS[kind](*rest)  # type: ignore[operator]


def typed(text, name="f", **scope):
    """Run source text as a notebook would and return what it defines."""
    scope = {"__name__": "__main__", **scope}
    exec(compile(textwrap.dedent(text), "<cell>", "exec"), scope)
    return scope[name]


def literal(value, body):
    return typed(
        f"def f(x):\n    c = {value!r}\n    return {body}\n", nan=float("nan"), inf=float("inf")
    )


def from_global(value, body):
    return typed(f"def f(x):\n    return {body}\n", c=value)


def from_closure(value, body):
    make = typed(f"def f(c):\n    def inner(x):\n        return {body}\n    return inner\n")
    return make(value)


def from_default(value, body):
    return typed(f"def f(x, c=c):\n    return {body}\n", c=value)


def from_keyword(value, body):
    return typed(f"def f(x, *, c=c):\n    return {body}\n", c=value)


def from_partial(value, body):
    return functools.partial(typed(f"def f(c, x):\n    return {body}\n"), value)


def from_method(value, body):
    text = f"class A:\n    def __init__(self, c):\n        self.c = c\n    def call(self, x):\n        c = self.c\n        return {body}\n"
    return typed(text, "A")(value).call


def from_object(value, body):
    text = f"class A:\n    c = held\n    def __call__(self, x):\n        c = self.c\n        return {body}\n"
    return typed(text, "A", held=value)()


def from_property(value, body):
    text = f"class B:\n    @property\n    def c(self):\n        return held\nclass A(B):\n    __slots__ = ()\n    def call(self, x):\n        c = self.c\n        return {body}\n"
    return typed(text, "A", held=value)().call


def from_static(value, body):
    text = (
        f"class A:\n    @staticmethod\n    def call(x):\n        c = held\n        return {body}\n"
    )
    return typed(text, "A", held=value).call


def from_enum(value, body):
    text = f"class E(Enum):\n    A = (held,)\ndef f(x):\n    c = E.A.value[0]\n    return {body}\n"
    return typed(text, Enum=Enum, held=value)


def from_config(value, body):
    text = f"class Config:\n    pass\nCONFIG = Config()\nCONFIG.c = held\ndef f(x):\n    c = CONFIG.c\n    return {body}\n"
    return typed(text, held=value)


def from_table(value, body, other):
    text = f"TABLE = {{'a': lambda x, c: {body}, 'b': other}}\ndef f(x):\n    return TABLE['a'](x, held), TABLE['b'](x)\n"
    return typed(text, held=value, other=build(other))


def wrapped(value, body, other):
    text = f"""
    def deco(f, c):
        @functools.wraps(f)
        def inner(x):
            return f(x), {body}
        return inner
    """
    return typed(text, "deco", functools=functools)(build(other), value)


def cached(value, body, other):
    inner = functools.lru_cache(build(("closure", value, body)))
    return typed("def f(x):\n    return g(x), h(x)\n", g=inner.__wrapped__, h=build(other))


def dispatched(value, body, other):
    text = f"@singledispatch\ndef f(x):\n    c = held\n    return {body}\n@f.register\ndef _(x: int):\n    return other(x)\n"
    return typed(text, singledispatch=functools.singledispatch, held=value, other=build(other))


_KINDS = {
    "literal": literal, "global": from_global, "closure": from_closure, "default": from_default,
    "keyword": from_keyword, "partial": from_partial, "method": from_method, "object": from_object,
    "property": from_property, "static": from_static, "enum": from_enum, "config": from_config,
    "table": from_table, "wrapped": wrapped, "cached": cached, "dispatched": dispatched,
}  # fmt: skip
_NESTED = ("table", "wrapped", "cached", "dispatched")
recipes = st.recursive(
    st.tuples(st.sampled_from([k for k in _KINDS if k not in _NESTED]), constants, bodies),
    lambda inner: st.tuples(st.sampled_from(_NESTED), constants, bodies, inner),
    max_leaves=3,
)


def outcome(function):
    """Return what a callable gives for every probe, with types, signs and insertion orders."""
    told = []
    for probe in PROBES:
        try:
            told.append(described(function(probe)))
        except Exception as error:  # noqa: BLE001 - an error is a result too
            told.append(type(error).__name__)
    return repr(told)


def described(value):
    if isinstance(value, list | tuple):
        return (type(value).__name__, [described(item) for item in value])
    if isinstance(value, dict):
        return ("dict", [(described(key), described(item)) for key, item in value.items()])
    if isinstance(value, set | frozenset):
        return (type(value).__name__, sorted(map(repr, map(described, value))))
    return (type(value).__name__, repr(value))


def digest(function):
    found = value_digest(function, "f", PLACE)
    assert found.complete, found.parts
    return found.digest


def test_callables_that_give_different_results_have_different_digests(record_property):
    known: dict[str, tuple[str, object]] = {}

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(recipes)
    def compare(recipe):
        function = build(recipe)
        found, gives = digest(function), outcome(function)
        assert digest(build(recipe)) == found
        before = known.setdefault(found, (gives, recipe))
        assert before[0] == gives, (recipe, before[1])

    compare()
    pairs = len(known) * (len(known) - 1) // 2
    record_property("pairs", pairs)
    print(f"{len(known)} callables, {pairs} pairs compared")
    assert len(known) > EXAMPLES // 4


SEEDED = """
import enum, functools, json, sys
from dataclasses import dataclass
from pathlib import Path
from penstock.provenance import code_digest

class Size(enum.Enum):
    SMALL = frozenset({"a", "b", "c"})

@dataclass(frozen=True)
class Plan:
    names: frozenset = frozenset({"x", "y", "z"})

TABLE = {"a": {"q", "w", "e"}, "b": Plan(), "c": {Size.SMALL, len, Plan}, "d": {functools.partial(min), max}}
LINKED = {object: 1, str: 2}

def helper(x=TABLE):
    return {"one", "two", "three"} | x["a"]

def step(x, *names, sizes={"s", "m", "l"}):
    return helper(), Size.SMALL, LINKED, x in {"k", "l", "m"}, sizes

class Outer:
    def method(self):
        return TABLE

print(json.dumps([code_digest(f, Path(sys.argv[1])).digest for f in (step, helper, Outer().method, Plan)]))
"""


def test_digests_are_equal_in_every_process_and_under_every_name(tmp_path):
    (tmp_path / "job.py").write_text(SEEDED)
    commands = [
        [sys.executable, "job.py", str(tmp_path)],
        [sys.executable, "-c", f"import sys; sys.argv = ['', {str(tmp_path)!r}]; import job"],
    ]
    told = {
        json.dumps(json.loads(_printed(command, tmp_path, seed)))
        for command, seed in [(commands[0], "0"), (commands[0], "1"), (commands[1], "7")]
    }
    assert len(told) == 1


def _printed(command, folder, seed):
    env = {**os.environ, "PYTHONHASHSEED": seed}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True)
    return done.stdout


def test_a_digest_does_not_depend_on_where_the_project_lies(tmp_path):
    text = "from pathlib import Path\nHERE = str(Path(__file__).parent)\nDATA = Path(__file__).with_name('d')\ndef step():\n    return HERE, DATA\n"
    digests = set()
    for name in ("one", "other"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "d").write_text("1")
        scope = {"__name__": "job", "__file__": str(folder / "job.py")}
        (folder / "job.py").write_text(text)
        exec(compile(text, str(folder / "job.py"), "exec"), scope)
        digests.add(code_digest(scope["step"], folder).digest)  # type: ignore[arg-type]
    assert len(digests) == 1
