"""A simulated stream of card payments: seeded, with merchants, countries, delayed labels, a shift.

Nothing here is real. From day ``SHIFT_DAY`` on, the pattern of fraud changes: from large amounts
abroad at night to many small amounts at digital shops with new cards.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

START = datetime(2026, 1, 1, tzinfo=UTC)
TRAINING_DAYS = 60
LIVE_DAYS = 30
SHIFT_DAY = TRAINING_DAYS + 12
LABEL_DELAY_DAYS = 2
PER_DAY = 1000

_COUNTRIES = ("DE", "FR", "NL", "ES", "IT", "PL", "US", "BR")
_COUNTRY_SHARES = (0.30, 0.20, 0.12, 0.10, 0.10, 0.08, 0.06, 0.04)
_KINDS = ("grocery", "fuel", "travel", "electronics", "restaurant", "digital")
_KIND_SHARES = (0.34, 0.16, 0.08, 0.12, 0.22, 0.08)
_MERCHANTS = 90
_HOME = 5  # the first countries are those of the bank's customers


@dataclass(frozen=True, slots=True)
class Day:
    """A simulated day.

    Args:
        number: Days since the start, from 0.
        payments: The rows without the label.
        fraud: The label by payment id; known only ``LABEL_DELAY_DAYS`` later.
    """

    number: int
    payments: pl.DataFrame
    fraud: dict[str, bool]

    @property
    def date(self) -> datetime:
        """Midnight, UTC."""
        return START + timedelta(days=self.number)

    def labelled(self) -> pl.DataFrame:
        """Return the rows with their labels, as known after the delay."""
        labels = [self.fraud[name] for name in self.payments["payment_id"]]
        return self.payments.with_columns(pl.Series("fraud", labels))


def simulate_day(
    number: int, *, seed: int = 7, rows: int = PER_DAY, new_country: str | None = None
) -> Day:
    """Simulate a day; the same number and seed produce the same rows.

    >>> day = simulate_day(3)
    >>> day.payments.height, sum(day.fraud.values()) > 0
    (1000, True)

    Args:
        number: Days since the start, from 0.
        seed: Seed of the whole stream.
        rows: Payments on that day.
        new_country: A country that the bank has recently entered, with a tenth of the payments.
    """
    rng = np.random.default_rng([seed, number])
    hour = rng.choice(24, rows, p=_hour_shares())
    kind = rng.choice(len(_KINDS), rows, p=_KIND_SHARES)
    country = rng.choice(len(_COUNTRIES), rows, p=_COUNTRY_SHARES)
    card_age = rng.gamma(2.0, 400, rows).round()
    amount = np.exp(rng.normal(3.2 + 0.5 * (kind == 2) + 0.6 * (kind == 3), 0.8, rows)).round(2)
    recent = rng.poisson(1.2, rows)
    if number >= SHIFT_DAY:
        testing = rng.random(rows) < 0.12  # card testing: small, digital, new cards, in bursts
        kind = np.where(testing, 5, kind)
        amount = np.where(testing, rng.uniform(0.5, 9.0, rows).round(2), amount)
        card_age = np.where(testing, rng.integers(0, 40, rows), card_age)
        recent = np.where(testing, np.minimum(recent + rng.poisson(4, rows), 7), recent)
    odds = _odds(number, hour, kind, country, card_age, amount, recent)
    fraud = rng.random(rows) < 1 / (1 + np.exp(-odds))
    merchant = (rng.integers(0, _MERCHANTS, rows) + kind * 7 + number // 6) % (_MERCHANTS + 30)
    second = np.sort(hour * 3600 + rng.integers(0, 3600, rows))
    ids = [f"p{number:03d}-{index:04d}" for index in range(rows)]
    midnight = START + timedelta(days=number)
    frame = pl.DataFrame(
        {
            "payment_id": ids,
            "time": [midnight + timedelta(seconds=int(s)) for s in second],
            "merchant": [f"m{index:03d}" for index in merchant],
            "kind": [_KINDS[index] for index in kind],
            "country": _country_names(country, new_country),
            "hour": second // 3600,
            "amount": amount,
            "card_age_days": card_age.astype(int),
            "payments_last_day": recent,
        }
    )
    return Day(number, frame, dict(zip(ids, fraud.tolist(), strict=True)))


def _country_names(country: np.ndarray, new_country: str | None) -> list[str]:
    names = [_COUNTRIES[index] for index in country]
    return [new_country if new_country and i % 10 == 0 else name for i, name in enumerate(names)]


def write_days(folder: Path, days: range) -> Path:
    """Write simulated payments with their labels, a CSV file per day; simulated, not real.

    >>> import tempfile
    >>> folder = write_days(Path(tempfile.mkdtemp()) / "payments", range(2))
    >>> sorted(path.name for path in folder.iterdir())
    ['2026-01-01.csv', '2026-01-02.csv']

    Args:
        folder: Folder of the files; created if missing.
        days: Day numbers since the start, from 0.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in days:
        day = simulate_day(number)
        day.labelled().write_csv(folder / f"{day.date:%Y-%m-%d}.csv")
    return folder


def _hour_shares() -> np.ndarray:
    weights = 1 + 2.5 * np.exp(-((np.arange(24) - 14) ** 2) / 30)
    return np.asarray(weights / weights.sum())


def _odds(
    number: int,
    hour: np.ndarray,
    kind: np.ndarray,
    country: np.ndarray,
    card_age: np.ndarray,
    amount: np.ndarray,
    recent: np.ndarray,
) -> np.ndarray:
    """Compute the log-odds of fraud: the old pattern fades when the new pattern starts."""
    night = (hour < 6) | (hour > 22)
    abroad = country >= _HOME
    old = 2.6 * (np.log(amount) - 4.0) + 4.0 * abroad + 3.0 * night + 1.5 * (kind == 3)
    if number < SHIFT_DAY:
        return np.asarray(-6.6 + old)
    new = 3.4 * (kind == 5) + 2.2 * (card_age < 60) + 0.5 * recent - 0.9 * (np.log(amount) - 2)
    return np.asarray(np.maximum(-6.6 + 0.9 * old, -6.2 + new))
