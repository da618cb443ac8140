"""A store's record of a source: schema and reading rules of the last reading with equal options."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.core import digest_json
from penstock.data._schema import Schema
from penstock.data.sources import DataSource
from penstock.tables.reading import ReadingRule, rules_from_json, rules_to_json

if TYPE_CHECKING:
    from penstock.data._snapshot import Snapshot
    from penstock.stores import Store

_MOST = 20
# The location of the rows does not affect the reading.
_PLACE = {"path", "name", "type"}


@dataclass(frozen=True, slots=True)
class Memory:
    """The recorded facts of a source's last reading with equal options.

    Attributes:
        key: Digest of the options.
        schema: Columns of that reading; None if there was none.
        rules: Reading rules of that reading's texts.
        others: Readings with different options, by key.
    """

    key: str
    schema: Schema | None
    rules: Mapping[str, ReadingRule]
    others: Mapping[str, Any]

    def remember(self, snapshot: "Snapshot") -> dict[str, Any]:
        """Return the schema to record, with the facts for the next reading.

        A column without values has no evidence of a type, so that the earlier type stays.
        """
        rules = {**self.rules, **snapshot.reading}
        rules = {name: rule for name, rule in rules.items() if name in snapshot.schema}
        entry = {**snapshot.schema.to_json(), "reading": rules_to_json(rules)}
        kept = list(self.others.items())[-_MOST:]
        return {**entry, "options": self.key, "others": {**dict(kept), self.key: entry}}


def memory_of(source: DataSource, store: "Store") -> Memory:
    """Load the last reading of a source that was made with equal options."""
    options = {name: value for name, value in source.describe().items() if name not in _PLACE}
    key = digest_json(options)[:23]
    last = store.metadata.artifacts.last_snapshot(source.name)
    if last is None:
        return Memory(key, None, {}, {})
    # Recorded before options were: the reading used the options of that time.
    others = dict(last.schema.get("others", {})) or {key: last.schema}
    entry = others.pop(key, None)
    if entry is None:
        return Memory(key, None, {}, others)
    return Memory(
        key,
        Schema.from_json(entry),
        rules_from_json(entry.get("reading", {})),
        others,
    )
