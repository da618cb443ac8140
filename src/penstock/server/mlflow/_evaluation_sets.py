"""MLflow's calls on evaluation datasets: questions with what is expected of the answers.

A dataset belongs to any number of experiments. Its records are documents, one for each input: a record
whose input is there already is merged into that one.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from penstock.core import DocumentRecord, digest_json, new_id, now
from penstock.server.mlflow import _grammar as grammar
from penstock.server.mlflow._desk import Desk, to_ms
from penstock.server.mlflow._errors import invalid, missing
from penstock.server.mlflow._fields import Fields, compact, page
from penstock.server.mlflow._rules import check_experiment_id, check_length
from penstock.tracking import EVALUATION_RECORD, EVALUATION_SET

_MOST, _DEFAULT = 50_000, 1000
_NAME_LENGTH, _TAG_KEY, _TAG_VALUE = 255, 255, 5000
_USER = "mlflow.user"
_SCHEMA_PARTS = ("inputs", "outputs", "expectations")
_TYPES: Mapping[Any, str] = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "float",
    str: "string",
    list: "array",
    dict: "object",
}
_SOURCES = frozenset({"UNSPECIFIED", "TRACE", "HUMAN", "DOCUMENT", "CODE"})


def create(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Create a dataset."""
    name = check_length(fields.require("name"), _NAME_LENGTH, "name")
    experiments = _experiments(desk, fields)
    tags = _tags(fields.text("tags"))
    moment = to_ms(now())
    body = {
        "name": name,
        "tags": tags,
        "experiment_ids": experiments,
        "created_ms": moment,
        "updated_ms": moment,
        "created_by": tags.get(_USER, ""),
        "updated_by": tags.get(_USER, ""),
        "schema": "",
        "digest": _digest(name, moment),
    }
    document = DocumentRecord(EVALUATION_SET, f"d-{new_id()}", "", now(), body)
    desk.metadata.documents.add([document])
    return {"dataset": _written(document, 0)}


