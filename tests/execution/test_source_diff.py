"""The lines of one definition that differ."""

from penstock.execution._source_diff import diff_definition

BEFORE = b"import math\n\nRATE = 1\n\ndef scale(x):\n    return x * RATE\n\ndef other(): ...\n"
AFTER = b"import math\n\nRATE = 2\n\ndef scale(x):\n    return x / RATE\n\ndef other(): ...\n"


def changed(place):
    lines = diff_definition({"job.py": BEFORE}, {"job.py": AFTER}, place)
    return [line for line in lines if line[0] in "+-"]


def test_only_the_lines_of_the_definition_are_compared():
    assert changed("job.py:scale") == ["-    return x * RATE", "+    return x / RATE"]
    assert changed("job.py:RATE") == ["-RATE = 1", "+RATE = 2"]
    assert changed("job.py:other") == []


def test_a_file_that_is_gone_or_cannot_be_read_has_no_lines():
    assert diff_definition({}, {}, "job.py:scale") == ()
    assert diff_definition({"job.py": b"def ("}, {"job.py": b"def ("}, "job.py:scale") == ()
