"""A version of penstock's as a model folder of MLflow's, made when an MLflow client asks for it.

The folder holds a store of its own with the estimator in its safe form, so that it loads wherever
penstock is installed, without the store that it came from.
"""

import json
import platform
import tempfile
from pathlib import Path

import penstock
from penstock.core import ArtifactRecord, DocumentRecord, ModelVersionRecord, ParameterError, now
from penstock.models import Model
from penstock.server.mlflow._desk import Desk, to_ms
from penstock.server.mlflow._kinds import VERSION
from penstock.server.mlflow._pyfunc import DATABASE, FACTS
from penstock.stores import Store, open_store

_DATA = "data"
_LOADER = "penstock.server.mlflow._pyfunc"


def write_model_folder(version: ModelVersionRecord, folder: Path, *, store: Store) -> None:
    """Write a version as a folder that ``mlflow.pyfunc.load_model`` reads.

    Args:
        version: The version.
        folder: A new folder.
        store: The version's store.

    Raises:
        ParameterError: If the folder is there already.
        SerializationError: If the version's format can run code.
    """
    if folder.exists():
        raise ParameterError(
            what=f"{folder} is there already.",
            why="A model folder is written whole.",
            fix="Give the name of a new folder.",
            path=folder,
        )
    model = Model.load(version, store=store)
    data = folder / _DATA
    data.mkdir(parents=True)
    with open_store(f"sqlite:///{data.resolve()}/{DATABASE}") as own:
        digest = own.put(model.estimator).digest
    facts = {"digest": digest, "signature": dict(version.signature), "ref": version.ref}
    (data / FACTS).write_text(json.dumps(facts), encoding="utf-8")
    # JSON is YAML, too, and needs no library.
    described = {
        "flavors": {
            "python_function": {
                "loader_module": _LOADER,
                "data": _DATA,
                "python_version": platform.python_version(),
                "env": {"virtualenv": "python_env.yaml"},
            }
        },
        "model_uuid": version.content_digest.removeprefix("sha256:")[:32],
        "utc_time_created": version.created_at.strftime("%Y-%m-%d %H:%M:%S.%f"),
        "metadata": {"penstock": version.ref, "task": model.signature.task},
        **({"run_id": version.run_id} if version.run_id else {}),
    }
    (folder / "MLmodel").write_text(json.dumps(described, indent=1), encoding="utf-8")
    environment = {"python": platform.python_version(), "dependencies": ["-r requirements.txt"]}
    (folder / "python_env.yaml").write_text(json.dumps(environment), encoding="utf-8")
    (folder / "requirements.txt").write_text(
        f"penstock=={penstock.__version__}\n", encoding="utf-8"
    )


def folder_of(desk: Desk, version: ModelVersionRecord) -> dict[str, ArtifactRecord]:
    """Return the files of a version's folder; the first call makes and stores it."""
    key = f"{version.model}/{version.version}"
    known = desk.metadata.documents.list_files(VERSION, key)
    if known:
        return known
    with tempfile.TemporaryDirectory(prefix="penstock-mlflow-") as place:
        folder = Path(place) / "model"
        write_model_folder(version, folder, store=desk.store)
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        names = [path.relative_to(folder).as_posix() for path in paths]
        files = dict(zip(names, desk.store.pack_files(paths), strict=True))
    body = {"folder_made": to_ms(now())}
    desk.metadata.documents.add([DocumentRecord(VERSION, key, version.model, now(), body)])
    desk.metadata.documents.add_files(VERSION, key, files)
    return files
