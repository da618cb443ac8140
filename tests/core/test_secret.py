"""A Secret is shown nowhere by accident: the same canary is looked for in every way out."""

import copy
import json
import logging
import pickle
import traceback

import pytest

from penstock.core import HIDDEN, Secret, SerializationError, redact, to_json

CANARY = "canary-7f3a9"


@pytest.mark.parametrize(
    "show",
    [
        str,
        repr,
        "{}".format,
        "{!r}".format,
        "{:>40}".format,
        "%s".__mod__,
        "%r".__mod__,
        lambda secret: repr([secret]),
        lambda secret: repr({"k": secret}),
        lambda secret: f"{secret}",
        lambda secret: json.dumps(to_json({"k": secret})),
    ],
)
def test_no_way_of_showing_has_the_text(show):
    shown = show(Secret(CANARY))
    assert CANARY not in shown
    assert HIDDEN in shown


def test_a_log_and_a_traceback_do_not_have_it(caplog):
    key = Secret(CANARY)
    logging.getLogger("x").warning("key %s of %r", key, {"key": key})
    with pytest.raises(ValueError) as raised:
        int(f"{key}")
    report = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
    assert CANARY not in caplog.text
    assert CANARY not in "".join(report.format())


@pytest.mark.parametrize("store", [pickle.dumps, copy.copy, copy.deepcopy])
def test_it_cannot_be_stored_or_copied(store):
    with pytest.raises(SerializationError, match="cannot be stored"):
        store(Secret(CANARY))


def test_it_is_compared_and_revealed():
    assert Secret(CANARY) == Secret(Secret(CANARY))
    assert Secret(CANARY) != Secret("other")
    assert Secret(CANARY) != CANARY
    assert len({Secret(CANARY), Secret(CANARY)}) == 1
    assert Secret(CANARY).reveal() == CANARY
    assert not Secret("")


@pytest.mark.parametrize(
    "text",
    [
        f"pst_abcdefgh12_{CANARY}{'x' * 40}",
        f"pss_abcdefgh12_{CANARY}{'x' * 40}",
        f"postgresql://ada:{CANARY}@db:5432/ml",
        f"Authorization: Bearer {CANARY}",
        f"authorization: basic {CANARY}=",
        f"$argon2id$v=19$m=65536,t=3,p=4${CANARY}${CANARY}",
        f"whsec_{CANARY.replace('-', '')}",
    ],
)
def test_known_shapes_are_taken_out_of_texts(text):
    told = redact(f"It failed: {text} was refused.")
    assert CANARY not in told
    assert CANARY.replace("-", "") not in told
    assert told.startswith("It failed: ")
    assert told.endswith(" was refused.")


@pytest.mark.parametrize("text", ["https://example.org/a@b", "a pst_ of 3", "run 1 of ada@example"])
def test_other_texts_stay(text):
    assert redact(text) == text
