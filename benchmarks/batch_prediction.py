"""F21: batch prediction of a table, beside bare onnxruntime over Arrow batches.

usage: python benchmarks/batch_prediction.py [ROWS]
A logistic regression and a forest of 100 trees predict a Parquet file of 30 columns: once by
`penstock.serving.predict` (checks, ids, warnings, run and all), once by a bare loop that reads the
same file in batches, calls the same model in ONNX form and writes label and probability. ROWS is
10,000,000 in the figure and 500,000 by default, which takes about a minute. Needs the extra `onnx`.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import polars as pl
from figures import tell
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from penstock.models import Model, infer_signature
from penstock.registry import Registry
from penstock.serving import predict
from penstock.stores import open_store

COLUMNS = 30
BATCH = 100_000
MODELS: dict[str, Any] = {
    "logistic regression": LogisticRegression(max_iter=300),
    "forest of 100 trees": RandomForestClassifier(100, max_depth=12, random_state=0),
}


def table(rows: int, seed: int) -> pl.DataFrame:
    values = np.random.default_rng(seed).normal(size=(rows, COLUMNS))
    return pl.DataFrame({f"x{place}": values[:, place] for place in range(COLUMNS)})


def bare(session: Any, data: Path, out: Path) -> float:
    started = time.perf_counter()
    found = []
    rows = pl.scan_parquet(data).collect_batches(chunk_size=BATCH, maintain_order=True)
    for batch in rows:
        labels, shares = session.run(None, {"X": batch.to_numpy().astype(np.float32)})
        found.append(pl.DataFrame({"label": labels, "share": shares[:, 1]}))
    pl.concat(found).write_parquet(out)
    return time.perf_counter() - started


def main(rows: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = folder / "rows.parquet"
        table(rows, 1).write_parquet(data)
        known = table(5_000, 0)
        labels = (known.to_numpy()[:, :5].sum(axis=1) > 0).astype(int)
        store = open_store(f"sqlite:///{folder}/penstock.db")
        for number, (kind, estimator) in enumerate(MODELS.items()):
            estimator.fit(known.to_numpy(), labels)
            signature = infer_signature(estimator, known, labels.tolist())
            # With rows, an ONNX form is compared and answers, as after `ps.steps.register`.
            version = Registry(store=store).register(
                f"m{number}", Model(estimator, signature), rows=known.head(500)
            )
            form = to_onnx(
                estimator, known.to_numpy()[:1].astype(np.float32), options={"zipmap": False}
            )
            session = onnxruntime.InferenceSession(form.SerializeToString())
            bare_s = bare(session, data, folder / f"bare{number}.parquet")
            started = time.perf_counter()
            done = predict(
                version.ref, data=str(data), out=folder / f"{number}.parquet", store=store
            )
            seconds = time.perf_counter() - started
            assert (done.predicted, done.form) == (rows, "onnx")
            tell("F21", f"{kind}: rows per second, {rows:,} rows", rows / seconds, "rows/s")
            share = bare_s / seconds
            tell("F21", f"{kind}: of bare onnxruntime", share, "times", at_least=0.8)
        store.close()


if __name__ == "__main__":
    main(int(sys.argv[1].replace(",", "")) if len(sys.argv) > 1 else 500_000)
