import pytest

from penstock.core import with_article


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("int", "an int"),
        ("object", "an object"),
        ("OrderedDict", "an OrderedDict"),
        ("dict", "a dict"),
        ("UInt64", "a UInt64"),
        ("user", "a user"),
        ("upper", "an upper"),
        ("'amount'", "an 'amount'"),
        ("hour", "an hour"),
        ("", "a "),
    ],
)
def test_a_word_has_its_article(word, expected):
    assert with_article(word) == expected
    assert with_article(word, begins=True) == expected[0].upper() + expected[1:]
