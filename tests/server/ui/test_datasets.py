"""The pages of data sets, on data sets that runs have ingested."""

import numpy as np
import polars as pl
import pytest

import penstock as ps
from penstock.data import profile_table
from penstock.execution import QuietReporter
from penstock.server.ui import _datasets

TABLE = pl.DataFrame(
    {
        "id": range(60),
        "day": [f"2026-01-{1 + n // 3:02}" for n in range(60)],
        "city": ["<b>Köln</b>", "Bonn"] * 30,
        "tip": [n / 7 for n in range(60)],
    }
)


@pytest.fixture
def two(tmp_path, store):
    path = tmp_path / "rides.csv"
    source = ps.FileSource(path, time="day")

    @ps.pipeline
    def job():
        return ps.steps.ingest(source)

    for table in (TABLE, TABLE.tail(50).with_columns(tip=pl.col("tip") + 30)):
        table.write_csv(path)
        assert ps.run(job, store=store, reporter=QuietReporter()).ok


def test_no_data_set_says_how_to_get_one(client):
    assert "penstock new churn --data" in client.get("/data").text


def test_versions_columns_and_distributions_are_shown(client, two):
    assert 'href="/data/rides"' in client.get("/data").text
    page = client.get("/data/rides").text
    assert page.count('class="bars"') == 4
    assert "2026-01-04 … 2026-01-20" in page
    assert "<b>Köln" not in page
    assert "an identifier" in page
    assert "version 1" in client.get("/data/rides?version=1").text


def heights(values):
    return _datasets._shape(profile_table(pl.DataFrame({"x": values})).columns["x"])


def test_the_picture_of_a_column_is_the_histogram_of_its_values():
    normal = np.random.default_rng(0).normal(size=20_000)
    shares = heights(normal)
    assert shares == pytest.approx(shares[::-1], abs=0.02)
    assert max(shares) > 4 * min(shares)
    assert 0.9 < sum(shares) <= 1
    many_zeros = heights([0.0] * 60 + [float(n) for n in range(1, 41)])
    assert many_zeros[0] > 0.55
    assert heights([3] * 5 + [10] * 2 + [1] * 3) == [3, 5, 2]
    assert len(heights([1.5] * 10)) == 1


def test_two_versions_are_compared(client, two):
    page = client.get("/data/rides?before=1&version=2&key=id").text
    assert "50 in tip" in page
    assert "Moved by" in page
    found = client.get("/data/rides?before=1&version=2&format=json").json()["compared"]
    assert (found["diff"]["added"], found["diff"]["deleted"]) == (50, 60)
    assert [drift["column"] for drift in found["drift"] if drift["drifted"]] == ["tip"]


def test_what_cannot_be_compared_says_why(client, two, monkeypatch):
    assert "city is equal in several" in client.get("/data/rides?before=1&key=city").text
    assert "no column &#39;idd&#39;" in client.get("/data/rides?before=1&key=idd").text
    monkeypatch.setattr(_datasets, "_MOST_ROWS", 55)
    page = client.get("/data/rides?before=1&key=id").text
    assert "penstock data diff rides@1 rides@2 --key id" in page


@pytest.mark.parametrize("path", ["/data/none", "/data/rides?version=x"])
def test_what_does_not_exist_is_named(client, two, path):
    assert client.get(path).status_code in {400, 404}
