"""Parsing of a JSON value for a column of dates or times; see the table in `_values`."""

from datetime import UTC, date, datetime, time
from typing import Any

from penstock.models._refusal import Refusal, as_float
from penstock.tables import Column, from_seconds

FIRST_SECOND = 1e8  # before March 1973: more likely a counter than a time
_COMPACT = (19_000_101, 21_001_231)
_LATEST = datetime(2500, 1, 1, tzinfo=UTC).timestamp()  # later "seconds" are milliseconds


def read_datetime(value: Any, column: Column) -> datetime:
    """Read an ISO time or seconds since 1970.

    Where training times have a zone, a time without a zone is in UTC. Where they have none, an
    offset is refused: whether training meant the local clock or UTC cannot be known.
    """
    moment = _moment(value)
    if column.has_zone:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    if moment.tzinfo is None:
        return moment
    if type(value) not in {int, float}:
        local = moment.replace(tzinfo=None).isoformat()
        raise Refusal(
            f"Training times have no offset; send the time on their clock, for example '{local}'."
        )
    return moment.replace(tzinfo=None)


def read_date(value: Any, _column: Column) -> date:
    """Read an ISO date; for a time, return the day.

    A time with an offset is accepted at midnight only: 23:00 in a zone is the next day elsewhere,
    and training days have no zone.
    """
    if type(value) is date:
        return value
    moment = _moment(value)
    if isinstance(value, str) and moment.tzinfo is not None and moment.time() != time():
        raise Refusal(
            "Training holds days without a zone; send the day that is meant, for example "
            f"'{moment.date()}'."
        )
    return moment.date()


def read_time(value: Any, _column: Column) -> time:
    """Read an ISO time of day."""
    if isinstance(value, time):
        return value.replace(tzinfo=None)
    try:
        return time.fromisoformat(value).replace(tzinfo=None)
    except (TypeError, ValueError):
        raise Refusal("Write for example '12:30:00', or null if it is missing.") from None


def _moment(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - the caller sets the zone
    if type(value) in {int, float}:
        return _from_seconds(value)
    try:
        text = value.strip()
        return datetime.fromisoformat(f"{text[:-3].rstrip()}Z" if text.endswith("UTC") else text)
    except (AttributeError, TypeError, ValueError):
        raise Refusal("Write it so, or send null if it is missing.") from None


def _from_seconds(value: float) -> datetime:
    seconds = as_float(value)
    day = _compact_day(seconds)
    if day is not None:
        return day
    if abs(seconds) < FIRST_SECOND:
        raise Refusal(
            "It is neither a day such as 20160630 nor seconds since 1970 in this age; send ISO text."
        )
    if abs(seconds) < _LATEST:
        return from_seconds(value)
    if abs(seconds) < _LATEST * 1_000_000:
        raise Refusal("These look like milliseconds or microseconds; send seconds since 1970.")
    raise Refusal("No time lies that far away.")


def _compact_day(number: float) -> datetime | None:
    """Read a number such as 20160630 as that day: as seconds the number would be in August 1970."""
    if not _COMPACT[0] <= number <= _COMPACT[1] or number != int(number):
        return None
    try:
        return datetime.strptime(str(int(number)), "%Y%m%d")  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise Refusal("It looks like a day such as 20160630, but there is no such day.") from None
