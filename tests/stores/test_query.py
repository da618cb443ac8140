"""The filter language: right answers, bound values, errors that point at the place."""

import math
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.core import MetricPoint, ParameterError, RunState
from penstock.stores import open_store
from penstock.stores.metadata._fields import RUNS
from penstock.stores.metadata._query import compile_filter, compile_order
from penstock.testing._records import START, a_run, at


@pytest.fixture(scope="module")
def metadata(tmp_path_factory):
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('store')}/penstock.db").metadata
    runs = [
        a_run(
            name="base line",
            params={"lr": 0.1, "model": "forest", "deep": True},
            tags={"team": "risk"},
            user="ada",
            created_at=at(0),
        ),
        a_run(
            name="second",
            experiment="churn",
            params={"lr": "0.20", "learning rate": 3, "rows": "all"},
            tags={"team": "Rides"},
            state=RunState.FAILED,
            created_at=at(86_400),
            started_at=at(86_400),
        ),
        a_run(
            name="it's",
            pipeline="taxi",
            seed=7,
            created_at=at(2 * 86_400),
            params={
                "rows": 1234567,
                "id": 12345678901234567891,
                "cfg": {"depth": 3, "tree": {"kind": "oak"}},
            },
        ),
    ]
    for run in runs:
        store.runs.create(run)
    for run, values in zip(runs, ([0.5, 0.9, 0.7], [0.8, math.nan], []), strict=True):
        points = [MetricPoint("auc", value, step, START) for step, value in enumerate(values)]
        store.metrics.log(run.run_id, points)
    store.metrics.log(runs[2].run_id, [MetricPoint("val/loss.x", 2.0, 0, START)])
    store.metrics.log(runs[2].run_id, [MetricPoint("val.max", 4.0, 0, START)])
    return store


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "123"),
        ("  ", "123"),
        ("params.lr = '0.1'", "1"),
        ("params.lr = 0.1", "1"),
        ("params.lr < 0.5", "12"),
        ("params.lr >= 0.2", "2"),
        ("params.lr = 2e-1", "2"),
        ("params.lr != 0.1", "2"),
        ("metrics.auc = nan", "2"),
        ("metrics.auc = 'NaN'", "2"),
        ("metrics.auc != nan", "1"),
        ("metrics.auc != 0.7", "2"),
        ("metrics.auc in (nan, 0.7)", "12"),
        ("metrics.auc not in (0.7)", "2"),
        ("metrics.auc > nan", ""),
        ("metrics.auc < inf", "1"),
        ("params.deep = true", "1"),
        ("params.deep = 'TRUE'", "1"),
        ("params.deep in (false, True)", "1"),
        ("params.deep != true", ""),
        ("params.lr in (0.2, 'none')", "2"),
        ("params.lr in ('0.20', 7)", "2"),
        ("params.lr not in (0.1, 'none')", "2"),
        ("params.rows in (1234567, 'all')", "23"),
        ("params.rows between 1000000 and 'b'", "23"),
        ("params.id = 12345678901234567891", "3"),
        ("params.id = 12345678901234567890", ""),
        ("params.cfg.depth > 2", "3"),
        ("params.cfg.tree.kind = 'oak'", "3"),
        ("params.cfg is not null", "3"),
        ("metrics.val.max = 4", "3"),
        ("metrics.`val.max` = 4", "3"),
        ("metrics.val.max.min = 4", "3"),
        ("params.lr IS NULL", "3"),
        ("params.lr is not null", "12"),
        ("NOT params.lr = 0.1", "23"),
        ("not not params.lr = 0.1", "1"),
        ("params.model in ('forest', 'tree')", "1"),
        ("params.lr in (0.1, 0.2)", "12"),
        ("params.lr in ('0.1', 0.3)", "1"),
        ("params.model not in ('forest')", ""),
        ("params.lr between 0.1 and 0.15", "1"),
        ("params.lr not between 0.1 and 0.15 or name = 'it''s'", "23"),
        ("metrics.auc.count >= 3", "1"),
        ("metrics.auc.step = 1", "2"),
        ("params.deep = 'True'", "1"),
        ("params.`learning rate` = 3", "2"),
        ('params."learning rate" = 3', "2"),
        ("metrics.auc = 0.7", "1"),
        ("metrics.auc.max > 0.85", "1"),
        ("metrics.auc.min <= 0.5", "1"),
        ("metrics.auc.first = 0.8", "2"),
        ("metrics.auc.last is null", "3"),
        ("metrics.`val/loss.x` > '1'", "3"),
        ("tags.team = 'risk'", "1"),
        ("tags.team like 'RI%'", "12"),
        ("tags.team not like 'ris%'", "2"),
        ("name = 'it''s'", "3"),
        ('name = "it\'s"', "3"),
        ("name like '%line'", "1"),
        ("state = 'failed'", "2"),
        ("state in ('running', 'finished')", "13"),
        ("attributes.pipeline = 'taxi'", "3"),
        ("run.experiment == 'churn'", "2"),
        ("user = 'ada'", "1"),
        ("seed = 7", "3"),
        ("attempt >= 1", "123"),
        ("created_at > '2026-01-02'", "23"),
        ("created_at <= '2026-01-02T08:00'", "12"),
        ("created_at = '2026-01-01T09:00+01:00'", "1"),
        ("started_at is null", "13"),
        ("params.lr = 0.1 or params.lr = 0.2 and state = 'running'", "1"),
        ("(params.lr = 0.1 or params.lr = 0.2) and state <> 'running'", "2"),
        ("metrics.auc > 0.6 AND params.lr < 0.5 and tags.team = 'risk'", "1"),
    ],
)
def test_a_filter_finds_the_runs_that_it_says(metadata, text, expected):
    names = {"base line": "1", "second": "2", "it's": "3"}
    found = metadata.runs.search(text)
    assert "".join(sorted(names[run.name] for run in found)) == expected
    assert metadata.runs.count(text) == len(expected)


