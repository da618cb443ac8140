"""Models inside of models: an estimator of ours that holds a network stores that network in the network's format."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from penstock.core import SerializationError
from penstock.stores.artifacts._value import Serialized, type_name
from penstock.stores.artifacts.models._protocol import StoredModel
from penstock.stores.artifacts.models._table import find_format, find_model_format

_writing: ContextVar[list[Serialized] | None] = ContextVar("penstock_nested_written", default=None)
_Code = tuple[Mapping[str, bytes], Mapping[str, str]]
_reading: ContextVar[_Code] = ContextVar("penstock_nested_read")


@contextmanager
def nested_written() -> Iterator[list[Serialized]]:
    """Let `nested_state` write, and gather the writes."""
    written: list[Serialized] = []
    token = _writing.set(written)
    try:
        yield written
    finally:
        _writing.reset(token)


@contextmanager
def nested_source(source: Mapping[str, bytes], digests: Mapping[str, str]) -> Iterator[None]:
    """Let `read_nested` find the recorded source, and the definitions that the record lists."""
    token = _reading.set((source, digests))
    try:
        yield
    finally:
        _reading.reset(token)


def nested_state(model: object) -> dict[str, Any] | None:
    """Return a model's stored form as plain values, for ``__getstate__`` of the outer estimator.

    None outside of a store: copies and pickles keep the model unchanged.

    Raises:
        SerializationError: If the model has no safe format.
    """
    written = _writing.get()
    if written is None:
        return None
    model_format = find_format(model)
    if model_format is None or not model_format.is_safe:
        raise SerializationError(
            what=f"{type_name(model)} has no safe stored form.",
            fix="Use a torch.nn.Module or an estimator.",
        )
    stored = model_format.write(model, "")
    written.append(stored)
    return {"format": model_format.name, "data": stored.data, "facts": dict(stored.metadata)}


def read_nested(state: Mapping[str, Any]) -> object:
    """Read a model from the result of `nested_state`, for ``__setstate__``.

    Raises:
        SerializationError: If the bytes are not the format, or the format is not safe.
    """
    model_format = find_model_format(str(state["format"]))
    if model_format is None or not model_format.is_safe:
        raise SerializationError(
            what=f"The model holds a model of the format {state['format']!r}, which is not allowed.",
            fix="Do not use this file; train the model again.",
        )
    source, listed = _reading.get(({}, {}))
    claimed = definitions_of(state["facts"])
    # The record lists the definitions; what stands in the bytes can only leave some out.
    digests = {name: listed[name] for name in claimed if name in listed}
    facts = {**state["facts"], "code": {"definitions": digests}}
    return model_format.read(StoredModel(state["data"], facts, source))


def definitions_of(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return the user's classes and functions that a record lists, with their digests."""
    return dict(facts.get("code", {}).get("definitions", {}))
