"""Searchable fields of runs, experiments, models and versions, and their SQL."""
# ruff: noqa: S608 - statements are made of our own names; values are always bound

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock.core import RunState, Stage, did_you_mean

Sql = tuple[str, list[Any]]
TEXT, NUMBER, TIME = "text", "number", "time"
# Number of indexed characters of a text: PostgreSQL refuses long entries.
INDEXED = 100


@dataclass(frozen=True, slots=True)
class Attribute:
    """A field with a single value for each object.

    Args:
        sql: Expression of the value.
        kind: ``text``, ``number`` or ``time`` (microseconds).
        nullable: Whether the value can be missing.
        choices: The allowed values; any if empty.
    """

    sql: str
    kind: str = TEXT
    nullable: bool = False
    choices: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Fields by name, in a separate table: params, tags, metrics.

    Args:
        table: Table of the fields, a row for each object and key.
        link: Condition for the rows of an object; the table is called f.
        text: The column with text values; None if all are numbers.
        number: The column with numbers; None if all are text.
        statistics: Columns by the word behind a second dot: ``metrics.loss.min``.
    """

    table: str
    link: str
    text: str | None = "value"
    number: str | None = None
    statistics: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """A kind of searchable object.

    Args:
        name: Name of the kind for people.
        table: Table of the kind.
        key: The column that identifies an object.
        tie: The column that orders equal objects.
        attributes: Attributes by name.
        groups: Groups by name.
        hidden: Attributes; an object with such a value is found only by a filter that names the
            attribute.
        example: A filter, for messages.
        order: An order, for messages.
    """

    name: str
    table: str
    key: str
    tie: str
    attributes: Mapping[str, Attribute]
    groups: Mapping[str, Group]
    hidden: tuple[str, ...] = ()
    example: str = "tags.team = 'risk' and created_at > '2026-01-31'"
    order: str = "created_at desc"


@dataclass(frozen=True, slots=True)
class Field:
    """A field named in a filter or an order."""

    kind: Kind
    name: str
    group: str | None = None
    statistic: str = "last"
    whole: str | None = None  # of ``metrics.val.max``: a metric may have this very name, too

    @property
    def attribute(self) -> Attribute:
        """The attribute; only of a field without a group."""
        return self.kind.attributes[self.name]

    @property
    def table(self) -> Group:
        """The group of the field; only of a field in a group."""
        return self.kind.groups[str(self.group)]

    @property
    def form(self) -> str:
        """Form of the value: ``text``, ``number`` or ``time``; ``any`` if each value decides."""
        if self.group is None:
            return self.attribute.kind
        if self.table.text is None:
            return NUMBER
        return TEXT if self.table.number is None else "any"

    @property
    def nullable(self) -> bool:
        """Whether the value can be missing."""
        return self.group is not None or self.attribute.nullable

    def column(self, form: str) -> str:
        """Return the column of a group's table with the value in this form."""
        group = self.table
        if group.statistics:
            return group.statistics[self.statistic]
        return str(group.number if form == NUMBER and group.number else group.text)

    def sql(self, form: str) -> Sql:
        """Return the expression for an object's value, NULL if missing."""
        if self.group is None:
            return self.attribute.sql, []
        sql, values = self._look_up(self.column(form), self.name)
        if self.whole is None:
            return sql, values
        last, first = self._look_up(self.table.statistics["last"], self.whole)
        return f"COALESCE({last}, {sql})", [*first, *values]

    def exists(self) -> Sql:
        """Return the condition that the field exists, whatever the value; only for groups."""
        names = [self.name] if self.whole is None else [self.name, self.whole]
        marks = " OR ".join(['f."key" = ?'] * len(names))
        return (
            f"EXISTS (SELECT 1 FROM {self.table.table} f WHERE {self.table.link} AND ({marks}))",
            names,
        )

    @property
    def has_nan(self) -> bool:
        """Whether the value can be NaN."""
        return self.group is not None and self.table.text is None

    def is_nan(self) -> Sql:
        """Return the condition that the field exists without a number: NaN is stored as NULL."""
        there, names = self.exists()
        sql, values = self.sql(NUMBER)
        return f"({there} AND {sql} IS NULL)", [*names, *values]

    def _look_up(self, column: str, name: str) -> Sql:
        # By primary key: 1 to 2 µs in SQLite.
        inner = f"SELECT f.{column} FROM {self.table.table} f"
        return f'({inner} WHERE {self.table.link} AND f."key" = ?)', [name]


