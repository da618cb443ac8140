"""An error goes over the wire with its class, its sentences and its values."""

from pathlib import Path

import pytest

from penstock.core import (
    ConflictError,
    GateError,
    GateResult,
    GateState,
    NotFoundError,
    ParameterError,
    StoreError,
)
from penstock.stores.rest import error_from_json, error_to_json


@pytest.mark.parametrize("kind", [ConflictError, NotFoundError, ParameterError, StoreError])
def test_the_class_and_the_sentences_come_back(kind):
    error = kind(what="It moved.", why="So.", fix="Try.", revision=3, path=Path("a"), odd=object)
    back = error_from_json(error_to_json(error))
    assert (type(back), str(back), back.revision, back.path) == (kind, str(error), 3, Path("a"))


def test_the_gates_of_a_refusal_come_back_as_gates():
    gates = (GateResult("auc >= 0.7", GateState.FAILED, "0.6"),)
    back = error_from_json(error_to_json(GateError(what="No.", gates=gates, reasons=("auc",))))
    assert (back.gates, back.reasons) == (gates, ("auc",))
    named = ParameterError(what="Erased.", gates=["auc >= 0.7"])
    assert error_from_json(error_to_json(named)).gates == ["auc >= 0.7"]


def test_an_answer_of_a_stranger_is_an_error_of_the_store():
    odd = {"type": "SystemExit", "what": "x", "values": {"__class__": 1, "what": 2, "a b": 3}}
    back = error_from_json(odd)
    assert type(back) is StoreError
    assert (back.what, back.why) == ("x", "")
    assert error_from_json({}).what == ""
