"""Operation: a method of a noun as an operation over HTTP, read from the protocol's signature.

A new method of a protocol is served, described and called without code here; only its permission
is written, in `RULES`.
"""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, get_origin, get_type_hints

from penstock.core import ParameterError, did_you_mean
from penstock.stores.artifacts._protocol import ArtifactStore
from penstock.stores.metadata._protocol import MetadataStore
from penstock.stores.rest._rules import RULES, Rule
from penstock.stores.rest._wire import DIGEST, Schema, Wire, refuse, wire_of

BYTES = "bytes"
# Bytes are streamed by routes of their own; a callable and transactions do not cross the wire.
_ELSEWHERE = frozenset(
    {"write", "write_many", "write_file", "write_files", "read", "read_range", "fetch", "path"}
)
_STAYS = frozenset({"holds"})
_REQUIRED = inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the store.

    Args:
        noun: Name of the noun, such as ``runs``.
        verb: Name of the method, such as ``search``.
        summary: First line of the method's description.
        rule: Permission, and what the signature does not say.
        parameters: Form by name of parameter.
        required: Names of the parameters without default.
        positional: Names of the parameters that may be passed by position, in order.
        fields: Form by name of the fields that may be changed; empty for most operations.
        result: Form of the result.
        is_many: Whether the result is a list or a dict, which is sent in pages.
    """

    noun: str
    verb: str
    summary: str
    rule: Rule
    parameters: Mapping[str, Wire]
    required: frozenset[str]
    positional: tuple[str, ...]
    fields: Mapping[str, Wire]
    result: Wire
    is_many: bool

    @property
    def path(self) -> str:
        """Path below the API's root."""
        return f"{self.noun}/{self.verb.replace('_', '-')}"

    def write_arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return a call's arguments as plain JSON."""
        given = {**dict(zip(self.positional, args, strict=False)), **kwargs}
        forms = {**self.fields, **self.parameters}
        return {
            name: (forms[name] if name in forms else wire_of(Any)).write(value)
            for name, value in given.items()
            if name not in _STAYS
        }

    def read_arguments(self, document: Any) -> dict[str, Any]:
        """Read the arguments of a call.

        Raises:
            ParameterError: If they do not fit.
        """
        if type(document) is not dict:
            raise refuse("The body", document, "an object with the arguments by name")
        forms = {**self.fields, **self.parameters}
        for name in document:
            if name not in forms:
                raise self._unknown(name[:80], forms)
        for name in self.required - set(document):
            raise refuse(name, None, "given")
        return {name: forms[name].read(value, name) for name, value in document.items()}

    def _unknown(self, name: str, forms: Mapping[str, Wire]) -> ParameterError:
        kind = self.rule.changes.__name__.removesuffix("Record") if self.rule.changes else ""
        what = f"{name!r} of a {kind.lower()} cannot be changed." if kind else ""
        return ParameterError(
            what=what or f"{self.noun}.{self.verb} has no parameter {name!r}.",
            why="The server would have to ignore it.",
            fix=did_you_mean(name, forms),
            field=name,
        )

    @property
    def body(self) -> Schema:
        """JSON Schema of the arguments."""
        forms = {**self.fields, **self.parameters}
        return {
            "type": "object",
            "properties": {name: wire.schema for name, wire in forms.items()},
            "required": sorted(self.required),
            "additionalProperties": False,
        }

    @property
    def schemas(self) -> dict[str, Schema]:
        """Schemas that body and result refer to."""
        wires = [*self.fields.values(), *self.parameters.values(), self.result]
        return {name: part for wire in wires for name, part in wire.parts.items()}


@lru_cache(maxsize=1)
def nouns() -> dict[str, Any]:
    """Return the protocol of every noun of the store, the bytes among them."""
    found = {
        name: get_type_hints(each.fget)["return"]
        for name, each in vars(MetadataStore).items()
        if isinstance(each, property) and name != "database"
    }
    return {**found, BYTES: ArtifactStore}


@lru_cache(maxsize=1)
def operations() -> dict[str, dict[str, Operation]]:
    """Return all operations by noun and verb.

    Raises:
        TypeError: If an operation has no rule: it would be open to everyone, or to nobody.
    """
    return {
        noun: {
            verb: _operation(noun, verb, method)
            for verb, method in vars(protocol).items()
            if inspect.isfunction(method)
            and not verb.startswith("_")
            and verb not in _skipped(noun)
        }
        for noun, protocol in nouns().items()
    }


def _skipped(noun: str) -> frozenset[str]:
    return _ELSEWHERE if noun == BYTES else frozenset()


def _operation(noun: str, verb: str, method: Any) -> Operation:
    rule = RULES.get(noun, {}).get(verb)
    if rule is None:
        raise TypeError(
            f"The operation {noun}.{verb} declares no permission: add it to RULES in"
            " penstock/stores/rest/_rules.py."
        )
    hints = get_type_hints(method)
    found = list(inspect.signature(method).parameters.values())[1:]
    named = [
        each for each in found if each.kind is not each.VAR_KEYWORD and each.name not in _STAYS
    ]
    positional = tuple(each.name for each in named if each.kind is each.POSITIONAL_OR_KEYWORD)
    return Operation(
        noun,
        verb,
        (inspect.getdoc(method) or verb).partition("\n")[0],
        rule,
        {each.name: _parameter(noun, each.name, hints[each.name]) for each in named},
        frozenset(each.name for each in named if each.default is _REQUIRED),
        positional,
        _fields(rule, {each.name for each in found}),
        wire_of(hints["return"]),
        get_origin(hints["return"]) in {list, dict, Sequence},
    )


def _parameter(noun: str, name: str, hint: Any) -> Wire:
    wire = wire_of(hint)
    # Bytes have no other name; elsewhere the beginning of a digest may do.
    return replace(wire, schema=DIGEST) if (noun, name) == (BYTES, "digest") else wire


def _fields(rule: Rule, named: set[str]) -> dict[str, Wire]:
    """Return the forms of a record's fields; the signature's own names go first."""
    if rule.changes is None:
        return {}
    hints = get_type_hints(rule.changes)
    return {name: wire_of(hint) for name, hint in hints.items() if name not in named}
