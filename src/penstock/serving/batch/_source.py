"""The source of a batch: rows as they are written, so that each cell is judged as in a request."""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from penstock.core import ParameterError
from penstock.data import DataSource
from penstock.data.sources import FileSource, RememberingSource, Scan, open_source
from penstock.models import Signature
from penstock.tables import read_frame
from penstock.tables.reading import ReadingRule, ValueType

if TYPE_CHECKING:
    import polars as pl

_PLAIN: dict[str, ValueType] = {"number": "number", "integer": "integer", "boolean": "boolean"}


def source_of(data: object, signature: Signature) -> DataSource:
    """Return a source of the rows, which leaves texts as they are written.

    Args:
        data: A source, a frame, or the text of a source.
        signature: The model's.

    Raises:
        ParameterError: If the value is none of these.
    """
    if isinstance(data, str | os.PathLike):
        source = open_source(os.fspath(data))
    elif isinstance(data, DataSource) and not isinstance(data, type):
        source = data
    else:
        frame = read_frame(data)
        if frame is None:
            raise ParameterError(
                what=f"data is {type(data).__name__}, no source of rows.",
                fix='Give a file, a URL, a frame, or a source such as FileSource("rides.csv").',
            )
        return _Frame(frame)
    # Read as they are written: the checker of requests reads texts as in training, and refuses those
    # that it cannot read. A source would make a few odd cells missing, and their rows be predicted.
    texts = {
        each.name: ReadingRule("text") for each in signature.inputs if each.reading is not None
    }
    if isinstance(source, RememberingSource):
        source = source.remembering(texts)
    if isinstance(source, FileSource):
        source = source.as_written(signature.names)
    return source


def rules_of(
    table: "pl.DataFrame", signature: Signature, written: Mapping[str, ReadingRule]
) -> dict[str, ReadingRule]:
    """Return the rules of the inputs that were no texts in training and are texts in the source.

    A source leaves a column as text where some values cannot be read: the rest is read.

    Args:
        table: Rows of the source.
        signature: The model's.
        written: Reading rules of the source, by column.
    """
    rules = {}
    for column in signature.inputs:
        rule = written.get(column.name)
        if rule is None or not _is_text(table, column.name):
            continue
        if rule.type == "json":
            rules[column.name] = rule
        if column.reading is not None or rule.type == "json":
            continue
        if column.family in {"text", "enum"}:  # a text is what the model takes
            continue
        if rule.type != "text":
            rules[column.name] = rule
        elif column.family in _PLAIN:
            rules[column.name] = replace(rule, type=_PLAIN[column.family])
    return rules


def _is_text(table: "pl.DataFrame", name: str) -> bool:
    return name in table.columns and str(table.schema[name]) == "String"


class _Frame:
    """A frame as a source."""

    name, time = "frame", None

    def __init__(self, frame: "pl.DataFrame") -> None:
        self._frame = frame

    def describe(self) -> dict[str, Any]:
        return {"type": "frame", "columns": self._frame.columns, "rows": self._frame.height}

    def fingerprint(self, since: Any = None, cutoff: Any = None) -> None:  # noqa: ARG002 - the protocol
        return None

    def scan(self, since: Any = None, cutoff: Any = None) -> Scan:  # noqa: ARG002 - the protocol
        return Scan([self._frame])
