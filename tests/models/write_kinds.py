"""Write docs/reference/model-kinds.md: what each kind of model goes through, as found by doing it.

python -m tests.models.write_kinds
"""

import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from litestar.testing import TestClient
from tests.models import kinds, network_kinds

from penstock.core import ArtifactRecord
from penstock.execution import load_pipeline, run
from penstock.models import Model, infer_signature
from penstock.proofs import verify
from penstock.registry import Registry
from penstock.serving import create_app
from penstock.serving.batch import predict, target_column
from penstock.stores import Store, open_store
from penstock.tables import convert_frame

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "model-kinds.md"
COLUMNS = ("registered", "verified", "served", "batch", "loaded natively")
_SERVED = 4  # rows that the server is asked for
_HEAD = """# Kinds of model

**In:** a fitted model of any of these kinds. **Out:** a registered version that verifies bit for bit and is served.

The table is made by a test: each model is trained by a step; registered, which stores it in a format that runs no code; verified, which trains it again in fresh processes under two hash seeds and compares the stored bytes; served over HTTP; predicted from a file to a file, compared bit for bit with a request for each row; and loaded from the stored bytes by its own library, whose predictions are compared with the server's answers, bit for bit.

| model | task | stored as | """
_TAIL = """
- **stored as**: `skops` is scikit-learn's format without pickle, read with a closed list of types; the others are the libraries' own. Boosters inside a scikit-learn pipeline are stored in its skops archive.
- **verified** `yes`: equal bit for bit.
- **loaded natively** `yes`: `skops.io.loads`, `xgboost.Booster.load_model`, `lightgbm.Booster`, `catboost.load_model`, `onnxruntime.InferenceSession`, with the same predictions as the server. Text labels for XGBoost also need penstock, whose `LabelEncodingClassifier` holds them. The skops archive of a network holds the network's own file: for torch and Lightning a safetensors file, whose tensors stand in the order of `state_dict()` of the user's class; for Keras the settings that `deserialize_keras_object` reads and a safetensors file in the order of `weights`; for Hugging Face the files that `from_pretrained` and `SentenceTransformer` read. Weights that `from_pretrained` maps from a file may begin anywhere in memory, where a product can have another last bit: they are cloned first.

## Several targets

A prediction of several targets is an object by target: `{"height": 1.8, "weight": 70.2}`; in the Open Inference Protocol the tensor `predict` has the shape [rows, targets]. The columns of `y` name the targets: `infer_signature(estimator, X, y)` with a frame `y`. `model.for_target("height")` is a model of one target for `evaluate`; ground truth is posted as such an object. Monitoring compares the inputs, and measures no performance of several targets.

## Clusters and outliers

A clusterer answers the number of the cluster, a mixture also the probabilities. An outlier detector answers -1 for an outlier and 1 for an inlier, with the decision value as score: below 0 for an outlier. `evaluate` judges it as a classifier whose outliers are the positive class. Clusters have no truth to compare with: measure them by `silhouette_score` or the like, and register them by `Registry().register(name, model, metrics={…})`.

`score_samples`, `decision_function` and `transform` are computed for requests that name them: `{"row": {…}, "outputs": ["transform"]}`.

| without `predict` | instead |
|---|---|
| `DBSCAN`, `HDBSCAN`, `OPTICS`, `AgglomerativeClustering` | `KMeans`, `GaussianMixture`, `Birch`, or a classifier of the labels found |
| `LocalOutlierFactor()` | `LocalOutlierFactor(novelty=True)` |

## Boosters of their own interfaces

A `Booster` of `xgboost.train` or `lightgbm.train` is registered as it is. For objectives of classification its labels are 0 to n - 1, with the probabilities that the library's `predict` returns; names, categorical levels and missing values are treated as in training. CatBoost's models keep labels, names and categorical columns; a file has the same bytes for the same fit, since the clock and the random id that CatBoost writes are left out.
"""


@dataclass(frozen=True, slots=True)
class KindRow:
    """A row of the table.

    Args:
        name: Name of the kind.
        task: The signature's task.
        stored: Format of the stored bytes.
        results: ``yes`` or ``no`` by column.
    """

    name: str
    task: str
    stored: str
    results: tuple[str, ...]


