"""Files of JSON lines: read right, or refused with the line."""

import codecs

import pytest

from penstock.core import DataError
from penstock.data import FileSource


def read(folder, content):
    (folder / "a.jsonl").write_bytes(content)
    return FileSource(folder / "a.jsonl").read()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"a": 1}\n{"a": 2', "line 2: Expecting ',' delimiter at character 8"),
        (b'{"a": 1}\n\noops\n{"a": 2}\n', "line 3: Expecting value"),
        (b'{"a": NaN}\n', "line 1: NaN is no JSON; null is a missing value"),
        (b'{"a": 1}\n{"a": 1e400}\n', "line 2: 1e400 is too large"),
        ('{"a": "Köln"}\n'.encode("latin-1"), "line 1: it is not UTF-8"),
        (b'{"a": "\\ud83d"}\n', "line 1: it has half of a surrogate pair"),
        (b'{"a": 1}{"a": 2}\n', "line 1: Extra data at character 9"),
        (b'[{"a": 1},\n {"a": }]', "Expecting value at line 2, character 8"),
    ],
)
def test_what_is_no_json_is_refused_with_its_line(tmp_path, content, words):
    with pytest.raises(DataError, match=r"a.jsonl is not JSON lines") as raised:
        read(tmp_path, content)
    assert words in str(raised.value)


def test_a_field_of_several_types_is_no_fault_of_a_line(tmp_path):
    with pytest.raises(DataError, match="a field whose values are of several types"):
        read(tmp_path, b'{"a": true}\n{"a": 2}\n')


@pytest.mark.parametrize(
    "content",
    [
        codecs.BOM_UTF8 + '{"a": "Köln"}\r\n'.encode(),
        '{"a": "Köln"}\n'.encode("utf-16"),
        codecs.BOM_UTF8 + '[{"a": "Köln"}]'.encode(),
    ],
)
def test_files_of_windows_are_read(tmp_path, content):
    assert read(tmp_path, content).rows() == [("Köln",)]


def test_objects_without_fields_are_missing_for_no_file_can_store_them(tmp_path):
    rows = read(tmp_path, b'{"a": {}, "b": {"c": {}, "d": 1}, "e": [{}]}\n')
    assert rows.rows() == [(None, {"c": None, "d": 1}, [None])]
    rows.write_parquet(tmp_path / "a.parquet")


def test_large_whole_numbers_among_decimal_ones_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"Column 'a' of a.jsonl .* whole ones of 16 digits"):
        read(tmp_path, b'{"a": 0.5, "b": 1}\n{"a": 9007199254740993}\n')
    assert read(tmp_path, b'{"a": 0.5}\n{"a": 1e20}\n')["a"].to_list() == [0.5, 1e20]
    assert read(tmp_path, b'[{"a": 9007199254740993}]')["a"].to_list() == [9007199254740993]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{"a": 1, "a": 2}\n', "line 1: an object has 'a' twice"),
        ('{"a":1,"b":1}\n{"a":2,"b":{"c":1,"c":2}}\n', "types"),
        ('{"a":1,"b":{"c":1}}\n{"a":2,"b":{"c":1,"c":2}}\n', "line 2: an object has 'c' twice"),
        ('[{"a" : 1, "b" : 2}, {"a" : 1, "b" : 2, "b" : 3}]', "an object has 'b' twice"),
    ],
)
def test_a_name_that_an_object_has_twice_is_refused_with_its_line(tmp_path, text, where):
    with pytest.raises(DataError, match=where):
        read(tmp_path, text.encode())


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "x\\":1, \\":2", "b": 1}\n{"a": "\\":", "b": 2}\n',
        '{"a": [{"b": 1}, {"b": 2}, {"b": 3}]}\n',
        '{"a": {"b": {"c": 1}}}\n{"d": 1}\n',
    ],
)
def test_names_in_texts_and_in_lists_of_objects_are_no_second_names(tmp_path, text):
    assert read(tmp_path, text.encode()).height == text.count("\n")
