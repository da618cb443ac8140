"""Writing: values and comments come out as text that Python reads back."""

import ast

from hypothesis import given
from hypothesis import strategies as st

from penstock.scaffolding._writing import plain, quote


@given(st.text(max_size=30))
def test_a_quoted_text_is_the_text(text):
    assert ast.literal_eval(quote(text)) == text


@given(st.text(max_size=60))
def test_a_plain_text_fits_in_a_comment_and_in_a_docstring(text):
    tree = ast.parse(f'# {plain(text)}\n"""{plain(text)} ."""\n')
    assert len(tree.body) == 1
