"""Found: values looked up for a row of a request, and their form in the prediction log."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

Row = Mapping[str, Any]


@dataclass(slots=True)
class Found:
    """Values looked up for a row of a request: values by column, and the record by view."""

    values: dict[str, Any] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)


def plain_values(values: Row) -> dict[str, Any]:
    """Return values as plain JSON."""
    return {name: _plain_value(value) for name, value in values.items()}


def _plain_value(value: Any) -> Any:
    match value:
        case datetime() | date():
            return value.isoformat()
        case Decimal():
            return str(value)
        case bytes():
            return value.hex()
        case list():
            return [_plain_value(each) for each in value]
        case _:
            return value