def find_field(kind: Kind, parts: Sequence[str], *, ordering: bool = False) -> Field | str:
    """Return the field that dotted parts name; else a sentence with suggestions.

    Args:
        kind: The kind of the searched objects.
        parts: The name, split at the dots.
        ordering: Whether rows are ordered by the field: for runs metrics then take precedence.
    """
    head, rest = parts[0], list(parts[1:])
    if head in {kind.name, f"{kind.name}s", "attributes", "attribute"} and rest:
        head, rest = rest[0], rest[1:]
    if head in kind.groups and rest:
        statistics = kind.groups[head].statistics
        if len(rest) > 1 and rest[-1] in statistics:
            return Field(kind, ".".join(rest[:-1]), head, rest[-1], ".".join(rest))
        return Field(kind, ".".join(rest), head)
    if head in kind.attributes and not rest:
        return Field(kind, head)
    if rest:
        return did_you_mean(head, kind.groups)
    guess = did_you_mean(head, kind.attributes)
    likely = ["metrics"] if ordering and "metrics" in kind.groups else kind.groups
    groups = " or ".join(f"{group}.{head}" for group in likely)
    if guess.startswith("Did"):
        return f"{guess} If it was logged, write {groups}."
    return f"Did you mean {groups}? {guess}"


def _columns(table: str, *names: str, **options: Any) -> dict[str, Attribute]:
    return {name: Attribute(f'{table}."{name}"', **options) for name in names}


_STATISTICS = {
    "last": '"last"',
    "first": '"first"',
    "min": '"min"',
    "max": '"max"',
    "count": '"count"',
    "step": "last_step",
}

RUNS = Kind(
    "run",
    "runs",
    "run_id",
    "id",
    attributes={
        **_columns("runs", "run_id", "name", "experiment", "user", "host", "note", "group"),
        **_columns("runs", "state", choices=tuple(RunState)),
        **_columns("runs", "pipeline", "entry", "parent_run_id", "error", nullable=True),
        **_columns("runs", "forked_from", nullable=True),
        **_columns("runs", "created_at", kind=TIME),
        **_columns("runs", "started_at", "ended_at", kind=TIME, nullable=True),
        **_columns("runs", "archived_at", "deleted_at", kind=TIME, nullable=True),
        **_columns("runs", "attempt", kind=NUMBER),
        "seed": Attribute('CAST(runs."seed" AS DOUBLE PRECISION)', NUMBER),
    },
    groups={
        "params": Group("run_params", "f.run_id = runs.run_id", "text", "number"),
        "tags": Group("run_tags", "f.run_id = runs.run_id"),
        "metrics": Group(
            "metric_summaries", "f.run_id = runs.run_id", None, "last", statistics=_STATISTICS
        ),
    },
    hidden=("deleted_at", "archived_at"),
    example="metrics.auc > 0.9 and params.lr = '0.1' and tags.team like 'ri%'",
)
EXPERIMENTS = Kind(
    "experiment",
    "experiments",
    "name",
    "name",
    attributes={
        **_columns("experiments", "name", "note"),
        **_columns("experiments", "created_at", kind=TIME),
        **_columns("experiments", "archived_at", "deleted_at", kind=TIME, nullable=True),
        "runs": Attribute(
            "(SELECT COUNT(*) FROM runs r"
            " WHERE r.experiment = experiments.name AND r.deleted_at IS NULL)",
            NUMBER,
        ),
        "last_run_at": Attribute(
            "(SELECT MAX(r.created_at) FROM runs r"
            " WHERE r.experiment = experiments.name AND r.deleted_at IS NULL)",
            TIME,
            nullable=True,
        ),
    },
    groups={"tags": Group("experiment_tags", "f.experiment = experiments.name")},
    hidden=("deleted_at", "archived_at"),
    example="runs > 10 and tags.team = 'risk'",
)
MODELS = Kind(
    "model",
    "models",
    "model",
    "model",
    attributes={
        **_columns("models", "model", "note"),
        "name": Attribute('models."model"'),
        **_columns("models", "created_at", kind=TIME),
        "versions": Attribute(
            "(SELECT COUNT(*) FROM model_versions v WHERE v.model = models.model)", NUMBER
        ),
        "champion": Attribute(
            "(SELECT v.version FROM model_versions v"
            " WHERE v.model = models.model AND v.stage = 'production')",
            NUMBER,
            nullable=True,
        ),
    },
    groups={"tags": Group("model_tags", "f.model = models.model")},
    example="champion is not null and tags.team = 'risk'",
)
VERSIONS = Kind(
    "version",
    "model_versions",
    "version",
    "version",
    attributes={
        **_columns("model_versions", "model", "trained_by", "note"),
        **_columns("model_versions", "stage", choices=tuple(Stage)),
        **_columns("model_versions", "run_id", nullable=True),
        **_columns("model_versions", "version", kind=NUMBER),
        **_columns("model_versions", "created_at", kind=TIME),
    },
    groups={
        "tags": Group(
            "version_tags",
            "f.model = model_versions.model AND f.version = model_versions.version",
        ),
        "params": Group("run_params", "f.run_id = model_versions.run_id", "text", "number"),
        "metrics": Group(
            "version_metrics",
            "f.model = model_versions.model AND f.version = model_versions.version",
            None,
            "value",
        ),
    },
    example="stage = 'production' and metrics.roc_auc > 0.7",
)
