"""Letters that nobody sees do not pass without a word, in names or in values."""

import pytest

from penstock.data import FileSource, ingest


@pytest.fixture
def read(tmp_path):
    def reading(text):
        path = tmp_path / "parts.csv"
        path.write_bytes(text.encode())
        snapshot = ingest(FileSource(path))
        return snapshot, {finding.rule: finding.message for finding in snapshot.findings}

    return reading


@pytest.mark.parametrize("before", ["\ufeff\ufeff", "\u200b", "\ufeff\x00"])
def test_a_name_loses_invisible_letters_with_a_warning(read, before):
    snapshot, told = read(f"{before}id,v\n1,a\n2,b\n")
    assert snapshot.table.columns == ["id", "v"]
    assert told["renamed"].startswith("Column 1 had letters in its name that cannot be seen")


@pytest.mark.parametrize(("letter", "code"), [("\x00", "U+0000"), ("\u200b", "U+200B")])
def test_an_invisible_letter_in_a_value_stays_and_is_named_with_its_line(read, letter, code):
    snapshot, told = read(f"id,v\n1,a\n2,a{letter}\n3,{letter}a\n")
    assert snapshot.table["v"].to_list() == ["a", f"a{letter}", f"{letter}a"]
    assert told["invisible"].startswith(f"parts.csv, line 3: {code} is in a value")


def test_letters_that_names_and_emoji_need_are_not_remarked(read):
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    snapshot, told = read(f"id,v\n1,{family}\n2,\u0645\u06cc\u200c\u062e\n3,\u200f\u0634\n")
    assert snapshot.table["v"][0] == family
    assert not {"invisible", "renamed"} & told.keys()
