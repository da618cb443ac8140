"""MLflow's calls on registered models and their aliases."""

from typing import Any

from penstock.core import ConflictError, DocumentRecord, now
from penstock.server.mlflow import _grammar as grammar
from penstock.server.mlflow._desk import Desk, quote, to_ms
from penstock.server.mlflow._errors import EXISTS, MlflowError, invalid, lacking
from penstock.server.mlflow._fields import Fields, compact, page
from penstock.server.mlflow._kinds import MODEL
from penstock.server.mlflow._rules import (
    MODEL_TAG_LENGTH,
    check_alias,
    check_key,
    check_length,
    check_model_name,
    check_version,
)
from penstock.server.mlflow._shelf import (
    CHALLENGER,
    CHAMPION,
    PROMPT_TAG,
    STAGES,
    Shelf,
    ShelfModel,
    latest,
    read_tag,
    wants_prompts,
    write_model,
    write_version,
)
from penstock.server.mlflow._stages import move, read_stage

_MOST, _DEFAULT = 1000, 100
_PROMPT_TEXT = "mlflow.prompt.text"
_OWN = {CHAMPION: "Production", CHALLENGER: "Staging"}


def create(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Register a model without versions."""
    name, shelf = check_model_name(fields.require("name")), Shelf(desk)
    tags = read_model_tags(fields)
    if shelf.find(name) is not None:
        raise _taken(name)
    note = fields.text("description")
    try:
        desk.metadata.models.create(name, note=note, tags=tags)
    except ConflictError:
        _revive(desk, name, note, tags)
    desk.metadata.documents.add([DocumentRecord(MODEL, name, name, now(), {})])
    return {"registered_model": write_model(shelf.get(name))}


def _revive(desk: Desk, name: str, note: str, tags: dict[str, str]) -> None:
    """Take a deleted model's name again: its history goes on, its numbers too."""
    document = desk.find(MODEL, name)
    if document is None or not document.body.get("deleted"):
        raise _taken(name)
    desk.change(MODEL, name, lambda _: {"created_ms": to_ms(now())})
    [record] = desk.metadata.models.search(f"model = {quote(document.owner)}", limit=1)
    desk.metadata.models.delete_tags(document.owner, list(record.tags))
    desk.metadata.models.update(document.owner, note=note)
    desk.metadata.models.set_tags(document.owner, tags)


def rename(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Rename a registered model for MLflow's clients; its history keeps the first name."""
    shelf = Shelf(desk)
    name = fields.text("new_name")
    if not name.strip():
        raise lacking("new_name")
    check_model_name(name)
    model = _named(shelf, fields)
    if shelf.find(name) is not None or desk.metadata.models.search(f"model = {quote(name)}"):
        raise _taken(name)
    found = desk.find(MODEL, model.name)
    body = {} if found is None else dict(found.body)
    desk.metadata.documents.delete(MODEL, [model.name])
    desk.metadata.documents.add([DocumentRecord(MODEL, name, model.record.model, now(), body)])
    return {"registered_model": write_model(shelf.get(name))}


def update(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Change the description of a registered model."""
    shelf = Shelf(desk)
    model = _named(shelf, fields)
    desk.metadata.models.update(model.record.model, note=fields.text("description"))
    shelf.touch(model)
    return {"registered_model": write_model(shelf.get(model.name))}


def delete(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Hide a registered model; its history stays in penstock."""
    shelf = Shelf(desk)
    model = _named(shelf, fields)
    for version in model.versions:
        move(desk, version.record, "Archived", reason="The model was deleted.", at_least=True)
        shelf.touch_version(version, lambda body: body | {"deleted": True})
    shelf.touch(model, lambda _: {"deleted": True})
    return {}


def get(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Return a registered model."""
    return {"registered_model": write_model(_named(Shelf(desk), fields))}


def search(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Search registered models."""
    most = fields.most(_DEFAULT, _MOST)
    wanted = grammar.MODELS.read(fields.text("filter"))
    prompts = wants_prompts(wanted)
    terms = grammar.MODELS.order(fields.texts("order_by"))
    found = [
        model
        for model in Shelf(desk).all()
        if all(grammar.matches(comparison, _reader(model)) for comparison in wanted)
        and (prompts or read_tag(model.record.tags, PROMPT_TAG) != "true")
    ]
    grammar.sort(found, terms, _reader)
    rows, token = page(found, fields, most)
    return compact(registered_models=list(map(write_model, rows)), next_page_token=token)


def get_latest(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Return the newest version of each stage."""
    stages = [STAGES[read_stage(stage)] for stage in fields.texts("stages")]
    model = _named(Shelf(desk), fields)
    found = [write_version(model, version) for version in latest(model, stages)]
    return compact(model_versions=found)


def set_tag(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Set a tag of a registered model."""
    shelf, tags = Shelf(desk), dict([read_model_tag(fields)])
    model = _named(shelf, fields)
    desk.metadata.models.set_tags(model.record.model, tags)
    return {}


def delete_tag(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Delete a tag of a registered model; an unknown tag is no error."""
    shelf, key = Shelf(desk), fields.require("key")
    model = _named(shelf, fields)
    desk.metadata.models.delete_tags(model.record.model, [key])
    return {}


def set_alias(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Set an alias; ``champion`` and ``challenger`` are stages, which have their gates."""
    shelf, alias = Shelf(desk), check_alias(fields.text("alias"))
    name, number = fields.require("name"), check_version(fields.require("version"))
    model, version = shelf.version(check_model_name(name), number)
    if alias in _OWN:
        if model.aliases.get(alias) != number:
            move(desk, version.record, _OWN[alias], reason=f"Alias {alias} set.")
        return {}
    shelf.touch(model, lambda body: body | {"aliases": {**body.get("aliases", {}), alias: number}})
    return {}


def delete_alias(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Delete an alias; an unknown one is no error. Without ``champion`` nothing is in production."""
    shelf, alias = Shelf(desk), check_alias(fields.text("alias"))
    model = _named(shelf, fields)
    if alias in _OWN:
        for version in model.versions:
            if STAGES[version.record.stage] == _OWN[alias]:
                move(desk, version.record, "Archived", reason=f"Alias {alias} deleted.")
        return {}
    shelf.touch(model, lambda body: body | {"aliases": _without(body.get("aliases", {}), alias)})
    return {}


def get_by_alias(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Return the version that an alias means; ``latest``, which nobody may set, is the newest."""
    alias = fields.text("alias")
    model = _named(Shelf(desk), fields)
    if alias.lower() == "latest" and model.versions:
        number: int | None = model.versions[-1].record.version
    else:
        number = model.aliases.get(check_alias(alias))
    for version in model.versions:
        if version.record.version == number:
            return {"model_version": write_version(model, version)}
    raise invalid(f"Registered model alias {alias} not found.")


def read_model_tags(fields: Fields) -> dict[str, str]:
    """Return the tags of a registered model or version."""
    return dict(read_model_tag(part) for part in fields.parts("tags"))


def read_model_tag(fields: Fields) -> tuple[str, str]:
    """Return a tag of a registered model or version."""
    key, value = check_key(fields.require("key"), "tag", fields.place), fields.text("value")
    if key == _PROMPT_TEXT and len(value) > MODEL_TAG_LENGTH:
        raise invalid(f"Prompt text exceeds max length of {MODEL_TAG_LENGTH} characters.")
    return key, check_length(value, MODEL_TAG_LENGTH, fields.place + "value")


def _named(shelf: Shelf, fields: Fields) -> ShelfModel:
    return shelf.get(check_model_name(fields.require("name")))


def _reader(model: ShelfModel) -> Any:
    written = write_model(model)

    def read(group: str, name: str) -> Any:
        return read_tag(model.record.tags, name) if group == "tags" else written.get(name)

    return read


def _without(aliases: dict[str, int], alias: str) -> dict[str, int]:
    return {name: number for name, number in aliases.items() if name != alias}


def _taken(name: str) -> MlflowError:
    return MlflowError(EXISTS, f"Registered Model (name={name}) already exists.")
