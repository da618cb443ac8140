import pytest

from penstock.core import ParameterError
from penstock.data.sources.sql._query import require_query


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1",
        "  (select 1)",
        "WITH a AS (SELECT 1) SELECT * FROM a",
        "VALUES (1), (2)",
        "SELECT ';' AS a, ':b' AS b, '(' AS c -- ; ) :d",
        'SELECT "a;b" /* ; */ FROM t',
        "SELECT $$ ; $1 ) $$ AS a",
        "SELECT a::int, doc->'x' FROM t WHERE at > '12:30:00'",
        "SELECT parts[1:n] FROM t",
        "SELECT 10 % 3, 'a%s'",
    ],
)
def test_a_query_that_reads_is_taken_as_it_is(query):
    assert require_query(query, "postgresql") == query


@pytest.mark.parametrize("end", [";", " ; ", ";\n-- all\n"])
def test_a_last_semicolon_is_left_out(end):
    assert ";" not in require_query("SELECT 1" + end, "sqlite")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "begins with no word"),
        ("DELETE FROM t", "begins with DELETE"),
        ("/* SELECT */ UPDATE t SET a = 1", "begins with UPDATE"),
        ("SELECT 1; DROP TABLE t", "more than one statement"),
        ("SELECT ';'; SELECT 2", "more than one statement"),
        ("SELECT :day", "the parameter :day"),
        ("SELECT %(day)s", "the parameter %(day)s"),
        ("SELECT * FROM t WHERE a = %s", "the parameter %s"),
        ("SELECT $1", "the parameter $1"),
        ("SELECT ?", "the parameter ?"),
        ("SELECT 1) AS a, (SELECT 2", "bracket"),
        ("SELECT (1", "bracket"),
    ],
)
def test_what_is_no_single_reading_statement_is_refused(query, words):
    with pytest.raises(ParameterError) as told:
        require_query(query, "sqlite")
    assert words in told.value.what
    assert told.value.fix


def test_a_question_mark_is_an_operator_in_postgresql():
    assert require_query("SELECT doc ? 'a' FROM t", "postgresql")
