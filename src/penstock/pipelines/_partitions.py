"""Partitions: the days or keys that a pipeline is run for, and their parameters."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import islice, product, takewhile
from typing import Any, Literal
from zoneinfo import ZoneInfo

from penstock.core import DefinitionError, NotFoundError, ParameterError, did_you_mean

Unit = Literal["hour", "day", "week", "month"]
_FORMS: Mapping[str, str] = {
    "hour": "%Y-%m-%dT%H",
    "day": "%Y-%m-%d",
    "week": "%Y-%m-%d",
    "month": "%Y-%m",
}
_WINDOW = ("since", "cutoff")
_BETWEEN = "/"  # separates the values of a key with several names


@dataclass(frozen=True, slots=True)
class Partitions:
    """The partitions of a pipeline, each with a separate run.

    >>> days = Partitions.daily("2016-01-01", until="2016-01-04")
    >>> days.keys()
    ['2016-01-01', '2016-01-02', '2016-01-03']
    >>> days.parameters("2016-01-02")
    {'since': datetime.date(2016, 1, 2), 'cutoff': datetime.date(2016, 1, 3)}
    >>> Partitions.by(company=["Flash", "Sun"]).keys()
    ['Flash', 'Sun']

    A pipeline declares its partitions with ``@pipeline(partitions=…)``. Runs are tagged with their
    partition, so that missing partitions can be listed and backfilled.

    Args:
        unit: Length of a time partition; None if the partitions are keys.
        start: Start of the first partition.
        until: End of the last partition, exclusive; None for partitions without end.
        timezone: Time zone of the days.
        values: The keys by parameter; empty for time partitions.
    """

    unit: Unit | None = None
    start: date | datetime | None = None
    until: date | datetime | None = None
    timezone: str = "UTC"
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def hourly(cls, start: str | datetime, *, until: str | datetime | None = None) -> "Partitions":
        """Make a partition of each hour, UTC; the pipeline gets ``since`` and ``cutoff`` as times."""
        return _of_time("hour", start, until, "UTC")  # a local zone has an hour twice a year

    @classmethod
    def daily(
        cls, start: str | date, *, until: str | date | None = None, timezone: str = "UTC"
    ) -> "Partitions":
        """Make a partition of each day; the pipeline gets ``since`` and ``cutoff``.

        Args:
            start: The first day.
            until: The day after the last day; None for days without end.
            timezone: Time zone of the days.

        Raises:
            DefinitionError: If a day or timezone cannot be read.
        """
        return _of_time("day", start, until, timezone)

    @classmethod
    def weekly(
        cls, start: str | date, *, until: str | date | None = None, timezone: str = "UTC"
    ) -> "Partitions":
        """Make a partition of each week, which begins on the weekday of ``start``."""
        return _of_time("week", start, until, timezone)

    @classmethod
    def monthly(
        cls, start: str | date, *, until: str | date | None = None, timezone: str = "UTC"
    ) -> "Partitions":
        """Make a partition of each month."""
        return _of_time("month", start, until, timezone)

    @classmethod
    def by(cls, **values: Sequence[str]) -> "Partitions":
        """Make a partition of each value of a parameter, or of each combination of several.

        Args:
            **values: The values by the pipeline's parameter.

        Raises:
            DefinitionError: If there are no values, or a value cannot be part of a key.
        """
        for name, of_name in values.items():
            each: list[Any] = list(of_name)
            wrong = [value for value in each if not isinstance(value, str) or _BETWEEN in value]
            if isinstance(of_name, str) or not each or wrong or len(set(each)) < len(each):
                raise DefinitionError(
                    what=f"Partitions by {name} are {of_name!r}.",
                    why="Each value is part of a key, so it must be a unique text without a slash.",
                    fix=f'Write Partitions.by({name}=["a", "b"]).',
                    name=name,
                )
        if not values:
            raise DefinitionError(
                what="Partitions.by() has no values.", fix='Write Partitions.by(region=["EU"]).'
            )
        return cls(values={name: tuple(of_name) for name, of_name in values.items()})

    @property
    def is_of_time(self) -> bool:
        """True for time partitions, whose number grows with time."""
        return self.unit is not None

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that a partition sets; for time, those of these that the pipeline has."""
        return _WINDOW if self.is_of_time else tuple(self.values)

    def keys(self, at: datetime | None = None) -> list[str]:
        """List the partitions' keys, in order; for time, only partitions that are over.

        Args:
            at: The moment at which a partition is over; required for partitions without end.

        Raises:
            ParameterError: If time partitions have no end and no moment is given.
        """
        if not self.is_of_time:
            return [_BETWEEN.join(key) for key in product(*self.values.values())]
        if at is None and self.until is None:
            raise ParameterError(
                what="These partitions have no end.", fix="Say at which moment: keys(at=now)."
            )
        over = takewhile(lambda span: at is None or span[1] <= at, self._spans())
        return [self._key_text(begin) for begin, _ in over]

    def first_key(self) -> str:
        """Return the key of the first partition.

        >>> Partitions.monthly("2016-01-01").first_key()
        '2016-01'
        """
        return self._first_keys()[0] if self.is_of_time else self.keys()[0]

    def parameters(self, key: str) -> dict[str, Any]:
        """Return the parameters that a partition sets.

        Raises:
            NotFoundError: If there is no such partition.
        """
        if not self.is_of_time:
            known = self.keys()
            if key not in known:
                raise _no_partition(key, known)
            return dict(zip(self.values, key.split(_BETWEEN), strict=True))
        begin, end = self.span(key)
        if self.unit == "hour":
            return {"since": begin, "cutoff": end}
        return {"since": begin.date(), "cutoff": end.date()}

    def span(self, key: str) -> tuple[datetime, datetime]:
        """Return start and end, exclusive, of a time partition.

        Raises:
            NotFoundError: If there is no such partition.
        """
        try:
            begin = datetime.strptime(key, _FORMS[self.unit or "day"])  # noqa: DTZ007 - set below
        except ValueError as error:
            raise _no_partition(key, self._first_keys()) from error
        begin = begin.replace(tzinfo=self._zone)
        for start, end in self._spans(begin - timedelta(days=32)):
            if start == begin:
                return start, end
            if start > begin:
                break
        raise _no_partition(key, self._first_keys())

    def to_spec(self) -> dict[str, Any]:
        """Return the partitions as plain JSON."""
        if not self.is_of_time:
            return {"values": {name: list(values) for name, values in self.values.items()}}
        return {
            "unit": self.unit,
            "start": _moment_text(self.start),
            "until": _moment_text(self.until),
            "timezone": self.timezone,
        }

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> "Partitions":
        """Return the partitions that ``to_spec`` wrote."""
        if "values" in spec:
            return cls.by(**spec["values"])
        return _of_time(spec["unit"], spec["start"], spec["until"], spec["timezone"])

    @property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def _key_text(self, begin: datetime) -> str:
        return begin.strftime(_FORMS[self.unit or "day"])

    def _first_keys(self) -> list[str]:
        return [self._key_text(begin) for begin, _ in islice(self._spans(), 3)]

    def _spans(self, after: datetime | None = None) -> Iterator[tuple[datetime, datetime]]:
        """Iterate over start and end of the partitions in order, endlessly if there is no end."""
        begin = self._local(self.start)
        last = None if self.until is None else self._local(self.until)
        if after is not None and after > begin:
            begin = self._near(begin, after)
        while last is None or begin < last:
            end = self._next(begin)
            if last is not None and end > last:
                return
            yield begin, end
            begin = end

    def _local(self, moment: date | datetime | None) -> datetime:
        if isinstance(moment, datetime):
            return moment if moment.tzinfo else moment.replace(tzinfo=self._zone)
        day = moment or date.min
        return datetime(day.year, day.month, day.day, tzinfo=self._zone)

    def _near(self, begin: datetime, after: datetime) -> datetime:
        """Skip whole periods, so that a distant partition is found without counting up to it."""
        if self.unit == "month":
            return self._local(date(after.year, after.month, 1))
        days = 7 if self.unit == "week" else 1
        gone = (after.date() - begin.date()).days // days * days
        day = begin.date() + timedelta(days=max(gone, 0))
        return begin.replace(year=day.year, month=day.month, day=day.day)

    def _next(self, begin: datetime) -> datetime:
        if self.unit == "hour":
            return begin + timedelta(hours=1)
        if self.unit == "month":
            return self._local(date(begin.year + begin.month // 12, begin.month % 12 + 1, 1))
        day = begin.date() + timedelta(days=7 if self.unit == "week" else 1)
        return self._local(day)


def require_timezone(timezone: str) -> None:
    """Refuse a timezone that this machine does not know.

    Raises:
        DefinitionError: If the timezone is unknown.
    """
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError) as error:
        raise DefinitionError(
            what=f"There is no timezone {timezone!r}.",
            fix='Write for example "Europe/Zurich"; where the system knows none: pip install tzdata.',
            timezone=timezone,
        ) from error


def _of_time(unit: Unit, start: Any, until: Any, timezone: str) -> Partitions:
    require_timezone(timezone)
    begin = _read(start, unit)
    end = None if until is None else _read(until, unit)
    if end is not None and _plain(end) <= _plain(begin):
        raise DefinitionError(
            what=f"Partitions from {start} until {until} are none.",
            why="The end is exclusive.",
            fix="Give an end behind the start, or leave it out.",
        )
    if unit == "month" and begin.day != 1:
        raise DefinitionError(
            what=f"Monthly partitions begin at {start}.",
            fix=f"Begin at the first of a month: {begin:%Y-%m}-01.",
        )
    return Partitions(unit, begin, end, timezone)


def _read(moment: Any, unit: Unit) -> date | datetime:
    try:
        read = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        if unit == "hour":
            whole = (
                read if isinstance(read, datetime) else datetime(read.year, read.month, read.day)  # noqa: DTZ001 - its zone is kept apart
            )
            return whole.replace(minute=0, second=0, microsecond=0)
        return read.date() if isinstance(read, datetime) else date(read.year, read.month, read.day)
    except (ValueError, AttributeError) as error:
        raise DefinitionError(
            what=f"Partitions begin or end at {moment!r}.",
            why="That is no moment.",
            fix='Write for example "2016-01-01".',
        ) from error


def _plain(moment: date | datetime) -> datetime:
    if isinstance(moment, datetime):
        return moment.replace(tzinfo=None)
    return datetime(moment.year, moment.month, moment.day)  # noqa: DTZ001 - only compared


def _moment_text(moment: date | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _no_partition(key: str, known: Sequence[str]) -> NotFoundError:
    return NotFoundError(
        what=f"There is no partition {key!r}.",
        fix=did_you_mean(key, known) or "List them with: penstock partitions FILE.py",
        key=key,
    )