@pytest.mark.parametrize(
    ("text", "position", "why"),
    [
        ("metrics.auc >", 13, "Expected a number or a text"),
        ("metrics.auc >> 1", 13, "Expected a number or a text"),
        ("metrics.auc ~ 1", 12, "Unexpected character"),
        ("metric.auc > 1", 0, "Did you mean 'metrics'"),
        ("stat = 'failed'", 0, "Did you mean 'state'"),
        ("state = 'fail'", 8, "Did you mean 'failed'"),
        ("name = base", 7, "Write 'base' in quotes"),
        ("name = 'base", 7, "never closed"),
        ("(name = 'a'", 11, "Expected ')'"),
        ("name = 'a')", 10, "Expected 'and', 'or' or the end"),
        ("name = 'a' name = 'b'", 11, "Expected 'and', 'or' or the end"),
        ("and name = 'a'", 0, "Expected a field"),
        ("name 'a'", 5, "Expected =, !="),
        ("name not = 'a'", 9, "Expected =, !="),
        ("name is 'a'", 8, "Expected 'null'"),
        ("metrics.auc = 'high'", 14, "Expected a number"),
        ("metrics.auc like 'a'", 17, "like compares text"),
        ("name like 3", 10, "Expected a pattern"),
        ("created_at > 'yesterday'", 13, "Expected a time"),
        ("params.lr between 1 or 2", 20, "Expected 'and'"),
        ("params.lr in 3", 13, "Expected '('"),
        ("params.lr in (3 4)", 16, "Expected ')'"),
        ("metrics = 3", 0, "There is no field"),
        ("not " * 60 + "name = 'a'", None, "Nested too deeply"),
    ],
)
def test_a_filter_that_cannot_be_read_is_pointed_at(text, position, why):
    with pytest.raises(ParameterError) as caught:
        compile_filter(text, RUNS)
    assert why in str(caught.value)
    if position is not None:
        assert caught.value.position == position
        lines = caught.value.what.splitlines()
        assert lines[1] == "  " + text
        assert lines[2] == "  " + " " * position + "^"


