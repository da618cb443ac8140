"""The part of W&B's records that is read: messages by field numbers, the rest is skipped.

Source: wandb/proto/wandb_internal.proto of wandb 0.31; fields keep their numbers for ever there.
"""

from functools import cache
from typing import Any

from penstock.core import require

_TEXT, _MESSAGE, _INT, _INT64 = 9, 11, 5, 3
_ITEM = {"key": (1, _TEXT), "nested_key": (2, _TEXT, True), "value_json": (16, _TEXT)}
_MESSAGES: dict[str, dict[str, tuple[Any, ...]]] = {
    "Time": {"seconds": (1, _INT64), "nanos": (2, _INT)},
    "Item": _ITEM,
    "Step": {"num": (1, _INT64)},
    "History": {"item": (1, "Item", True), "step": (2, "Step")},
    "Changes": {"update": (1, "Item", True), "remove": (2, "Item", True)},
    "Stats": {"timestamp": (2, "Time"), "item": (3, "Item", True)},
    "File": {"path": (1, _TEXT)},
    "Files": {"files": (1, "File", True)},
    "Git": {"remote_url": (1, _TEXT), "commit": (2, _TEXT)},
    "Branch": {"run": (1, _TEXT), "value": (2, 1), "metric": (3, _TEXT)},
    "Run": {
        "run_id": (1, _TEXT),
        "entity": (2, _TEXT),
        "project": (3, _TEXT),
        "config": (4, "Changes"),
        "summary": (5, "Changes"),
        "run_group": (6, _TEXT),
        "job_type": (7, _TEXT),
        "display_name": (8, _TEXT),
        "notes": (9, _TEXT),
        "tags": (10, _TEXT, True),
        "sweep_id": (12, _TEXT),
        "host": (13, _TEXT),
        "start_time": (17, "Time"),
        "git": (21, "Git"),
        "branch_point": (23, "Branch"),
    },
    "Version": {"producer": (1, _TEXT), "min_consumer": (2, _TEXT)},
    "Header": {"version_info": (1, "Version")},
    "Exit": {"exit_code": (1, _INT), "runtime": (2, _INT)},
    "Metric": {"name": (1, _TEXT), "glob_name": (2, _TEXT), "step_metric": (4, _TEXT)},
    "Environment": {
        "program": (6, _TEXT),
        "git": (9, "Git"),
        "host": (12, _TEXT),
        "username": (13, _TEXT),
    },
    "Entry": {
        "path": (1, _TEXT),
        "digest": (2, _TEXT),
        "ref": (3, _TEXT),
        "local_path": (6, _TEXT),
    },
    "Manifest": {"contents": (4, "Entry", True)},
    "Artifact": {
        "type": (4, _TEXT),
        "name": (5, _TEXT),
        "description": (7, _TEXT),
        "metadata": (8, _TEXT),
        "aliases": (11, _TEXT, True),
        "manifest": (12, "Manifest"),
    },
    "Record": {
        "num": (1, _INT64),
        "history": (2, "History"),
        "summary": (3, "Changes"),
        "config": (5, "Changes"),
        "files": (6, "Files"),
        "stats": (7, "Stats"),
        "artifact": (8, "Artifact"),
        "tbrecord": (9, "File"),
        "metric": (12, "Metric"),
        "run": (17, "Run"),
        "exit": (18, "Exit"),
        "header": (21, "Header"),
        "use_artifact": (25, "Step"),
        "environment": (26, "Environment"),
    },
}


@cache
def wandb_record() -> Any:  # Any: a message class, made at run time
    """Return the class of the records of a log of W&B.

    Raises:
        MissingDependencyError: If protobuf is not installed.
    """
    require("google.protobuf", extra="wandb", purpose="reading runs of W&B")
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(
        name="penstock/wandb.proto", package="penstock.wandb", syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind, *repeated) in fields.items():
            added = message.field.add(name=field, number=number, label=3 if repeated else 1)
            if isinstance(kind, str):
                added.type, added.type_name = _MESSAGE, f".penstock.wandb.{kind}"
            else:
                added.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("penstock.wandb.Record"))
