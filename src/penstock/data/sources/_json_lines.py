"""JSON lines, or an array of objects: a table, or the line that is no JSON."""

import io
import json
import math
import re
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.core import DataError
from penstock.data.sources._json_mixed import objects_of, pack
from penstock.data.sources._text import read_bytes, to_utf8
from penstock.data.sources.kafka._json import is_unicode

if TYPE_CHECKING:
    import polars as pl

    from penstock.data._finding import Finding


class MixedTypesError(DataError):
    """The values of a field are of types that do not go together."""


_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_NAME_ENDS = (b'":', b'" :', b'"\t:')  # as nearly every program writes them
_EXACT = 2**53  # whole numbers up to here are exact as floats


def read_json(file: Path, packed: Collection[str] = ()) -> "tuple[pl.DataFrame, list[Finding]]":
    """Read the objects of a file; objects without fields are missing values.

    Args:
        file: The file.
        packed: Fields whose values become texts that hold JSON.

    Raises:
        MixedTypesError: If the types of a field's values do not go together.
        DataError: If the file is no JSON, with the line.
    """
    import polars as pl

    content, findings = to_utf8(read_bytes(file), file)
    if not content.strip():
        return pl.DataFrame(), findings
    if fault := has_lone_surrogates(content):
        raise no_json(file, fault)
    lines = pack(objects_of(content), packed) if packed else content
    read = pl.read_json if lines.lstrip().startswith(b"[") else pl.read_ndjson
    try:
        table = read(io.BytesIO(lines), infer_schema_length=None)
    except pl.exceptions.PolarsError as error:
        raise unreadable(file, content) or _mixed(file, error) from error
    require_exact(file, content, table)
    require_distinct(file, content, table)
    return with_stored_types(table), findings


def has_lone_surrogates(content: bytes, lines: int = 0) -> str:
    """Return the first fault of content with half of a surrogate pair; empty if it has none.

    The reader would take it for another character.

    Args:
        content: JSON lines or an array.
        lines: Number of lines before it.
    """
    return _first_fault(content, lines) if _SURROGATE.search(content) else ""


def with_stored_types(table: "pl.DataFrame") -> "pl.DataFrame":
    """Return a table whose objects without fields are missing: no file could store them."""
    return table.with_columns(map(_without_empty, table.iter_columns()))


def require_exact(file: Path, content: bytes, table: "pl.DataFrame") -> None:
    """Refuse large whole numbers among decimal ones, which would lose their last digits.

    Raises:
        DataError: If there are such numbers.
    """
    floats = [series for series in table.iter_columns() if series.dtype.is_float()]
    names = [each.name for each in floats if bool((each.abs() >= _EXACT).any())]
    if not names:
        return
    for row in objects_of(content):
        for name in names:
            value = row.get(name)
            if isinstance(value, int) and abs(value) > _EXACT:
                raise DataError(
                    what=f"Column {name!r} of {file.name} has decimal numbers, and whole ones of"
                    f" {len(str(abs(value)))} digits.",
                    why="As numbers with decimals they would lose their last digits.",
                    fix="Write identifiers as texts.",
                    path=file,
                    column=name,
                )


def require_distinct(file: Path, content: bytes, table: "pl.DataFrame", lines: int = 0) -> None:
    """Refuse objects that have a name twice: this reader takes the first value, others the last.

    Found where there are more names than rows and columns have room for, which is so unless as many
    fields are left out.

    Args:
        file: The file.
        content: The content, or a block of it.
        table: What was read of it.
        lines: Number of lines before the block.

    Raises:
        DataError: If one has, with the line.
    """
    fields = sum(map(_fields_of, table.dtypes))
    if sum(map(content.count, _NAME_ENDS)) <= table.height * fields:
        return
    if content.lstrip().startswith(b"["):
        repeated = _repeated(content)
        if repeated:
            raise no_json(file, f"an object has {repeated!r} twice")
        return
    for number, line in enumerate(content.split(b"\n"), lines + 1):
        repeated = _repeated(line) if line.strip() else ""
        if repeated:
            raise no_json(file, f"line {number:,}: an object has {repeated!r} twice")


def _fields_of(dtype: "pl.DataType") -> float:
    """Return how many names a value has at most, its own included."""
    import polars as pl

    if isinstance(dtype, pl.List):
        return math.inf if "Struct" in str(dtype) else 1
    if isinstance(dtype, pl.Struct):
        inner: list[Any] = [field.dtype for field in dtype.fields]
        return 1.0 + sum(map(_fields_of, inner))
    return 1


def _repeated(text: bytes) -> str:
    """Return a name that an object has twice; empty if none has."""
    found: list[str] = []

    def note(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        found.extend(name for name in names if names.count(name) > 1)

    json.loads(text, object_pairs_hook=note)
    return found[0] if found else ""


def unreadable(file: Path, content: bytes, lines: int = 0) -> DataError | None:
    """Return the error of content that is no JSON; None if its types do not go together.

    Args:
        file: The file.
        content: The content, or a block of it.
        lines: Number of lines before the block.
    """
    fault = _first_fault(content, lines)
    return no_json(file, fault) if fault else None


def _mixed(file: Path, error: Exception) -> MixedTypesError:
    return MixedTypesError(
        what=f"{file.name} has a field whose values are of several types: {_first_line(error)}.",
        why="The lines of a file are one table.",
        fix="Write each field with the same type in every line.",
        path=file,
    )


def no_json(file: Path, fault: str) -> DataError:
    """Return the error of a file with a fault."""
    return DataError(
        what=f"{file.name} is not JSON lines: {fault}.",
        fix='Write one object a line: {"a": 1, "b": "x"}.',
        path=file,
    )


def _first_fault(content: bytes, lines: int = 0) -> str:
    """Return where a file is no JSON; empty if only the types of its values do not go together."""
    if content.lstrip().startswith(b"["):
        return _fault(content)
    for number, line in enumerate(content.split(b"\n"), lines + 1):
        fault = _fault(line) if line.strip() else ""
        if fault:
            return f"line {number:,}: {fault}"
    return ""


def _fault(text: bytes) -> str:
    try:
        value = json.loads(text.decode(), parse_constant=_refuse, parse_float=_float)
        if not is_unicode(value):
            return "it has half of a surrogate pair, which is no character"
    except UnicodeDecodeError:
        return "it is not UTF-8"
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, " if error.lineno > 1 else ""
        return f"{error.msg} at {at}character {error.colno}"
    except RecursionError:
        return "it is nested too deeply"
    except ValueError as error:
        return str(error)
    return ""


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON; null is a missing value")


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text:.40} is too large for a float")
    return number


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")


def _without_empty(series: "pl.Series") -> "pl.Series":
    """Return a column whose objects without fields are missing: no file could store them."""
    import polars as pl

    dtype = _stored(series.dtype)
    if dtype == series.dtype:
        return series
    return pl.Series(series.name, [_present(value) for value in series.to_list()], dtype=dtype)


def _stored(dtype: Any) -> "pl.DataType":
    import polars as pl

    if isinstance(dtype, pl.List):
        return pl.List(_stored(dtype.inner))
    if isinstance(dtype, pl.Struct):
        fields = {field.name: _stored(field.dtype) for field in dtype.fields}
        return pl.Struct(fields) if fields else pl.String()
    made: pl.DataType = dtype
    return made


def _present(value: Any) -> Any:
    if isinstance(value, list):
        return [_present(each) for each in value]
    if isinstance(value, dict):
        return {name: _present(each) for name, each in value.items()} or None
    return value
