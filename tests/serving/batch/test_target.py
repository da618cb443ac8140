"""Targets of a batch over real parts: a bucket, a Delta table, and both; whole or not at all."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.serving.batch.conftest import Batches, write_rows

from penstock.core import ConflictError, DataError, MissingPackageError
from penstock.lineage import get_lineage
from penstock.serving import predict
from penstock.serving.batch import BatchTarget

ROWS = 25


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """An empty bucket, and a function that lists its keys."""
    boto3: Any = pytest.importorskip("boto3", reason="pip install boto3")

    for name, value in {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PENSTOCK_PROJECT", str(tmp_path))  # parts wait in its .penstock
    client = boto3.client("s3", endpoint_url=s3_server)
    name = f"scores-{id(monkeypatch)}"
    client.create_bucket(Bucket=name)

    class Bucket:
        url = f"s3://{name}"

        @staticmethod
        def keys() -> list[str]:
            found = client.list_objects_v2(Bucket=name).get("Contents", [])
            return sorted(each["Key"] for each in found)

        @staticmethod
        def read(key: str) -> bytes:
            body: bytes = client.get_object(Bucket=name, Key=key)["Body"].read()
            return body

    return Bucket


@pytest.fixture
def source(tmp_path: Path) -> Path:
    frame = write_rows(tmp_path / "rows.csv", ROWS, seed=3)
    bad = pl.col("key") == "k00004"
    broken = frame.with_columns(share=pl.when(bad).then(pl.lit("half")).otherwise("share"))
    broken.write_csv(tmp_path / "rows.csv")
    return tmp_path / "rows.csv"


def test_a_file_in_a_bucket_appears_with_its_refused_rows(
    batches: Batches, bucket: Any, source: Path, tmp_path: Path
) -> None:
    out = f"{bucket.url}/may/scores.parquet"
    done = predict("boosted", data=str(source), out=out, part_rows=7, store=batches.store)
    assert bucket.keys() == ["may/scores.parquet", "may/scores.parquet.refused.jsonl"]
    (tmp_path / "there.parquet").write_bytes(bucket.read("may/scores.parquet"))
    local = predict("boosted", data=str(source), out=tmp_path / "here.parquet", store=batches.store)
    columns = ["key", "prediction", "score"]
    there = pl.read_parquet(tmp_path / "there.parquet", columns=columns)
    assert there.equals(pl.read_parquet(tmp_path / "here.parquet", columns=columns))
    assert (done.predicted, done.refused) == (local.predicted, local.refused) == (ROWS - 1, 1)
    [refused] = bucket.read("may/scores.parquet.refused.jsonl").splitlines()
    assert json.loads(refused)["key"] == "k00004"
    with pytest.raises(ConflictError, match="overwrites no file"):
        predict("boosted", data=str(source), out=out, store=batches.store)


def test_a_folder_in_a_bucket_has_a_file_for_each_part(
    batches: Batches, bucket: Any, source: Path
) -> None:
    predict(
        "boosted", data=str(source), out=f"{bucket.url}/parts/", part_rows=10, store=batches.store
    )
    assert bucket.keys() == [
        "parts.refused.jsonl", *(f"parts/part-{number:06}.parquet" for number in range(3))
    ]  # fmt: skip


def test_a_batch_that_stops_leaves_nothing_in_the_bucket(
    batches: Batches, bucket: Any, source: Path
) -> None:
    with pytest.raises(DataError, match="Row 4 is refused"):
        predict(
            "boosted", data=str(source), out=f"{bucket.url}/none.csv", refused="stop",
            store=batches.store,
        )  # fmt: skip
    assert bucket.keys() == []


def test_a_delta_table_has_one_version_with_all_rows(
    batches: Batches, source: Path, tmp_path: Path
) -> None:
    delta = pytest.importorskip("deltalake", reason='pip install "penstock[delta]"')
    out = tmp_path / "scores"
    done = predict(
        "boosted", data=str(source), out=out, format="delta", part_rows=7, store=batches.store
    )
    table = delta.DeltaTable(out.as_posix())
    assert table.version() == 0
    found = pl.read_delta(out.as_posix()).sort("key")
    predict("boosted", data=str(source), out=tmp_path / "plain.parquet", store=batches.store)
    plain = pl.read_parquet(tmp_path / "plain.parquet")
    columns = ["key", "prediction", "score", "warnings"]
    assert found.select(columns).equals(plain.select(columns))
    prediction_id = found["prediction_id"][3]
    traced = get_lineage(prediction_id, store=batches.store).prediction
    assert traced is not None
    assert traced.prediction == found["prediction"][3]
    assert done.out == f"{out}/"
    with pytest.raises(ConflictError, match="overwrites no file"):
        predict("boosted", data=str(source), out=out, format="delta", store=batches.store)


def test_a_delta_table_in_a_bucket_is_there_when_its_log_is(
    batches: Batches, bucket: Any, source: Path, s3_server: str
) -> None:
    delta = pytest.importorskip("deltalake", reason='pip install "penstock[delta]"')
    out = f"{bucket.url}/lake/scores"
    predict("boosted", data=str(source), out=out, format="delta", part_rows=7, store=batches.store)
    assert "lake/scores/_delta_log/00000000000000000000.json" in [*bucket.keys()]
    options = {"AWS_ENDPOINT_URL": s3_server, "AWS_ALLOW_HTTP": "true"}
    assert delta.DeltaTable(out, storage_options=options).version() == 0
    assert pl.read_delta(out, storage_options=options).height == ROWS - 1


def test_without_deltalake_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "deltalake", None)
    with pytest.raises(MissingPackageError, match=r"penstock\[delta\]"):
        BatchTarget.of("scores", "delta")