def get(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Return a dataset without its records."""
    return {"dataset": _counted(desk, [_named(desk, fields)])[0]}


def delete(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Delete a dataset with its records; one that is gone is no error."""
    found = desk.find(EVALUATION_SET, fields.require("dataset_id"))
    if found is not None:
        records = [each.key for each in _records(desk, found.key)]
        desk.metadata.documents.delete(EVALUATION_RECORD, records)
        desk.metadata.documents.delete(EVALUATION_SET, [found.key])
    return {}


def search(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Search datasets."""
    most = fields.most(_DEFAULT, _MOST)
    ids = {check_experiment_id(each) for each in fields.texts("experiment_ids")}
    wanted = grammar.EVALUATION_SETS.read(fields.text("filter_string"))
    terms = grammar.EVALUATION_SETS.order(fields.texts("order_by"))
    found = [
        each
        for each in desk.metadata.documents.list(EVALUATION_SET)
        if (not ids or ids & set(each.body["experiment_ids"]))
        and all(grammar.matches(test, _reader(each)) for test in wanted)
    ]
    found.sort(key=lambda each: (-each.body["created_ms"], each.key))
    grammar.sort(found, terms, _reader)
    rows, token = page(found, fields, most)
    return compact(datasets=_counted(desk, rows), next_page_token=token)


def set_tags(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Set tags of a dataset; its other tags stay."""
    tags = _tags(fields.require("tags"))
    found = _named(desk, fields)
    desk.change(EVALUATION_SET, found.key, lambda body: body | {"tags": {**body["tags"], **tags}})
    return {}


def delete_tag(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Delete a tag of a dataset; an unknown tag is no error."""
    key = fields.require("tag_key")
    found = desk.find(EVALUATION_SET, fields.require("dataset_id"))
    if found is not None:
        desk.change(
            EVALUATION_SET,
            found.key,
            lambda body: body | {"tags": {k: v for k, v in body["tags"].items() if k != key}},
        )
    return {}


def get_experiment_ids(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Return the experiments of a dataset."""
    return compact(experiment_ids=_named(desk, fields).body["experiment_ids"])


def add_experiments(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Add a dataset to experiments; where it is already, it stays."""
    found, more = _named(desk, fields), _experiments(desk, fields)
    return _moved(desk, found, lambda ids: list(dict.fromkeys([*ids, *more])))


def remove_experiments(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Remove a dataset from experiments; where it is not, nothing happens."""
    found = _named(desk, fields)
    gone = {check_experiment_id(each) for each in fields.texts("experiment_ids")}
    return _moved(desk, found, lambda ids: [each for each in ids if each not in gone])


def upsert_records(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Add records; one whose input is there already is merged into that one."""
    dataset = _named(desk, fields)
    sent = [_read_record(each) for each in _decode(fields.require("records"), "records", list)]
    inserted = sum([_upsert(desk, dataset.key, each, place) for place, each in enumerate(sent)])
    users = [each["tags"][_USER] for each in sent if _USER in each["tags"]]
    moment = to_ms(now())
    desk.change(
        EVALUATION_SET,
        dataset.key,
        lambda body: (
            body
            | {
                "updated_ms": moment,
                "updated_by": users[-1] if users else "",
                "schema": _schema(body["schema"], sent),
                "digest": _digest(body["name"], moment),
            }
        ),
    )
    return {"inserted_count": inserted, "updated_count": len(sent) - inserted}


def get_records(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Return the records of a dataset, as JSON in a text."""
    found = _records(desk, _named(desk, fields).key)
    found.sort(key=lambda each: (each.body["created_ms"], each.body["place"], each.key))
    rows, token = page(found, fields, fields.most(_DEFAULT, _MOST))
    records = json.dumps([_written_record(each) for each in rows])
    return compact(records=records, next_page_token=token)


def delete_records(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Delete records by id; unknown ids are left out."""
    ids = set(fields.texts("dataset_record_ids"))
    found = _records(desk, _named(desk, fields).key)
    gone = [each.key for each in found if each.body["record_id"] in ids]
    desk.metadata.documents.delete(EVALUATION_RECORD, gone)
    return {"deleted_count": len(gone)}


def _named(desk: Desk, fields: Fields) -> DocumentRecord:
    dataset_id = fields.require("dataset_id")
    found = desk.find(EVALUATION_SET, dataset_id)
    if found is None:
        raise missing(f"Evaluation dataset with id '{dataset_id[:250]}' not found")
    return found


def _records(desk: Desk, dataset_id: str) -> list[DocumentRecord]:
    return desk.metadata.documents.list(EVALUATION_RECORD, owners=[dataset_id])


def _experiments(desk: Desk, fields: Fields) -> list[str]:
    ids = [check_experiment_id(each) for each in fields.texts("experiment_ids")]
    for each in ids:
        desk.experiment(each)
    return list(dict.fromkeys(ids))


def _moved(desk: Desk, found: DocumentRecord, edit: Any) -> dict[str, Any]:
    changed = desk.change(
        EVALUATION_SET,
        found.key,
        lambda body: (
            body | {"experiment_ids": edit(body["experiment_ids"]), "updated_ms": to_ms(now())}
        ),
    )
    return {"dataset": _counted(desk, [changed])[0]}


def _counted(desk: Desk, documents: Sequence[DocumentRecord]) -> list[dict[str, Any]]:
    """Return datasets as clients read them."""
    counts: dict[str, int] = {}
    ids = [each.key for each in documents]
    for each in desk.metadata.documents.list(EVALUATION_RECORD, owners=ids) if ids else ():
        counts[each.owner] = counts.get(each.owner, 0) + 1
    return [_written(each, counts.get(each.key, 0)) for each in documents]


def _written(document: DocumentRecord, records: int) -> dict[str, Any]:
    body = document.body
    return compact(
        dataset_id=document.key,
        name=body["name"],
        tags=json.dumps(body["tags"]),
        schema=body["schema"],
        profile=json.dumps({"num_records": records}) if records else "",
        digest=body["digest"],
        created_time=body["created_ms"],
        last_update_time=body["updated_ms"],
        created_by=body["created_by"],
        last_updated_by=body["updated_by"],
        experiment_ids=body["experiment_ids"],
    )


def _written_record(document: DocumentRecord) -> dict[str, Any]:
    body = document.body
    told = {
        "dataset_record_id": body["record_id"],
        "dataset_id": document.owner,
        "inputs": body["inputs"],
        "outputs": body["outputs"],
        "expectations": body["expectations"] or None,
        "tags": body["tags"],
        "source": body["source"],
        "source_id": body["source_id"] or None,
        "source_type": body["source"]["source_type"] if body["source"] else None,
        "created_time": body["created_ms"],
        "last_update_time": body["updated_ms"],
        "created_by": body["created_by"] or None,
        "last_updated_by": body["updated_by"] or None,
    }
    return {name: value for name, value in told.items() if value is not None}


def _read_record(sent: Any) -> dict[str, Any]:
    """Return a record as it was sent, checked."""
    if not isinstance(sent, Mapping):
        raise invalid("Each record must be a JSON object.")
    record: dict[str, Any] = {
        "inputs": _mapping(sent, "inputs"),
        "expectations": _mapping(sent, "expectations"),
        "tags": _mapping(sent, "tags"),
        "source": _source(sent.get("source")),
    }
    return record | ({"outputs": sent["outputs"]} if "outputs" in sent else {})


def _mapping(sent: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = sent.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise invalid(f"'{name}' of a record must be a JSON object, not {str(value)[:100]!r}.")
    return dict(value)


def _source(sent: Any) -> dict[str, Any] | None:
    if not sent:
        return None
    kind = sent.get("source_type") if isinstance(sent, Mapping) else None
    data = sent.get("source_data") or {} if isinstance(sent, Mapping) else None
    word = kind.upper() if isinstance(kind, str) else "UNSPECIFIED"
    if word not in _SOURCES or not isinstance(data, Mapping):
        raise invalid(f"Invalid dataset record source: {str(sent)[:100]!r}.")
    return {"source_type": word, "source_data": dict(data)}


def _upsert(desk: Desk, dataset_id: str, sent: Mapping[str, Any], place: int) -> bool:
    """Insert a record, or merge it into that of the same input; return whether it is new.

    Args:
        desk: The desk.
        dataset_id: Its dataset.
        sent: The record.
        place: Its place among those that were sent with it.
    """
    key = f"{dataset_id}/{digest_json(sent['inputs'])}"
    moment, user = to_ms(now()), sent["tags"].get(_USER, "")
    data = (sent["source"] or {}).get("source_data", {})
    body = {
        **{name: sent[name] for name in ("inputs", "expectations", "tags", "source")},
        "outputs": sent.get("outputs"),
        "record_id": f"dr-{new_id()}",
        "source_id": data.get("trace_id") or data.get("source_id"),
        "created_ms": moment,
        "updated_ms": moment,
        "created_by": user,
        "updated_by": user,
        "place": place,  # records of one millisecond keep their order
    }
    if desk.metadata.documents.add([DocumentRecord(EVALUATION_RECORD, key, dataset_id, now(), body)])[0]:  # fmt: skip
        return True
    desk.change(EVALUATION_RECORD, key, lambda old: _merged(old, sent))
    return False


def _merged(old: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **old,
        "outputs": sent.get("outputs", old["outputs"]),
        "expectations": {**old["expectations"], **sent["expectations"]},
        "tags": {**old["tags"], **sent["tags"]},
        "updated_ms": to_ms(now()),
        "updated_by": sent["tags"].get(_USER, old["updated_by"]),
    }


def _schema(text: str, records: Iterable[Mapping[str, Any]]) -> str:
    """Return the types of a dataset's fields, each as it was seen first."""
    schema: dict[str, Any] = json.loads(text) if text else {part: {} for part in _SCHEMA_PARTS}
    schema.setdefault("version", "1.0")
    for record in records:
        for part in _SCHEMA_PARTS:
            value, known = record.get(part), schema[part]
            if isinstance(value, Mapping) and isinstance(known, dict):
                for name, each in value.items():
                    known.setdefault(name, _type_of(each))
            elif value is not None and not known:
                schema[part] = _type_of(value)
    return json.dumps(schema)


def _type_of(value: Any) -> str:
    return _TYPES[type(value)]


def _digest(name: str, moment: int | None) -> str:
    return digest_json([name, moment]).removeprefix("sha256:")[:8]


def _tags(text: str) -> dict[str, str]:
    found = _decode(text, "tags", dict) if text else {}
    tags = {str(k): v if isinstance(v, str) else json.dumps(v) for k, v in found.items() if v is not None}  # fmt: skip
    for key, value in tags.items():
        check_length(key, _TAG_KEY, "tag key")
        check_length(value, _TAG_VALUE, "tag value")
    return tags


def _decode(text: str, name: str, kind: type) -> Any:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, kind):
        word = "a list" if kind is list else "an object"
        raise invalid(f"'{name}' must be {word} as JSON in a text, not {text[:100]!r}.")
    return found


def _reader(document: DocumentRecord) -> Any:
    body = document.body
    attributes = {
        "name": body["name"],
        "created_time": body["created_ms"],
        "last_update_time": body["updated_ms"],
        "created_by": body["created_by"] or None,
        "last_updated_by": body["updated_by"] or None,
        "dataset_id": document.key,
    }
    groups = {"attributes": attributes, "tags": body["tags"]}
    return lambda group, name: groups[group].get(name)
