"""Digests of outputs: what has a meaning counts, what changes by itself does not."""

from hypothesis import given
from hypothesis import strategies as st

from penstock.notebooks._outputs import outputs_digest


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
