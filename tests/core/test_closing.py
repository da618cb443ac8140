"""ClosedAtExit: one end for every with-block, also after an exception."""

import pytest

from penstock.core import ClosedAtExit


class Door(ClosedAtExit):
    def __init__(self):
        self.closed = 0

    def close(self):
        self.closed += 1


def test_a_block_returns_the_object_and_closes_it_once():
    door = Door()
    with door as entered:
        assert entered is door
        assert door.closed == 0
    assert door.closed == 1


def test_an_exception_closes_and_is_passed_on():
    door = Door()
    with pytest.raises(ValueError, match="stuck"), door:
        raise ValueError("stuck")
    assert door.closed == 1