def make_rows(folder: Path) -> list[KindRow]:
    """Take every kind the whole way, and return what was found.

    Args:
        folder: An empty folder for the store.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        store = open_store(f"sqlite:///{folder}/penstock.db")
        # In processes of their own, as verify does: this one may have been through hundreds of tests.
        pipeline = load_pipeline(str(ROOT / "tests" / "models" / "kinds.py"))
        result = run(pipeline, runner="processes", workers=1, store=store)
        proof = verify(result.run_id, hash_seeds=2, store=store)
        proved = {step.step: step.verdict.value == "bitwise" for step in proof.executed}
        fitted = {
            name: (step, estimator)
            for step in ("scikit_learn", "boosters", "onnx_graphs", "networks")
            for name, estimator in result.output(step).items()
        }
        names = {f"kind-{place}": name for place, name in enumerate(fitted)}
        for model_name, name in names.items():
            _register(store, model_name, name, fitted[name][1], result.run_id)
        with ExitStack() as stack:
            client = stack.enter_context(TestClient(create_app(names=[*names], store=store)))
            return [
                _row(store, client, model_name, name, proved=proved[fitted[name][0]])
                for model_name, name in names.items()
            ]


def _register(store: Store, model_name: str, name: str, estimator: Any, run_id: str) -> None:
    registry = Registry(store=store)
    signature = infer_signature(estimator, kinds.rows_of(name), kinds.truth(name))
    registry.register(model_name, Model(estimator, signature), run_id=run_id, actor="ann")
    registry.promote(model_name, 1, actor="ann", reason="It is tried.", force_reason="A table.")


def _row(store: Store, client: Any, model_name: str, name: str, *, proved: bool) -> KindRow:
    version = Registry(store=store).get(model_name, 1)
    record = store.metadata.artifacts.get(version.artifact)
    rows = kinds.rows_of(name).head(_SERVED)
    reply = client.post(f"/models/{model_name}/predict", json={"rows": rows.to_dicts()})
    answers = [each["prediction"] for each in reply.json().get("predictions", [])]
    model = Model.load(version, store=store)
    served = len(answers) == _SERVED and answers == model.predict(rows).values
    # Row by row on both sides: of a kind that is not row-wise, the processor decides whether the
    # product of many rows has the same last bit.
    alone = [model.predict(rows[place]).values[0] for place in range(rows.height)]
    native = alone == [*_native(store, record, model, rows, name)]
    results = (
        not record.unsafe,
        proved,
        served,
        _in_batch(store, client, model_name, rows),
        native,
    )
    told = tuple("yes" if each else "no" for each in results)
    return KindRow(name, model.signature.task, record.format, told)


def _in_batch(store: Store, client: Any, model_name: str, rows: pl.DataFrame) -> bool:
    """Return whether a file has the bits that the server answers for a request with each row."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "rows.parquet"), Path(folder, "predicted.parquet")
        rows.write_parquet(source)
        predict(model_name, data=source, out=target, store=store)
        found = pl.read_parquet(target)
    answers = [
        client.post(f"/models/{model_name}/predict", json={"row": row}).json()["predictions"][0]
        for row in rows.to_dicts()
    ]
    for place, answer in enumerate(answers):
        told, row = answer["prediction"], found.row(place, named=True)
        expected = (
            {target_column(name): value for name, value in told.items()}
            if isinstance(told, dict)
            else {"prediction": told, "score": answer["score"]}
        )
        if any(row.get(name) != value for name, value in expected.items()):
            return False
    return len(answers) == found.height


def _native(
    store: Store, record: ArtifactRecord, model: Model, rows: Any, name: str
) -> Iterator[Any]:
    """Predict each row with the library alone, from the stored bytes."""
    data = record.inline or Path(store.artifacts.path(record.digest)).read_bytes()
    for place in range(rows.height):
        row = rows[place]
        if name in _NETWORKS:
            found = _NETWORKS[name](data, row)
        else:
            found = _PREDICT[record.format](data, record, convert_frame(row, model.signature.frame))
        value = np.asarray(found).reshape(-1).tolist()
        targets = model.signature.targets
        if record.format == "xgboost":
            value = [int(value[0] > 1 / 2)]
        yield dict(zip([t.name for t in targets], value, strict=True)) if targets else value[0]


def _of_skops(data: bytes, _: ArtifactRecord, rows: Any) -> Any:
    import skops.io

    estimator = skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))
    return estimator.predict(rows)


def _of_xgboost(data: bytes, _: ArtifactRecord, rows: Any) -> Any:
    import xgboost

    booster = xgboost.Booster()
    booster.load_model(bytearray(data))
    return booster.predict(xgboost.DMatrix(rows))


def _of_lightgbm(data: bytes, _: ArtifactRecord, rows: Any) -> Any:
    import lightgbm

    return lightgbm.Booster(model_str=data.decode()).predict(rows)


def _of_catboost(data: bytes, record: ArtifactRecord, rows: Any) -> Any:
    import catboost

    return getattr(catboost, record.metadata["class"])().load_model(blob=data).predict(rows)


def _of_onnx(data: bytes, _: ArtifactRecord, rows: Any) -> Any:
    import onnxruntime

    session = onnxruntime.InferenceSession(data)
    table = np.asarray(rows).astype(np.float32)
    return session.run([session.get_outputs()[0].name], {"X": table})[0]


_PREDICT = {
    "skops": _of_skops,
    "xgboost": _of_xgboost,
    "lightgbm": _of_lightgbm,
    "catboost": _of_catboost,
    "onnx": _of_onnx,
}


_NETWORKS = {
    "torch module of one's own": network_kinds.native_module,
    "module of Lightning": network_kinds.native_lightning,
    "model of Keras": network_kinds.native_keras,
    "LanguageModelEstimator": network_kinds.native_language_model,
    "LanguageModelEstimator with one score": network_kinds.native_language_model,
    "SentenceEncoder and LogisticRegression": network_kinds.native_sentences,
}


def render_page(rows: list[KindRow]) -> str:
    """Write the page with the table."""
    lines = [
        f"{_HEAD}{' | '.join(COLUMNS)} |",
        "|---" * (3 + len(COLUMNS)) + "|",
        *(
            f"| {row.name} | {row.task.replace('_', ' ')} | {row.stored} | {' | '.join(row.results)} |"
            for row in rows
        ),
    ]
    return "\n".join(lines) + "\n" + _TAIL


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        found = make_rows(Path(folder))
    for bad in (row for row in found if "no" in row.results):
        sys.stdout.write(f"{bad}\n")
    PAGE.write_text(render_page(found), encoding="utf-8")
