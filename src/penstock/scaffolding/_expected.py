"""ExpectedRows: the properties of a table's rows, as expectations of later readings."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.data import Expectations, Snapshot
from penstock.scaffolding._layout import Bracketed, BracketElement
from penstock.scaffolding._notes import TableNotes
from penstock.scaffolding._writing import quote, write_list

if TYPE_CHECKING:
    import polars as pl

_SURE_ROWS = 1_000
"""Above this many rows without a missing value, a share of 0.3 % is ruled out (95 %)."""
_LISTED = 12


@dataclass(frozen=True, slots=True)
class ExpectedRows:
    """Expectations of a table's rows, as they are met now.

    Attributes:
        unique: Columns with a different value in every row.
        not_null: Columns with a role, without missing values: a row without a value stops a run.
        warned: Features without missing values: a missing value is a warning.
    """

    unique: tuple[str, ...] = ()
    not_null: tuple[str, ...] = ()
    warned: tuple[str, ...] = ()

    @property
    def declared(self) -> list[Expectations]:
        """The expectations by level: those that stop a run, and those that warn."""
        expectations = []
        if self.unique or self.not_null:
            expectations.append(Expectations(unique=self.unique, not_null=self.not_null))
        if self.warned:
            expectations.append(Expectations(not_null=self.warned, on_failure="warn"))
        return expectations

    def code(self) -> Bracketed:
        """Return the list of expectations as the pipeline's file has them."""
        items = []
        for each in self.declared:
            arguments = [
                BracketElement(f"{name}=", write_list([str(column) for column in columns]))
                for name, columns in (("unique", each.unique), ("not_null", each.not_null))
                if columns
            ]
            if each.on_failure != "stop":
                arguments.append(BracketElement(f"on_failure={quote(each.on_failure)}"))
            items.append(BracketElement("", Bracketed("ps.Expectations(", arguments, ")")))
        learned = "like the readings before, from the fourth one on"
        return Bracketed("[", [*items, BracketElement('"learned"', comment=learned)], "]")

    def check(self, snapshot: Snapshot) -> list[dict[str, Any]]:
        """Check rows, and return for each expectation the columns and the verdict."""
        kinds = (
            ("a different value in every row", Expectations(unique=self.unique)),
            ("no missing value", Expectations(not_null=self.not_null)),
            ("no missing value, else a warning", Expectations(not_null=self.warned)),
        )
        return [
            {
                "expects": text,
                "columns": [str(name) for name in (*each.unique, *each.not_null)],
                "findings": [finding.message for finding in each.check(snapshot)],
            }
            for text, each in kinds
            if each.unique or each.not_null
        ]


def expect_rows(snapshot: Snapshot, notes: TableNotes) -> ExpectedRows:
    """Return expectations of later readings of a table.

    >>> import polars as pl
    >>> from penstock.scaffolding._describe import describe_table
    >>> table = pl.DataFrame(
    ...     {
    ...         "row_id": range(60),
    ...         "size": [i * 7 % 13 for i in range(60)],
    ...         "paid": [i % 3 == 0 for i in range(60)],
    ...     }
    ... )
    >>> rows = Snapshot.of(table)
    >>> expect_rows(rows, describe_table(rows, target="paid")).unique
    ('row_id',)

    Args:
        snapshot: The rows.
        notes: The notes on them.
    """
    table = snapshot.table
    keys = [note.column for note in notes.left_out if note.kind == "identifier"]
    unique = [name for name in keys if _is_full(table[name]) and _is_unique(table[name])]
    times = notes.time.columns if notes.time else ()
    roles = [*unique, *times, notes.target, *([notes.group] if notes.group else [])]
    not_null = [name for name in dict.fromkeys(roles) if _is_full(table[name])]
    warned: list[str] = []
    if snapshot.rows >= _SURE_ROWS:
        warned = [n for n in notes.features if n not in roles and _is_full(table[n])][:_LISTED]
    return ExpectedRows(tuple(unique), tuple(not_null), tuple(warned))


def _is_full(series: "pl.Series") -> bool:
    is_missing = series.is_null().any()
    return not is_missing and not (series.dtype.is_float() and series.is_nan().any())


def _is_unique(series: "pl.Series") -> bool:
    return len(series) > 1 and series.n_unique() == len(series)
