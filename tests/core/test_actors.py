"""Who is acting."""

import getpass
import threading

import pytest

from penstock.core import current_actor, is_same_person, use_actor


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("ada", "ADA ", True),
        ("Ada  Lovelace", "ada lovelace", True),
        ("straße", "STRASSE", True),
        ("ada", "ada2", False),
        ("", "ada", False),
    ],
)
def test_people_are_told_apart_by_name_not_by_spelling(first, second, same):
    assert is_same_person(first, second) is same


def test_a_process_without_a_user_name_is_unknown(monkeypatch):
    def nobody():
        raise OSError

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert current_actor() == "unknown"


def test_an_actor_is_named_for_a_block_and_its_thread_alone():
    before, seen = current_actor(), []
    with use_actor("ada"):
        thread = threading.Thread(target=lambda: seen.append(current_actor()))
        thread.start()
        thread.join()
        with use_actor("bob"):
            assert current_actor() == "bob"
        assert current_actor() == "ada"
    assert (current_actor(), seen) == (before, [before])
