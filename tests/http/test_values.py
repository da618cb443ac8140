"""Bodies that are small to send and large to read."""

import time
import tracemalloc

import pytest

from penstock.core import ParameterError
from penstock.http import MOST_VALUES, require_few_values


def test_a_body_of_many_values_is_refused_before_it_is_read():
    body = b"[" + b"[]," * MOST_VALUES + b"[]]"
    tracemalloc.start()
    with pytest.raises(ParameterError, match="values"):
        require_few_values(body)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * len(body)


def test_signs_in_a_long_text_are_no_values():
    body = b'{"text": "' + b'[,\\"{' * MOST_VALUES + b'"}'
    require_few_values(body)
    assert body.count(b"[") == MOST_VALUES


def test_a_text_without_an_end_takes_no_longer():
    started = time.perf_counter()
    with pytest.raises(ParameterError):
        require_few_values(b'"' + b"\\\\," * (MOST_VALUES + 1))
    assert time.perf_counter() - started < 20
