"""Histories drawn at random, a thousand at once, and the theorem that stores are held to.

For any history, key and time t: the answer of the offline join at t is that of an online store to
which everything known at t was brought, in any order, in any batches, more than once. Bit-equal.
Every history has keys of its own, so that one table and one store hold a thousand of them.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
from tests.features.feature_rows import EVERY, bits
from tests.features.views.oracle import answer

from penstock.features import FeatureStore
from penstock.features.online import read_online
from penstock.features.views import Entity, FeatureView, RowCodec

TICK = timedelta(microseconds=1)
ENTITY = Entity("thing", {"history": pl.Int64, "name": pl.String})
NAMES = ["é", "e\u0301"]  # different keys
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]
# Clocks go back and forth, a leap day, the turn of a year, before 1970.
MOMENTS = [
    datetime(2025, 10, 26, 1, tzinfo=UTC),
    datetime(2025, 3, 30, 1, tzinfo=UTC),
    datetime(2024, 2, 29, tzinfo=UTC),
    datetime(2024, 3, 1, tzinfo=UTC),
    datetime(2023, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(1905, 6, 1, tzinfo=UTC),
]
TTLS = [None, timedelta(0), TICK, timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)]


def _doubles(*patterns):
    return np.array(patterns, dtype=np.uint64).view(np.float64).tolist()


POOLS: dict[str, list] = {
    "i8": [0, -1, 127, -128],
    "i16": [0, 2**15 - 1, -(2**15)],
    "i32": [0, 2**31 - 1, -(2**31)],
    "i64": [0, 2**63 - 1, -(2**63)],
    "f32": [0.0, -0.0, float("nan"), float("inf"), 1.5],
    "f64": [0.0, *_doubles(1 << 63, 0x7FF8000000001234, 0xFFF8000000000001, 1), float("inf"), 0.1],
    "flag": [True, False],
    "text": ["", "é", "e\u0301", "null", "\x00", "x" * 300],
    "raw": [b"", b"\x00", b"\xff" * 5],
    "day": [date(2024, 2, 29), date(1, 1, 1), date(9999, 12, 31)],
    "at": MOMENTS,
    "money": [Decimal(0), Decimal("-0.0001"), Decimal(10**34 - 1)],
}
POOLS |= {
    f"{name}s": [[], [None], values[:2], values[::-1], [*values, None]]
    for name, values in list(POOLS.items())
}


@dataclass
class Outcome:
    """How a batch of histories ended.

    Args:
        histories: Number of histories.
        answers: Answers that were compared.
        found: Answers with a row, of all.
        mismatches: Answers that differ, with all that is needed to see why.
    """

    histories: int
    answers: int
    found: int
    mismatches: list


@dataclass
class Truth:
    """What brute force needs: the view, times of rows by key, values by place."""

    view: FeatureView
    rows: dict
    values: dict


def draw_view(rng):
    """Draw a view: features of every dtype, with any ttl and edge."""
    return FeatureView(
        "things",
        ENTITY,
        EVERY,
        ttl=TTLS[rng.integers(len(TTLS))],
        as_of="<=" if rng.random() < 0.7 else "<",
        available_at="known_at",
    )


def draw_rows(rng, view, moments, histories):
    """Draw rows of many histories: late, out of order, equal times, deletes, at every edge."""
    counts = rng.integers(0, 13, histories)
    height = int(counts.sum())
    ttl = view.ttl_us or 1
    near = np.array([0, 0, 1, ttl - 1, ttl, ttl, ttl + 1, 2 * ttl, 3, 3_600_000_000])
    ages = near[rng.integers(len(near), size=height)]
    delays = np.where(rng.random(height) < 0.5, 0, near[rng.integers(len(near), size=height)])
    base = np.array([int(each.timestamp()) * 10**6 + each.microsecond for each in moments])
    events = base[rng.integers(len(base), size=height)] - ages
    zone = ZONES[rng.integers(len(ZONES))]

    def times(values):
        return pl.Series(values).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone)

    system = {
        "history": np.repeat(np.arange(histories), counts),
        "name": pl.Series(NAMES).gather(rng.integers(len(NAMES), size=height)),
        "event_time": times(events),
        "known_at": times(events + delays),
        "is_gone": rng.random(height) < 0.15,
    }
    return pl.DataFrame(system).hstack([_draw(rng, name, height) for name in EVERY])


def _draw(rng, name, height):
    pool = pl.Series(name, [None, *POOLS[name]], dtype=EVERY[name], strict=False)
    return pool.gather(rng.integers(len(pool), size=height))


def write(features, view, rows, rng):
    """Write rows in several commits, in an order that has nothing to do with time."""
    rows = rows.sample(fraction=1.0, shuffle=True, seed=int(rng.integers(2**31)))
    cuts = np.sort(rng.integers(0, rows.height + 1, 3)).tolist()
    for start, end in zip([0, *cuts], [*cuts, rows.height], strict=True):
        commit = rows[start:end]
        features.write(view, commit.filter(~pl.col("is_gone")))
        features.delete(
            view, commit.filter("is_gone").select("history", "name", "event_time", "known_at")
        )


def replay(online, codec, known, rng):
    """Bring rows to an online store: shuffled, in batches, some of them again."""
    again = known.sample(fraction=0.3, seed=int(rng.integers(2**31)))
    arriving = pl.concat([known, again]).sample(
        fraction=1.0, shuffle=True, seed=int(rng.integers(2**31))
    )
    for batch in arriving.iter_slices(max(arriving.height // 4, 1)):
        online.put(codec.view.name, codec.encode(batch))


def check(folder, online, *, seed, histories):
    """Compare offline and online answers, and brute force, for histories drawn with a seed.

    Args:
        folder: An empty folder for the tables.
        online: An empty online store.
        seed: Seed of all draws.
        histories: Number of histories.
    """
    rng = np.random.default_rng(seed)
    view = draw_view(rng)
    features = FeatureStore(folder)
    features.apply(view)
    moments = sorted(MOMENTS[i] for i in rng.choice(len(MOMENTS), 2, replace=False))
    moments += [moments[-1] + timedelta(microseconds=int(rng.integers(1, 4)))]
    write(features, view, draw_rows(rng, view, moments, histories), rng)
    rows = features.history(view).scan().collect()
    codec = RowCodec(view)
    keys = pl.DataFrame(
        [(i, name) for i in range(histories) for name in NAMES],
        schema=ENTITY.dtypes,
        orient="row",
    )
    by_key = {
        key: part.to_dicts()
        for key, part in rows.drop(view.feature_names)
        .with_row_index("place")
        .partition_by(["history", "name"], as_dict=True)
        .items()
    }
    truth = Truth(view, by_key, bits(rows.select(view.feature_names)))
    outcome = Outcome(histories, 0, 0, [])
    for at in moments:
        edge = pl.col("available_at") <= at if view.as_of == "<=" else pl.col("available_at") < at
        replay(online, codec, rows.filter(edge), rng)
        zoned = (
            pl.lit(at)
            .cast(pl.Datetime("us", "UTC"))
            .dt.convert_time_zone(ZONES[rng.integers(len(ZONES))])
        )
        offline = features.join(keys.with_columns(label_time=zoned), [view], time="label_time")
        compare(outcome, (seed, at), truth, offline, read_online(online, codec, keys, at), keys)
    return outcome


def compare(outcome, asked, truth, offline, online, keys):
    """Count the answers at a time, and those that are not what brute force finds."""
    view = truth.view
    stored, served = bits(offline.select(view.feature_names)), bits(online)
    for place, key in enumerate(keys.iter_rows()):
        own = [row | {"key": key} for row in truth.rows.get(key, [])]
        best = answer(own, key, asked[1], ttl=view.ttl, as_of=view.as_of)
        outcome.answers += 1
        outcome.found += best is not None
        for name in view.feature_names:
            right = truth.values[name][best["place"]] if best else None
            if not stored[name][place] == served[name][place] == right:
                outcome.mismatches.append((*asked, view.ttl, view.as_of, key, name, own))
                break
