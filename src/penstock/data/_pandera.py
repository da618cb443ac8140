"""PanderaExpectations: a pandera schema as expectations of the rows that ingest reads."""

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.core import ParameterError, require_choice, summarize_error, with_article
from penstock.data._expectations import LEVELS_OF, RULE, OnFailure
from penstock.data._finding import Finding
from penstock.data._snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class PanderaExpectations:
    """A pandera schema; rows that fail a check stop the step, or are warned of.

    ``expect=schema`` of ingest means the same. The rows are checked, never coerced or filtered.

    Args:
        schema: A ``DataFrameSchema`` or ``DataFrameModel`` of ``pandera.polars`` or
            ``pandera.pandas``.
        on_failure: ``stop`` fails the step, and nothing is stored; ``warn`` is a finding.
    """

    schema: Any
    on_failure: OnFailure = "stop"

    def __post_init__(self) -> None:
        require_choice("on_failure", self.on_failure, ("stop", "warn"))
        if not is_pandera(self.schema):
            raise ParameterError(
                what=f"{self.schema!r:.80} is no schema of pandera.",
                fix="Give a DataFrameSchema or a DataFrameModel of pandera.polars.",
            )

    def check(self, snapshot: Snapshot) -> list[Finding]:
        """Return a finding for each check of the schema that rows fail.

        Raises:
            ParameterError: If the schema cannot be applied at all.
        """
        errors: Any = importlib.import_module("pandera.errors")
        rows: Any = snapshot.table
        if "pandas" in _module(self.schema):
            rows = rows.to_pandas()
        try:
            self.schema.validate(rows, lazy=True)
        except errors.SchemaErrors as error:
            level = LEVELS_OF[self.on_failure]
            failures = _told(_as_frame(error.failure_cases), snapshot.rows)
            return [Finding(level, RULE, column, message) for column, message in failures]
        except Exception as error:
            raise ParameterError(
                what=f"The pandera schema cannot be applied to the rows: {summarize_error(error)}",
                fix="Check it alone: schema.validate(snapshot.table, lazy=True)",
            ) from error
        return []


def is_pandera(value: object) -> bool:
    """Return whether a value is a schema or a model of pandera."""
    return _module(value).startswith("pandera.") and callable(getattr(value, "validate", None))


def _module(value: object) -> str:
    kinds = value.__mro__ if isinstance(value, type) else type(value).__mro__
    return next((kind.__module__ for kind in kinds if kind.__module__.startswith("pandera.")), "")


def _as_frame(cases: Any) -> "pl.DataFrame":
    import polars as pl

    texts = {
        name: [None if value is None else str(value) for value in list(cases[name])]
        for name in ("column", "check", "failure_case", "index")
    }
    return pl.DataFrame(texts, schema=dict.fromkeys(texts, pl.String))


def _told(cases: "pl.DataFrame", rows: int) -> "Iterator[tuple[str, str]]":
    for (column, check), failed in cases.group_by(["column", "check"], maintain_order=True):
        name = str(column or "")
        examples = failed["failure_case"].unique(maintain_order=True).head(_EXAMPLES)
        shown = ", ".join(str(value) for value in examples)
        if failed["index"].drop_nulls().is_in(["None", "nan"]).all():  # of the column as a whole
            yield name, f"{f'Column {name!r}' if name else 'The table'} fails {check}: {shown}."
        else:
            where = f"{with_article(repr(name))} that fails" if name else "values that fail"
            yield name, f"{failed.height:,} of {rows:,} rows have {where} {check}, such as {shown}."