def test_values_are_bound_and_never_part_of_the_sql():
    evil = "x'; DROP TABLE runs; --"
    found = compile_filter(f'name = "{evil}" and params.`{evil}` = 1', RUNS)
    assert evil not in found.sql
    assert found.values == (evil, evil, 1.0)
    assert all(evil not in sql for sql, _ in found.narrow)


@settings(max_examples=200)
@given(st.text(alphabet="abpramset.>=<!()'\"` 019,%;-", max_size=30))
def test_any_text_is_either_sql_or_an_error_at_a_place(text):
    found = read(text)
    if isinstance(found, ParameterError):
        assert 0 <= found.position <= len(text)
    else:
        assert sqlite3.complete_statement(found.sql + ";")
        assert found.sql.count("?") == len(found.values)


def read(text):
    try:
        return compile_filter(text, RUNS)
    except ParameterError as error:
        return error


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("created_at desc", ["it's", "second", "base line"]),
        ("created_at", ["base line", "second", "it's"]),
        ("metrics.auc.max desc", ["base line", "second", "it's"]),
        ("metrics.auc.max", ["second", "base line", "it's"]),
        ("params.lr desc, name", ["second", "base line", "it's"]),
        ("experiment desc, name asc", ["base line", "it's", "second"]),
        ("tags.team ASC", ["second", "base line", "it's"]),
    ],
)
def test_runs_come_in_the_order_asked_for_with_missing_values_last(metadata, order, expected):
    assert [run.name for run in metadata.runs.search(order_by=order)] == expected


@pytest.mark.parametrize("order", ["nonsense", "name sideways", "", "name,", "metrics.auc desc x"])
def test_an_order_that_cannot_be_read_is_refused(order):
    with pytest.raises(ParameterError, match=r"(?s)The order cannot be read.*created_at desc"):
        compile_order(order, RUNS)


def test_an_order_by_a_name_that_nothing_has_is_refused(metadata):
    with pytest.raises(ParameterError, match=r"No run has metrics.auk.*Did you mean 'auc'"):
        metadata.runs.search(order_by="metrics.auk desc")
    with pytest.raises(ParameterError, match=r"Did you mean metrics\.auc\?"):
        metadata.runs.search(order_by="auc")
    assert metadata.runs.search("name = 'nobody'", order_by="metrics.auk") == []


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("then", ["", ", name"])
def test_nan_stands_after_every_number_and_before_what_is_missing(metadata, direction, then):
    order = f"metrics.auc {direction}{then}"  # last values: 0.7, NaN, none
    assert names(metadata.runs.search(order_by=order)) == ["base line", "second", "it's"]
    pages = [metadata.runs.search(order_by=order, limit=1, offset=place) for place in range(4)]
    assert [names(page) for page in pages] == [["base line"], ["second"], ["it's"], []]
    filtered = metadata.runs.search("metrics.auc = nan or seed = 7", order_by=order)
    assert names(filtered) == ["second", "it's"]


def test_an_order_by_a_metric_named_like_a_statistic_loses_no_run(metadata):
    first, *_ = metadata.runs.search(order_by="created_at")
    metadata.metrics.log(first.run_id, [MetricPoint("loss.last", 1.0, 0, START)])
    found = metadata.runs.search(order_by="metrics.loss.last")
    assert names(found) == ["base line", "second", "it's"]


def names(runs):
    return [run.name for run in runs]


def test_text_parameters_order_after_numbers(metadata):
    found = metadata.runs.search("params.rows is not null", order_by="params.rows")
    assert [run.params["rows"] for run in found] == [1234567, "all"]


def test_a_parameter_of_a_leafs_name_is_itself(metadata):
    run = metadata.runs.search("params.cfg.depth = 3")[0]
    assert set(run.params) == {"rows", "id", "cfg"}
    metadata.runs.log_params(run.run_id, {"cfg.depth": 9})
    assert metadata.runs.get(run.run_id).params["cfg.depth"] == 9
    assert metadata.runs.search("params.cfg.depth = 3") == []
