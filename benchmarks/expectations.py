"""Learned expectations: planted faults that are found, and clean months that are stopped.

usage: python benchmarks/expectations.py
Months of real tables (taxi rides, bike rentals, electricity prices, weather) are ingested one after
the other; each is checked against those before it, as it is and with each kind of fault planted.
A fault counts as found if there is a finding of any level; a clean month is falsely stopped if
there is a finding that stops. Needs ../shared/data.
"""

import random
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
from figures import tell

from penstock.data import FileSource
from penstock.data._norm import Norm, Version, count_copies
from penstock.data._snapshot import Snapshot

DATA = Path(__file__).parents[2] / "shared" / "data"
START = 3  # accepted months before the first check
KEPT = 24
_PAIRS = 4
# The table itself changes here: from 351 rows in December to 69 in January. A stop is right.
_BREAKS = {("taxi", "2016-01")}


def months(table: pl.DataFrame, time: str) -> list[Snapshot]:
    stamps = table[time].cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    table = table.with_columns(stamps.alias(time)).sort(time)
    names = table[time].dt.strftime("%Y-%m")
    found = []
    for name in names.unique().sort():
        since = datetime.strptime(name, "%Y-%m").replace(tzinfo=UTC)
        cutoff = (since + timedelta(days=32)).replace(day=1)
        found.append(frozen(table.filter(names == name), time, since, cutoff))
    # The tables begin and end within a month: those are truncated months already.
    return found[1:-1]


def frozen(table: pl.DataFrame, time: str, since: datetime, cutoff: datetime) -> Snapshot:
    return Snapshot.of(table, time=time, since=since, cutoff=cutoff)


def tables() -> Iterator[tuple[str, list[Snapshot]]]:
    taxi = FileSource(DATA / "chicago_taxi_trips.csv", time="trip_start_timestamp").read()
    yield (
        "taxi",
        months(
            taxi.with_columns(pl.col("trip_start_timestamp").dt.replace_time_zone(None)),
            "trip_start_timestamp",
        ),
    )
    bike = FileSource(DATA / "bike_sharing_hour.csv").read()
    at = bike["dteday"].cast(pl.Datetime("us")) + bike["hr"].cast(pl.Int64) * timedelta(hours=1)
    yield "bike", months(bike.with_columns(at.alias("at")).drop("instant"), "at")
    elec = FileSource(DATA / "elec2.csv").read()
    begin = datetime(1996, 5, 7)  # noqa: DTZ001 - the table has no zone
    at = pl.Series("at", [begin + timedelta(minutes=30) * n for n in range(elec.height)])
    yield "electricity", months(elec.with_columns(at), "at")
    weather = FileSource(DATA / "nyc_weather_2013.csv", time="time_hour").read()
    yield (
        "weather",
        months(weather.with_columns(pl.col("time_hour").dt.replace_time_zone(None)), "time_hour"),
    )


def faults(month: Snapshot, draw: random.Random) -> Iterator[tuple[str, Snapshot, str]]:
    table, time = month.table, str(month.time)

    def again(changed: pl.DataFrame) -> Snapshot:
        return frozen(changed, time, month.since, month.cutoff)

    numbers = [c.name for c in month.schema if c.kind in {"number", "integer"} and c.name != time]
    spread = [
        n for n in numbers if (table[n].std() or 0) > 0 and (table[n].abs().median() or 0) > 0
    ]
    levels = [c.name for c in month.schema if c.kind == "category" and c.dtype == "String"]
    full = [n for n in table.columns if n != time and table[n].null_count() < 0.5 * table.height]
    name = draw.choice(full)
    lost = pl.Series([draw.random() < 0.3 for _ in range(table.height)])
    yield "nulls", again(table.with_columns(pl.when(~lost).then(pl.col(name)).alias(name))), name
    if spread:
        name = draw.choice(spread)
        yield "unit x100", again(table.with_columns(pl.col(name) * 100)), name
        pairs = [
            (a, b) for a in spread for b in spread if a < b and table[a].dtype == table[b].dtype
        ]
        if pairs:
            for a, b in draw.sample(pairs, min(_PAIRS, len(pairs))):
                swapped = table.with_columns(pl.col(a).alias(b), pl.col(b).alias(a))
                yield "swapped", again(swapped), f"{a}, {b}"
    day = table.filter(table[time].dt.date() == draw.choice(table[time].dt.date().to_list()))
    yield "duplicated day", again(pl.concat([table, day]).sort(time)), ""
    yield "truncated", again(table.head(int(table.height * draw.uniform(0.3, 0.8)))), ""
    if levels:
        name = draw.choice(levels)
        taken = pl.Series([draw.random() < 0.05 for _ in range(table.height)])
        if taken.any():
            new = pl.when(taken).then(pl.lit("never seen")).otherwise(pl.col(name)).alias(name)
            yield "new category", again(table.with_columns(new)), name


def main() -> None:
    draw, found, planted, stops, clean = (
        random.Random(5),
        Counter(),
        Counter(),
        Counter(),
        Counter(),
    )
    for name, every in tables():
        versions = [Version(one.with_joint(), count_copies([one.table])) for one in every]
        for place in range(START, len(every)):
            norm = Norm(versions[max(place - KEPT, 0) : place])
            told = [
                one for one in norm.check(every[place], versions[place].copies) if one[0] == "fail"
            ]
            if (name, f"{every[place].since:%Y-%m}") in _BREAKS:
                planted["a table's own break"] += 1
                found["a table's own break"] += bool(told)
                continue
            clean[name] += 1
            stops[name] += bool(told)
            if told and "-v" in sys.argv:
                print("STOP", name, every[place].since.date(), told[0])
            for kind, faulty, what in faults(every[place], draw):
                planted[kind] += 1
                seen = norm.check(faulty, count_copies([faulty.table]))
                base = norm.check(every[place], versions[place].copies)
                new = set(seen) - set(base)
                found[kind] += bool(new)
                if not new and "-v" in sys.argv:
                    print("MISSED", name, kind, what, every[place].since.date())
    for kind, count in planted.items():
        tell(
            "E5",
            f"learned expectations: {kind}, of {count} planted",
            100 * found[kind] / count,
            "% found",
            at_least=95,
        )
    total = sum(planted.values())
    tell(
        "E5",
        f"learned expectations: all faults, of {total} planted",
        100 * sum(found.values()) / total,
        "% found",
        at_least=95,
    )
    months_ = sum(clean.values())
    tell(
        "E5",
        f"learned expectations: clean months that are stopped, of {months_}",
        100 * sum(stops.values()) / months_,
        "%",
        1,
    )


if __name__ == "__main__":
    main()
