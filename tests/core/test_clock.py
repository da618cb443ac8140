"""The clock, which tests replace."""

from datetime import UTC, datetime

from penstock.core import (
    now,
    set_clock,
)


def test_the_clock_can_be_replaced():
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    set_clock(lambda: moment)
    try:
        assert now() == moment
    finally:
        set_clock(None)
    assert now().tzinfo is UTC
    assert now() != moment
