"""Where a notebook's statements go in a program: names of types are the module's, computed values are not."""

import pytest
from tests.notebooks.corpus import write_notebook

from penstock.notebooks._document import read_notebook
from penstock.notebooks.promotion._statements import sort_statements


@pytest.mark.parametrize(
    ("source", "constants"),
    [
        ("Row = dict[str, int]", {"Row"}),
        ("Row = dict[str, int]\nrows: list[Row] = [{'a': 1}]", {"Row", "rows"}),
        ("from collections.abc import Callable\nF = Callable[[int], str | None]", {"F"}),
        ("import typing as t\nText = t.Optional[str]", {"Text"}),
        ("table = {'a': 1}\ndict = table\nx = dict['a']", set()),
        ("from config import table\nx = table['a']", set()),
        ("Row = dict[str, int]\nRow = dict[str, float]", set()),
        ("class K:\n    pass\nkept = K\nx: kept = [1]", set()),
    ],
)
def test_names_of_types_are_the_modules(tmp_path, source, constants):
    path = write_notebook(tmp_path / "a.ipynb", source)
    names = {"Row", "rows", "F", "Text", "table", "dict", "x", "kept"}
    parts = sort_statements(read_notebook(path), dict.fromkeys(names, False))
    found = {name for each in parts.constants for name in each.writes}
    assert found - {"table"} == constants
