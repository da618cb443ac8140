"""Digests of outputs: what has a meaning counts, what changes by itself does not."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.notebooks._outputs import join_streams, outputs_digest


def stream(text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": text}


@given(st.lists(st.text(alphabet="ab \n", max_size=5), max_size=6), st.integers(0, 6))
def test_the_chunks_of_a_stream_do_not_count(parts, place):
    warning = stream("careful", "stderr")
    chunks = [stream(part) for part in parts]
    chunks.insert(min(place, len(chunks)), warning)
    whole = [stream("".join(parts)), warning]
    assert outputs_digest(chunks) == outputs_digest(whole)


def test_what_a_reader_sees_counts():
    assert outputs_digest([stream("1")]) != outputs_digest([stream("2")])
    assert outputs_digest([stream("1")]) != outputs_digest([stream("1", "stderr")])
    shown = {"output_type": "display_data", "data": {"image/png": "iVBO"}}
    other = {"output_type": "display_data", "data": {"image/png": "iVBP"}}
    assert outputs_digest([shown]) != outputs_digest([other])


def test_addresses_times_and_ids_do_not_count():
    one = "<f at 0x7f11aa22bb33>\nWall time: 3 ms\nT_a1b2c_row0 12.1 ms ± 3 µs per loop"
    two = "<f at 0x7f11aa22bb44>\nWall time: 9 ms\nT_f9e8d_row0 15.0 ms ± 1 µs per loop"
    assert outputs_digest([stream(one)]) == outputs_digest([stream(two)])


@given(st.text(alphabet="ab\r\n", max_size=12))
def test_a_carriage_return_overwrites_its_line_as_nbclient_says(text):
    wanted = re.sub(r".*\r(?=[^\n])", "", text)
    assert join_streams([stream(text[:4]), stream(text[4:])])[0]["text"] == wanted


@given(st.text(alphabet="ab\n\b", max_size=12))
def test_a_backspace_erases_one_character_of_its_line(text):
    wanted, before = text, ""
    while wanted != before:
        before, wanted = wanted, re.sub(r"[^\n\x08]\x08|(?m:^)\x08", "", wanted, count=1)
    assert join_streams([stream(text)])[0]["text"] == wanted


def test_streams_are_joined_where_they_began_and_standard_output_comes_first():
    shown = {"output_type": "display_data", "data": {}}
    outputs = [stream("e1", "stderr"), stream("o1"), shown, stream("o2"), stream("e2", "stderr")]
    assert join_streams(outputs) == [stream("o1o2"), stream("e1e2", "stderr"), shown]


@pytest.mark.parametrize(
    "text", ["1" * 1_000_000, "/9j/" * 250_000, "5 %\r" * 250_000, "ab\b" * 300_000],
    ids=["digits", "picture", "progress", "erased"],
)  # fmt: skip
def test_a_line_of_a_million_characters_is_read_in_linear_time(text):
    """Where each place of the line is followed to its end, it takes hours."""
    began = time.process_time()
    outputs_digest(join_streams([stream(text)]))
    outputs_digest([{"output_type": "display_data", "data": {"image/png": text}}])
    assert time.process_time() - began < 30
