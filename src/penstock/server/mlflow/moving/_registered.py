"""Registered models of a store of MLflow's: their numbers stay, their stages go through the gates."""

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.core import (
    ArtifactRecord,
    ConflictError,
    DocumentRecord,
    ModelVersionRecord,
    NotFoundError,
    PenstockError,
    Stage,
    StoreError,
    current_actor,
    now,
)
from penstock.models import StoredFolder, store_mlflow_folder
from penstock.server.mlflow._artifacts import files_of
from penstock.server.mlflow._desk import Desk, from_ms
from penstock.server.mlflow._errors import MlflowError
from penstock.server.mlflow._fields import compact
from penstock.server.mlflow._kinds import MODEL, VERSION
from penstock.server.mlflow._model_versions import LOGGED_SOURCE
from penstock.server.mlflow._paths import ArtifactPlace
from penstock.server.mlflow._shelf import CHALLENGER, CHAMPION, STAGES, Shelf
from penstock.server.mlflow._stages import move
from penstock.server.mlflow.moving._importing_runs import FileImporter, ImportSummary
from penstock.server.mlflow.moving._marks import ImportMarks
from penstock.server.mlflow.moving._running import read_pairs
from penstock.server.mlflow.moving._source import Entry, MlflowSource

_ACTIVE = ("Staging", "Archived", "Production")  # in this order: Production archives what was there
_OWN_ALIASES = {CHAMPION: "Production", CHALLENGER: "Staging"}


def import_registered(
    desk: Desk,
    source: MlflowSource,
    summary: ImportSummary,
    files: FileImporter,
    marks: ImportMarks,
) -> None:
    """Import all registered models with their versions, tags, aliases and stages."""
    for entry in source.registered_models():
        summary.models += 1
        importer = _ModelImporter(desk, entry, source, summary, files, marks)
        try:
            importer.run(source.versions(entry["name"]))
        except StoreError:
            raise
        except PenstockError as error:
            summary.lost.append(f"Model {entry['name']!r}: {error.what}")


