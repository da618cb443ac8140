"""ps.steps.split: the same split as the data package makes, from a frame or a snapshot."""

import pytest

import penstock as ps
from penstock.core import NotFoundError, PenstockError
from penstock.data import split_table


def test_it_splits_as_split_table_does(table):
    one = ps.steps.split(table, target="fraud", test=0.25, validation=0.25, seed=3)
    other = split_table(table, target="fraud", test=0.25, validation=0.25, seed=3)
    for part in ("train", "validation", "test"):
        assert getattr(one, part).table.equals(getattr(other, part).table)
    assert [len(one.train), len(one.validation), len(one.test)] == [350, 175, 175]


def test_the_newest_rows_are_the_test(split, table):
    assert sorted(split.train.rows) == list(range(len(split.train)))
    assert len(split.train) + len(split.test) == table.height
    assert "time" not in split.schema.names
    assert "fraud" not in split.schema.names


def test_a_column_that_does_not_exist_is_answered_with_the_closest(table):
    with pytest.raises(PenstockError, match="Did you mean 'fraud'"):
        ps.steps.split(table, target="frod")
    with pytest.raises(PenstockError, match="Did you mean 'time'"):
        ps.steps.split(table, target="fraud", by_time="tim")


def test_one_column_to_drop_need_not_be_a_list(table):
    with pytest.raises(NotFoundError, match="'nothing'"):
        ps.steps.split(table, target="fraud", drop="nothing")
    assert "hour" not in ps.steps.split(table, target="fraud", drop="hour").schema.names
