"""The simulated payments: the same for a seed, with the old pattern before the shift and a new one after."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.demo import simulate_day, write_days
from penstock.demo._stream import SHIFT_DAY


@settings(max_examples=15, deadline=None)
@given(number=st.integers(0, 120), seed=st.integers(0, 5))
def test_a_day_is_the_same_every_time_and_unlike_its_neighbours(number, seed):
    day = simulate_day(number, seed=seed, rows=60)
    again = simulate_day(number, seed=seed, rows=60)
    assert day.payments.equals(again.payments)
    assert day.fraud == again.fraud
    assert not day.payments.equals(simulate_day(number, seed=seed + 1, rows=60).payments)
    columns = pl.exclude("payment_id", "time")
    tomorrow = simulate_day(number + 1, seed=seed, rows=60).payments
    assert not day.payments.select(columns).equals(tomorrow.select(columns))


@settings(max_examples=15, deadline=None)
@given(number=st.integers(0, 120))
def test_rows_stand_in_time_within_their_day_and_every_one_has_a_label(number):
    day = simulate_day(number, rows=80)
    assert day.payments["time"].is_sorted()
    assert set(day.payments["time"].dt.date()) == {day.date.date()}
    assert day.payments["payment_id"].is_unique().all()
    assert list(day.fraud) == day.payments["payment_id"].to_list()
    assert (day.payments["hour"] == day.payments["time"].dt.hour()).all()
    assert day.payments["amount"].min() > 0  # type: ignore[operator]


def test_fraud_is_rare_and_changes_its_pattern_on_the_shift_day():
    def of(days):
        table = pl.concat(simulate_day(number).labelled() for number in days)
        return table, table.filter("fraud")

    before, old = of(range(SHIFT_DAY - 10, SHIFT_DAY))
    after, new = of(range(SHIFT_DAY, SHIFT_DAY + 10))
    assert 0.005 < before["fraud"].mean() < 0.15
    assert 0.005 < after["fraud"].mean() < 0.25
    assert old["amount"].median() > 3 * new["amount"].median(), "large amounts become small ones"
    digital = pl.col("kind") == "digital"
    assert new.filter(digital).height / new.height > 0.5 > old.filter(digital).height / old.height
    assert new["card_age_days"].median() < before["card_age_days"].median()


def test_a_new_country_sends_a_tenth_of_the_payments():
    day = simulate_day(3, rows=200, new_country="SE")
    assert (day.payments["country"] == "SE").sum() == 20
    assert "SE" not in set(simulate_day(3, rows=200).payments["country"])


def test_days_are_written_as_one_file_each_with_their_labels(tmp_path):
    folder = write_days(tmp_path / "a" / "payments", range(1, 3))
    assert sorted(path.name for path in folder.iterdir()) == ["2026-01-02.csv", "2026-01-03.csv"]
    table = pl.read_csv(folder / "2026-01-02.csv")
    assert table.height == 1000
    assert table["fraud"].to_list() == list(simulate_day(1).fraud.values())
    first = (folder / "2026-01-02.csv").read_bytes()
    write_days(folder, range(1, 2))
    assert (folder / "2026-01-02.csv").read_bytes() == first


@pytest.mark.parametrize("number", [0, 59])
def test_the_label_can_be_learnt_but_not_read_off_one_column(number):
    from sklearn.metrics import roc_auc_score

    table = simulate_day(number, rows=4000).labelled()
    by_amount = roc_auc_score(table["fraud"].to_numpy(), table["amount"].to_numpy())
    assert 0.6 < by_amount < 0.97
