"""Errors become statuses, bodies become values, and what is no JSON is refused with a reason."""

import json

import msgspec
import pytest

from penstock.core import (
    ConflictError,
    DataError,
    NotFoundError,
    ParameterError,
    PenstockError,
    SchemaError,
    SerializationError,
    StoreError,
)
from penstock.http import (
    MOST_VALUES,
    Call,
    HttpError,
    encode_json,
    read_json,
    render_error,
    reply_json,
    status_of,
)

DECODER = msgspec.json.Decoder(dict[str, float | None])


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFoundError("x"), 404),
        (ConflictError("x"), 409),
        (DataError("x"), 400),
        (SchemaError("x"), 400),
        (SerializationError("x"), 422),
        (StoreError("x"), 503),
        (PenstockError("x"), 500),
        (HttpError(415, "x"), 415),
    ],
)
def test_an_error_has_a_status(error, status):
    assert status_of(error) == status
    assert render_error(error).status == status


def test_an_error_is_rendered_with_its_sentences_and_details():
    reply = render_error(DataError("No number.", "A", "B", field="miles", secret=1))
    assert json.loads(reply.body) == {
        "error": {"what": "No number.", "why": "A", "fix": "B", "field": "miles"}
    }
    assert reply.headers == []


def test_an_error_that_passes_asks_to_try_again():
    assert render_error(StoreError("Down.")).headers == [(b"retry-after", b"1")]


def test_a_body_is_read():
    assert read_json(b'{"a": 1, "b": null}', DECODER, "{}") == {"a": 1.0, "b": None}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"a": NaN}', "The body has NaN, which is not JSON"),
        (b'{"a": -Infinity}', "The body has -Infinity"),
        (b'{"NaN": "x"}', "The body cannot be read"),  # the word stands in a text
        (b"\xff", "The body cannot be read"),
        (b"[" * 100_000, "The body cannot be read"),
    ],
)
def test_a_body_that_is_no_json_is_refused(body, said):
    with pytest.raises(HttpError, match=said) as refused:
        read_json(body, DECODER, '{"a": 1}')
    assert refused.value.status == 400


def test_headers_are_found_by_name():
    call = Call({}, [(b"host", b"a"), (b"x-note", b"\xe4")], b"")
    assert (call.header(b"x-note"), call.header(b"none")) == ("ä", None)


def test_a_reply_encodes_what_json_does_not_know_as_text():
    assert reply_json({"at": {1}}).body in {b'{"at":[1]}', b'{"at":"{1}"}'}


def test_half_a_character_does_not_break_an_answer():
    told = {"a\ud800": ["\udfff", {"x": "\U0001f41f\ud83d"}], "n": 1.5}
    assert encode_json(told).decode() == '{"a\ufffd":["\ufffd",{"x":"\U0001f41f\ufffd"}],"n":1.5}'
    error = HttpError(400, "\ud800 is unknown.")
    assert render_error(error).body.decode().startswith('{"error":{')


def test_a_body_with_millions_of_values_is_refused_before_it_is_read():
    body = b"[" + b"[]," * MOST_VALUES + b"[]]"
    with pytest.raises(ParameterError, match="The body has"):
        read_json(body, msgspec.json.Decoder(list), "[1]")


def test_a_name_that_is_not_utf8_is_refused_where_nobody_reads_it_too():
    class Form(msgspec.Struct):
        id: str = ""

    with pytest.raises(HttpError, match="cannot be read") as refused:
        read_json(b'{"id": "1", "param\xa8ters": {}}', msgspec.json.Decoder(Form), "{}")
    assert refused.value.status == 400
    assert read_json('{"id": "ä", "ö": 1}'.encode(), msgspec.json.Decoder(Form), "{}").id == "ä"
