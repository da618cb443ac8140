"""Check on drawn rows that a transform computes the same bits for a row alone, in a batch and again."""

import json
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.core import DefinitionError
from penstock.features.views._columnar_bytes import encode_columns

if TYPE_CHECKING:
    import polars as pl

_ROWS = 48
_SEED = 20_260_105
# Names by which a function reaches values outside of the rows.
_OUTSIDE = {
    "now", "utcnow", "today", "time_ns", "perf_counter", "monotonic", "random", "default_rng",
    "urandom", "uuid4", "shuffle", "sample", "environ", "getenv", "open", "input",
}  # fmt: skip
_POOLS: dict[str, list[Any]] = {
    "Float": [0.0, -0.0, 1.0, -2.5, 1e300, 1e-300, float("inf"), float("nan"), 1 / 3],
    "Int": [0, 1, -1, 7, 100, -128, 127],
    "Boolean": [True, False],
    "String": ["", "a", "Zürich", "e\u0301", " 12 ", "null"],
    "Binary": [b"", b"a", b"\xff\x00"],
    "Date": [-1, 0, 19_782, 19_783],
    "Datetime": [-1, 0, 1_709_164_800_000_000, 1_761_440_400_000_000],
    "Decimal": [0, 1, -1, 25],
}


def require_pure(transform: Any, owner: str) -> None:
    """Check that a function uses no names of clocks, random numbers, files or the environment.

    Raises:
        DefinitionError: If there is such a name.
    """
    if isinstance(transform, Mapping):
        return
    if not callable(transform):
        raise DefinitionError(
            what=f"{owner.capitalize()} has a transform of type {type(transform).__name__}.",
            fix='Give expressions by feature, {"ratio": pl.col("a") / pl.col("b")}, or a function.',
        )
    code = getattr(transform, "__code__", None)
    outside = sorted({name for each in _codes(code) for name in each.co_names} & _OUTSIDE)
    if outside:
        raise DefinitionError(
            what=f"{owner.capitalize()} uses {', '.join(outside)}.",
            why="Its values would differ between training and serving.",
            fix="Declare what it needs as an input: request={…}.",
        )


def require_row_wise(
    compute: "Callable[[pl.DataFrame], pl.DataFrame]",
    inputs: "Mapping[str, pl.DataType]",
    owner: str,
    constants: Sequence[Any] = (),
) -> None:
    """Check on drawn rows that a row's result depends on that row only.

    Args:
        compute: The function.
        inputs: The dtypes of the inputs.
        owner: Name of the computation, for messages.
        constants: Values that the function compares with: rows have them, so that both branches
            of a condition are computed.

    Raises:
        DefinitionError: If the result differs when computed again, alone or in a different order.
    """
    rows = draw_rows(inputs, _ROWS, constants)
    whole = encode_columns(compute(rows).get_columns())
    if encode_columns(compute(rows).get_columns()) != whole:
        raise _refusal(owner, "computes different values when called again", "Remove what changes.")
    together = (
        "Use row-wise expressions: no mean, rank, shift, cumulative sum or fill from neighbours."
    )
    if encode_columns(compute(rows.reverse()).get_columns()) != whole[::-1]:
        raise _refusal(owner, "depends on the order of rows", together)
    for place in range(rows.height):
        if (
            encode_columns(compute(rows[place : place + 1]).get_columns())
            != whole[place : place + 1]
        ):
            raise _refusal(
                owner, "computes different values for a row alone and in a batch", together
            )


def constants_of(transform: Any) -> list[Any]:
    """Return the texts and numbers in expressions or in a function's code, with their neighbours."""
    if isinstance(transform, Mapping):
        constants = [
            value
            for each in transform.values()
            for value in _literals(json.loads(each.meta.serialize(format="json")))
        ]
    else:
        codes = _codes(getattr(transform, "__code__", None))
        constants = [value for code in codes for value in _flat(code.co_consts)]
    plain = [each for each in constants if isinstance(each, str | int | float)]
    return [*plain, *(v + d for v in plain if not isinstance(v, str) for d in (-1, 1))]


def draw_rows(
    inputs: "Mapping[str, pl.DataType]", height: int, constants: Sequence[Any] = ()
) -> "pl.DataFrame":
    """Return rows of inputs with nulls, edges, ordinary values and constants; the same each time."""
    import polars as pl

    rng = np.random.default_rng(_SEED)
    return pl.DataFrame(
        [_column(name, kind, height, rng, constants) for name, kind in inputs.items()]
    )


def _column(
    name: str, kind: Any, height: int, rng: np.random.Generator, constants: Sequence[Any]
) -> "pl.Series":
    import polars as pl

    if isinstance(kind, pl.List):
        lengths = rng.integers(0, 4, height).tolist()
        flat = _column(name, kind.inner, sum(lengths), rng, constants).to_list()
        ends = np.cumsum(lengths).tolist()
        values: list[Any] = [
            flat[end - length : end] for end, length in zip(ends, lengths, strict=True)
        ]
        values[0] = None
        return pl.Series(name, values, dtype=kind)
    pool = next(values for prefix, values in _POOLS.items() if str(kind).startswith(prefix))
    plain = pl.Series(name, [None, *pool]).cast(kind)
    if isinstance(kind, pl.String) or kind.is_numeric():
        is_kind = str if isinstance(kind, pl.String) else (int, float)
        own = [each for each in dict.fromkeys(constants) if isinstance(each, is_kind)]
        # Those that the dtype cannot have are left out.
        plain = plain.append(
            pl.Series(name, own, strict=False).cast(kind, strict=False).drop_nulls()
        )
    return plain.gather(rng.integers(0, len(plain), height))


def _literals(node: Any, *, inside: bool = False) -> Iterator[Any]:
    """Yield the values of literals in the JSON of an expression; bytes of lists are no values."""
    if isinstance(node, dict):
        for name, each in node.items():
            yield from _literals(each, inside=inside or name == "Literal")
    elif isinstance(node, list) and not inside:
        for each in node:
            yield from _literals(each)
    elif inside:
        yield node


def _flat(values: Any) -> Iterator[Any]:
    for each in values:
        if isinstance(each, tuple | frozenset):
            yield from _flat(each)
        else:
            yield each


def _codes(code: Any) -> Iterator[types.CodeType]:
    if isinstance(code, types.CodeType):
        yield code
        for each in code.co_consts:
            yield from _codes(each)


def _refusal(owner: str, what: str, fix: str) -> DefinitionError:
    return DefinitionError(
        what=f"{owner.capitalize()} {what}.",
        why="Serving computes one row at a time: its values would differ from those of training.",
        fix=fix,
    )
