"""The items of what a map is mapped over: stored lists and dicts, tables, sets, constants."""

import polars as pl
import pytest

from penstock.core import DefinitionError
from penstock.execution.engine import Values
from penstock.execution.engine._items import ItemReader
from penstock.pipelines import ITEM, Graph, Node, Output, step
from penstock.stores import open_store


@step
def any_step(item): ...


@pytest.fixture
def reader(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:

        def make(value, by=None):
            node = Node("each", any_step, {"item": Output("make")}, each="item", by=by)
            values = Values(store, Graph("job", [Node("make", any_step, {}), node]))
            records = store.pack(value)
            store.metadata.artifacts.add(records)
            values.add("make", "result", records[0])
            return ItemReader(node, store, values), values

        yield make


def items_of(reader, value, by=None):
    found, values = reader(value, by)
    items = list(found.read(Output("make")))
    read = {item.key: values.get(Output(f"each[{item.key}]", ITEM)) for item in items}
    return read, found.has_names


def test_a_list_has_positions_and_a_dict_has_names(reader):
    assert items_of(reader, [5, 6]) == ({0: 5, 1: 6}, False)
    assert items_of(reader, {"b": 5, "a": 6}) == ({"b": 5, "a": 6}, True)


def test_a_set_is_in_one_order(reader):
    assert items_of(reader, {3, 1, 2}) == ({0: 1, 1: 2, 2: 3}, False)


def test_a_table_is_split_by_a_column(reader):
    table = pl.DataFrame({"city": ["Rome", "Oslo", "Rome"], "x": [1, 2, 3]})
    read, has_names = items_of(reader, table, by="city")
    assert has_names
    assert read["Rome"]["x"].to_list() == [1, 3]


def test_an_item_of_a_stored_value_has_an_edge_from_the_whole(reader):
    found, _ = reader([5, 6])
    first = next(found.read(Output("make")))
    assert [edge.role for edge in first.edges] == ["0"]
    assert (first.value.node, first.value.name) == ("each[0]", ITEM)


def test_a_constant_of_the_body_stays_as_it_is(reader):
    found, _ = reader(None)
    assert [(item.key, item.value) for item in found.read({"a": 1})] == [("a", 1)]
    assert [(item.key, item.value) for item in found.read([7])] == [(0, 7)]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "'make', an int. It has no items"),
        ("abc", "'make', a str. It has no items"),
        (pl.DataFrame({"x": [1]}), "is mapped over a table"),
    ],
)
def test_what_has_no_items_is_refused(reader, value, text):
    found, _ = reader(value)
    with pytest.raises(DefinitionError, match=text):
        list(found.read(Output("make")))
