"""Who is acting."""

import getpass

import pytest

from penstock.core import current_actor, is_same_person


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
