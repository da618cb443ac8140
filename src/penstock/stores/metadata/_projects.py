"""Projects: named parts of the store."""

from penstock.core import ConflictError, NotFoundError, ProjectRecord, did_you_mean
from penstock.stores._json import dump_json, load_json
from penstock.stores.metadata._audit import note_change
from penstock.stores.metadata._codec import RecordTable
from penstock.stores.metadata._database import Database, Transaction

PROJECTS = RecordTable(
    "projects",
    ProjectRecord,
    times=("created_at",),
    kinds={"names": (lambda names: dump_json(list(names)), lambda text: tuple(load_json(text)))},
)
_SAVE = PROJECTS.upsert("name", keep=("created_at",))


class SQLProjectStore:
    """ProjectStore on SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, project: ProjectRecord) -> None:
        """See ProjectStore."""
        with self._database.write(durable=True) as transaction:
            _require_free(transaction, project)
            transaction.execute(_SAVE, PROJECTS.row(project))
            facts = {"names": list(project.names)}
            note_change(transaction, self._database, "project.save", project.name, facts)

    def get(self, name: str) -> ProjectRecord:
        """See ProjectStore."""
        with self._database.read() as transaction:
            return _load(transaction, name)

    def delete(self, name: str) -> None:
        """See ProjectStore."""
        with self._database.write(durable=True) as transaction:
            _load(transaction, name)
            transaction.execute("DELETE FROM grants WHERE project = ?", (name,))
            transaction.execute("DELETE FROM projects WHERE name = ?", (name,))
            note_change(transaction, self._database, "project.delete", name)

    def list(self) -> list[ProjectRecord]:
        """See ProjectStore."""
        with self._database.read() as transaction:
            return _all(transaction)


def _all(transaction: Transaction) -> list[ProjectRecord]:
    rows = transaction.execute(f"{PROJECTS.select} ORDER BY name").fetchall()
    return [PROJECTS.read(row) for row in rows]


def _require_free(transaction: Transaction, project: ProjectRecord) -> None:
    for other in _all(transaction):
        taken = sorted(set(other.names) & set(project.names))
        if other.name != project.name and taken:
            raise ConflictError(
                what=f"{taken[0]!r} belongs to project {other.name!r} already.",
                why="Each name belongs to one project.",
                fix="Use a different name or a longer beginning.",
                name=taken[0],
            )


def _load(transaction: Transaction, name: str) -> ProjectRecord:
    projects = {project.name: project for project in _all(transaction)}
    if name not in projects:
        raise NotFoundError(
            what=f"There is no project {name!r}.",
            fix=did_you_mean(name, projects) or "Create one with: penstock projects add",
            name=name,
        )
    return projects[name]
