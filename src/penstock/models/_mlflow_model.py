"""store_mlflow_folder: the files of a model folder of MLflow's as a model of penstock's, where safe.

No byte is copied: the stored model names the folder's files by digest. The model is read once, in a
process with limits, for its signature; a folder that cannot be read stays as files, with the reason.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from penstock.core import (
    ArtifactRecord,
    PenstockError,
    SerializationError,
    digest_json,
    now,
    summarize_error,
)
from penstock.models._mlflow_trial import describe
from penstock.sandbox import TrialRequest, TrialResult, has_processes, try_apart
from penstock.stores import MLMODEL, MlflowFolder, dump_json, load_json, read_mlflow_folder

if TYPE_CHECKING:
    from penstock.stores import Store

FORMAT = "mlflow"
_TYPE = "MLflow model"
_KEY, _REFUSED = "mlflow", "refused"
_MOST_BYTES = 1 << 30  # of the model's file, which is read into memory
_MOST_TEXT_BYTES = 2 << 20  # of its description, and of its example
_CPU_S = 10
_BYTES_PER_S = 4 << 20
_MEMORY_BYTES, _MEMORY_FACTOR = 512 << 20, 32
_one_at_a_time = threading.Lock()  # a server reads a single model into memory


@dataclass(frozen=True, slots=True)
class StoredFolder:
    """A model folder in the store.

    Args:
        record: The artifact of a version: a model, or a document that names the files.
        signature: The model's signature as JSON; empty where the folder is kept as files.
        reason: Why the folder is kept as files; empty for a model, and for files without a
            description of a model.
    """

    record: ArtifactRecord
    signature: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""


def store_mlflow_folder(
    files: Mapping[str, ArtifactRecord], identity: Mapping[str, Any], *, store: "Store"
) -> StoredFolder:
    """Store the files of a folder as a model, or as files with the reason.

    Args:
        files: The folder's files by name, all stored and recorded.
        identity: What makes this registration another than that of the same files.
        store: The store of the files.
    """
    document = {
        **identity,
        "files": {path: each.digest for path, each in files.items()},
    }
    if MLMODEL not in files:
        return StoredFolder(store.put({_KEY: document}))
    try:
        folder = read_mlflow_folder(_bytes_of(MLMODEL, files, _MOST_TEXT_BYTES, store))
        with _one_at_a_time:
            signature = _describe(folder, files, store)
    except PenstockError as error:
        texts = error.to_json()
        refused = {key: str(texts.get(key, "")) for key in ("what", "why", "fix")}
        return StoredFolder(store.put({_KEY: {**document, _REFUSED: refused}}), reason=error.what)
    parts = {name: files[name].digest for name in (MLMODEL, folder.file)}
    record = _record(document, parts, store)
    store.metadata.artifacts.add([record])
    return StoredFolder(record, signature)


def require_no_files(record: ArtifactRecord, *, store: "Store") -> None:
    """Refuse the document of a folder that is kept as files, with the reason that it has.

    Raises:
        SerializationError: If the record is such a document.
    """
    if record.format != "json" or record.type_name != "dict":
        return
    value = store.load(record)
    document = value.get(_KEY) if isinstance(value, dict) and len(value) == 1 else None
    refused = document.get(_REFUSED) if isinstance(document, dict) else None
    if isinstance(refused, dict):
        texts: dict[str, Any] = {key: str(refused.get(key, "")) for key in ("what", "why", "fix")}
        raise SerializationError(**texts, format=FORMAT)


def _describe(
    folder: MlflowFolder, files: Mapping[str, ArtifactRecord], store: "Store"
) -> Mapping[str, Any]:
    data = _bytes_of(folder.file, files, _MOST_BYTES, store)
    example = None
    if folder.example in files and files[folder.example].size_bytes <= _MOST_TEXT_BYTES:
        example = store.read_bytes(files[folder.example], check=True)
    arguments = {
        "format": folder.format,
        "mlmodel": store.read_bytes(files[MLMODEL], check=True),
        "example": example,
    }
    if not has_processes():
        return dict(load_json(describe(data, arguments).encode()))
    request = TrialRequest(
        module="penstock.models._mlflow_trial",
        prepare="prepare",
        function="describe",
        arguments=arguments,
        cpu_s=_CPU_S + len(data) // _BYTES_PER_S,
        memory_bytes=_MEMORY_BYTES + _MEMORY_FACTOR * len(data),
    )
    result = try_apart(request, data)
    if result.outcome != "done":
        raise _refusal(folder, result, request)
    return dict(load_json(str(result.result).encode()))


def _bytes_of(name: str, files: Mapping[str, ArtifactRecord], most: int, store: "Store") -> bytes:
    record = files.get(name)
    if record is None:
        raise SerializationError(
            what=f"The model folder has no file {name[:80]!r}.",
            why="Its description names this file as the model.",
            fix="Log the model again with MLflow's client.",
            format=FORMAT,
        )
    if record.size_bytes > most:
        raise SerializationError(
            what=f"The file {name[:80]!r} of the model folder has {record.size_bytes:,} bytes.",
            why=f"It is read into memory, and may have {most:,}.",
            fix="Log a smaller model, or serve it with what it was made for.",
            format=FORMAT,
        )
    return store.read_bytes(record, check=True)


def _record(
    document: Mapping[str, Any], parts: Mapping[str, str], store: "Store"
) -> ArtifactRecord:
    data = dump_json({_KEY: document}, exact=True).encode()
    digest, inline, size = store.keep_bytes(data)
    return ArtifactRecord(
        digest=digest,
        content_digest=digest_json([FORMAT, document]),
        format=FORMAT,
        type_name=_TYPE,
        size_bytes=size,
        created_at=now(),
        inline=inline,
        metadata={"parts": dict(parts)},
    )


def _refusal(
    folder: MlflowFolder, result: TrialResult, request: TrialRequest
) -> SerializationError:
    if result.error is not None:
        texts: dict[str, Any] = {key: result.error.get(key, "") for key in ("what", "why", "fix")}
        return SerializationError(**texts, format=FORMAT)
    ends = {
        "raised": f"its library says: {result.reason}",
        "memory": f"reading it takes more than {request.memory_bytes >> 20:,} MiB",
        "slow": f"reading it takes more than {request.cpu_s} seconds of processor time",
        "ended": f"reading it ended the process that tried ({result.reason})",
    }
    return SerializationError(
        what=f"{folder.file[:80]!r} is no {folder.format} model that can be read:"
        f" {summarize_error(Exception(ends[result.outcome]))}.",
        why="A model folder is first read in a process of its own, with limits.",
        fix="Log the model again with MLflow's client; the server needs the model's library.",
        format=FORMAT,
        outcome=result.outcome,
    )
