"""Layout: our own lines look as ruff would write them."""

import subprocess
import sys

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.scaffolding._layout import LINE, Bracketed, BracketElement, lay_out


def _ruff(code: str) -> str:
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length=100", "-"]
    return subprocess.run(command, input=code, text=True, capture_output=True, check=True).stdout


def _call(names: list[str]) -> Bracketed:
    return Bracketed("f(", [BracketElement(name) for name in names], ")")


def test_what_fits_stays_on_one_line():
    assert lay_out(_call(["a", "b"]), indent=1, before="x = ") == "    x = f(a, b)"


def test_what_fits_below_goes_on_one_line_below():
    names = ["a" * 40, "b" * 40]
    assert lay_out(_call(names), before="some_longer_name = ").count("\n") == 2


def test_a_comment_forces_a_line_each():
    text = lay_out(
        Bracketed(
            "[", [BracketElement("1", comment="one"), BracketElement("2", comment="two")], "]"
        )
    )
    assert text == "[\n    1,  # one\n    2,  # two\n]"


def test_a_comment_too_long_for_the_line_stands_above():
    text = lay_out(Bracketed("[", [BracketElement("1", comment="w" * LINE)], "]"))
    assert text.splitlines()[1].lstrip().startswith("# www")


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.integers(1, 45), min_size=1, max_size=5),
    st.lists(st.integers(1, 45), min_size=1, max_size=5),
    st.integers(1, 30),
)
def test_ruff_would_change_nothing(outer, inner, before):
    nested = Bracketed("g(", [BracketElement("b" * size) for size in inner], ")")
    items = [*(BracketElement("a" * size) for size in outer), BracketElement("", nested)]
    code = lay_out(Bracketed("f(", items, ")"), before="x" * before + " = ") + "\n"
    assert _ruff(code) == code