class _ModelImporter:
    def __init__(
        self,
        desk: Desk,
        entry: Entry,
        source: MlflowSource,
        summary: ImportSummary,
        files: FileImporter,
        marks: ImportMarks,
    ) -> None:
        self._desk, self._entry, self._source, self._summary = desk, entry, source, summary
        self._files, self._marks = files, marks
        self._name: str = entry["name"]
        self._numbers: set[int] = set()

    def run(self, versions: Sequence[Entry]) -> None:
        """Import the model; each version is marked after all of it is here."""
        if not self._begin():
            return
        self._numbers = {int(each["version"]) for each in versions}
        imported = [each for each in versions if self._version(each)]
        self._tags()
        self._plain_aliases()
        self._stages(imported)

    def _begin(self) -> bool:
        """Create the model, or find it; return whether it is the one that the source means."""
        document = self._desk.find(MODEL, self._name)
        if document is not None and document.body.get("deleted"):
            self._lose(f"Model {self._name!r}: it was deleted here")
            return False
        note = self._entry.get("description") or ""
        try:
            self._desk.metadata.models.create(self._name, note=note)
        except ConflictError:
            # Without versions it may be what a killed import began.
            if document is None and self._present():
                self._lose(f"Model {self._name!r}: there is another of that name here")
                return False
        created = self._entry.get("creation_timestamp") or None
        body = compact(created_ms=created)
        self._desk.metadata.documents.add(
            [DocumentRecord(MODEL, self._name, self._name, now(), body)]
        )
        return True

    def _present(self) -> dict[int, ModelVersionRecord]:
        try:
            found = self._desk.metadata.models.list_versions(self._model)
        except NotFoundError:
            return {}
        return {each.version: each for each in found}

    @property
    def _model(self) -> str:
        """Name of the model in penstock's records, which stays when it is renamed."""
        document = self._desk.find(MODEL, self._name)
        return self._name if document is None else document.owner

    def _version(self, entry: Entry) -> bool:
        """Import a version; return whether the version of that number here is this one."""
        number = int(entry["version"])
        mark = self._marks.find(self._key(number))
        if mark:
            self._summary.lost += mark["lost"]
            self._follow(number, entry, mark)
            return True
        lost: list[str] = []
        source = entry.get("source") or ""
        present = self._present()
        if number in present and not self._is_same(present[number], entry):
            self._lose(
                f"Version {number} of model {self._name!r}: another version has that number here"
            )
            return False
        self._fill(number, present)
        files, whole = self._read_files(entry, source, lost)
        if number in present:  # what a killed import began
            record = present[number]
            self._complete(entry, record, files, deleted=False)
        else:
            record = self._create(entry, files, deleted=False)
        try:
            tags = read_pairs(entry.get("tags", []))
            self._desk.metadata.models.set_version_tags(record.model, number, tags)
        except StoreError:
            raise
        except PenstockError as error:
            lost.append(f"Tags of version {number} of model {self._name!r}: {error.what}")
        if entry.get("status") not in {None, "READY"}:
            lost.append(
                f"The status of version {number} of model {self._name!r}, {entry['status']}:"
                " it is ready here"
            )
        if whole:
            self._marks.save(self._key(number), "", lost, facts=_changeable(entry))
        self._summary.lost += lost
        self._summary.versions += 1
        return True

    def _follow(self, number: int, entry: Entry, mark: Mapping[str, Any]) -> None:
        """Take along what was changed there since: the tags and the description."""
        before, there = mark.get("facts", {}), _changeable(entry)
        if before == there:
            return
        models = self._desk.metadata.models
        record = self._present()[number]
        if there["note"] not in {before.get("note"), record.note}:
            if record.note == before.get("note", record.note):
                models.update_version(
                    record.model, number, expected_revision=record.revision, note=there["note"]
                )
            else:
                self._lose(
                    f"The description of version {number} of model {self._name!r}: it was changed"
                    " here, and stays"
                )
        models.set_version_tags(record.model, number, there["tags"])
        self._marks.save(self._key(number), "", mark["lost"], facts=there)

    def _fill(self, number: int, present: Mapping[int, ModelVersionRecord]) -> None:
        """Create what is deleted there below a version: numbers have no gaps here."""
        for gap in sorted(set(range(1, number)) - self._numbers):
            key = self._key(gap)
            if self._marks.find(key):
                continue
            entry: Entry = {"version": str(gap)}
            record = present.get(gap)
            if record is None:
                if gap < max(present, default=0):
                    continue
                record = self._create(entry, {}, deleted=True)
            elif (
                record.artifact == self._stored(entry, {}).record.digest
            ):  # a killed import made it
                self._complete(entry, record, {}, deleted=True)
            else:
                continue  # somebody's
            move(self._desk, record, "Archived", reason="Deleted in MLflow before the import")
            self._marks.save(key, "")

    def _stored(self, entry: Entry, files: Mapping[str, ArtifactRecord]) -> StoredFolder:
        registration = f"{self._source.name} {self._name}/{entry['version']}"
        identity = {"source": entry.get("source") or "", "registration": registration}
        return store_mlflow_folder(files, identity, store=self._desk.store)

    def _is_same(self, record: ModelVersionRecord, entry: Entry) -> bool:
        """Return whether a version is what an import killed before its mark has begun."""
        facts = self._desk.find(VERSION, f"{record.model}/{record.version}")
        if facts is None:
            return bool(record.created_at == _created(entry))
        body, wanted = facts.body, self._facts(entry, deleted=False)
        return all(body.get(name) == wanted.get(name) for name in ("source", "run_id"))

    def _create(
        self, entry: Entry, files: Mapping[str, ArtifactRecord], *, deleted: bool
    ) -> ModelVersionRecord:
        number, stored = int(entry["version"]), self._stored(entry, files)
        run_id = entry.get("run_id") or ""
        record = ModelVersionRecord(
            model=self._model,
            version=0,
            stage=Stage.NONE,
            run_id=run_id if _is_run(self._desk, run_id) else None,
            trained_by=entry.get("user_id") or current_actor(),
            artifact=stored.record.digest,
            content_digest=stored.record.content_digest,
            signature=dict(stored.signature),
            created_at=_created(entry) or now(),
            note=entry.get("description") or "",
        )
        made = self._desk.metadata.models.create_version(record, actor=current_actor())
        if made.version != number:
            raise ConflictError(
                what=f"Version {number} became version {made.version} of {made.model!r}.",
                why="Somebody registered a version at the same time.",
                fix="Import once more.",
            )
        self._complete(entry, made, files, deleted=deleted)
        return made

    def _complete(
        self,
        entry: Entry,
        version: ModelVersionRecord,
        files: Mapping[str, ArtifactRecord],
        *,
        deleted: bool,
    ) -> None:
        key = f"{version.model}/{version.version}"
        facts = self._facts(entry, deleted=deleted)
        document = DocumentRecord(VERSION, key, version.model, now(), facts)
        self._desk.metadata.documents.add([document])
        self._desk.metadata.documents.add_files(VERSION, key, files)

    @staticmethod
    def _facts(entry: Entry, *, deleted: bool) -> dict[str, Any]:
        return compact(
            source=entry.get("source") or "",
            run_id=entry.get("run_id") or "",
            run_link=entry.get("run_link"),
            deleted=deleted or None,
        )

    def _read_files(
        self, entry: Entry, source: str, lost: list[str]
    ) -> tuple[Mapping[str, ArtifactRecord], bool]:
        """Return the files of a version: those of its logged model, or those where its source is."""
        match = LOGGED_SOURCE.fullmatch(source)
        if match is not None:
            place = ArtifactPlace("model", match.group(1), (match.group(2) or "").strip("/"))
            return files_of(self._desk, place), True
        whose = f"version {entry['version']} of model {self._name!r}"
        place_of = entry.get("storage_location") or source
        if place_of.startswith(("runs:", "models:")):
            lost.append(f"The files of {whose}: its source {place_of!r} names no place")
            return {}, True
        return self._files.store(self._files.list_files(place_of, whose), lost)

    def _tags(self) -> None:
        tags = read_pairs(self._entry.get("tags", []))
        try:
            if tags:
                self._desk.metadata.models.set_tags(self._model, tags)
        except StoreError:
            raise
        except PenstockError as error:
            self._lose(f"Tags of model {self._name!r}: {error.what}")

    def _plain_aliases(self) -> None:
        """Set the aliases that are names only; those that were set before may have moved here since."""
        shelf = Shelf(self._desk)
        model = shelf.find(self._name)
        if model is None:
            return
        alive = {version.record.version for version in model.versions}
        mark = self._marks.find(f"{MODEL}/{self._name}")
        before = mark.get("aliases", {})
        wanted: dict[str, int] = {}
        for each in self._entry.get("aliases", []):
            alias, number = each["alias"], int(each["version"])
            if number not in alive:
                self._lose(f"Alias {alias!r} of model {self._name!r}: there is no version {number}")
            elif alias not in _OWN_ALIASES:
                wanted[alias] = number
        new = {alias: number for alias, number in wanted.items() if before.get(alias) != number}
        if new:
            shelf.touch(model, lambda body: body | {"aliases": {**body.get("aliases", {}), **new}})
        if wanted != before:
            stages = mark.get("stages", {})
            self._marks.save(f"{MODEL}/{self._name}", "", aliases=wanted, stages=stages)

    def _stages(self, versions: Sequence[Entry]) -> None:
        """Move to the stages there; those that were so before may have moved here since."""
        mark = self._marks.find(f"{MODEL}/{self._name}")
        before: Mapping[str, str] = mark.get("stages", {})
        wanted = {each["version"]: str(each.get("current_stage") or "None") for each in versions}
        named = self._entry.get("aliases", [])
        for each in sorted(named, key=lambda alias: str(alias["alias"])):
            stage = _OWN_ALIASES.get(each["alias"])
            if stage is not None and each["version"] in wanted:
                if wanted[each["version"]] not in {"None", stage}:
                    self._lose(
                        f"Alias {each['alias']!r} of {self._name}@{each['version']}, which is in"
                        f" {wanted[each['version']]}: the alias means {stage} here"
                    )
                elif wanted[each["version"]] == "None":
                    wanted[each["version"]] = stage
        moved = [
            (number, stage)
            for stage in _ACTIVE
            for number, there in wanted.items()
            if there == stage and before.get(number, "None") != there
        ]
        refused = {number for number, stage in moved if not self._move(int(number), stage)}
        present = self._present()
        for number, stage in wanted.items():
            here = STAGES[present[int(number)].stage]
            if here != stage and number not in refused and before.get(number) != stage:
                self._lose(f"Stage {stage} of {self._name}@{number}: it is in {here} here")
        if wanted != before:
            aliases = mark.get("aliases", {})
            done = {number: stage for number, stage in wanted.items() if number not in refused}
            self._marks.save(f"{MODEL}/{self._name}", "", aliases=aliases, stages=done)

    def _move(self, number: int, stage: str) -> bool:
        try:
            _, version = Shelf(self._desk).version(self._name, number)
            move(self._desk, version.record, stage, reason=f"It was in {stage} in MLflow")
        except StoreError:
            raise
        except PenstockError as error:
            self._lose(f"Stage {stage} of {self._name}@{number}: {error.what}")
            return False
        return True

    def _key(self, number: int) -> str:
        return f"{VERSION}/{self._name}/{number}"

    def _lose(self, sentence: str) -> None:
        self._summary.lost.append(sentence)


def _changeable(entry: Entry) -> dict[str, Any]:
    return {"tags": read_pairs(entry.get("tags", [])), "note": entry.get("description") or ""}


def _created(entry: Entry) -> Any:
    stamp = entry.get("creation_timestamp")
    return from_ms(int(stamp), "creation_timestamp") if stamp else None


def _is_run(desk: Desk, run_id: str) -> bool:
    if not run_id:
        return False
    try:
        desk.run(run_id)
    except MlflowError:
        return False
    return True
