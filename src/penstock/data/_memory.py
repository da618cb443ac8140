"""What a store remembers of a source: the schema and the reading rules of readings made alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.core import digest_json
from penstock.data._schema import Schema
from penstock.data.sources import DataSource
from penstock.reading import ReadingRule, rules_from_json, rules_to_json

if TYPE_CHECKING:
    from penstock.data._snapshot import Snapshot
    from penstock.stores import Store

_MOST = 20
# Where the rows lie is no matter for how they are read.
_PLACE = {"path", "name", "type"}


@dataclass(frozen=True, slots=True)
class Memory:
    """What is known of a source from its last reading with equal options.

    Attributes:
        key: Digest of the options.
        schema: Its columns; None if there was no such reading.
        rules: How its texts were read.
        others: Readings with other options, by key.
    """

    key: str
    schema: Schema | None
    rules: Mapping[str, ReadingRule]
    others: Mapping[str, Any]

    def remember(self, snapshot: "Snapshot") -> dict[str, Any]:
        """Return the schema to record, with what the next reading needs.

        A column without values says nothing of its type, so that what was known stays known.
        """
        rules = {**self.rules, **snapshot.reading}
        rules = {name: rule for name, rule in rules.items() if name in snapshot.schema}
        entry = {**snapshot.schema.to_json(), "reading": rules_to_json(rules)}
        kept = list(self.others.items())[-_MOST:]
        return {**entry, "options": self.key, "others": {**dict(kept), self.key: entry}}


def memory_of(source: DataSource, store: "Store") -> Memory:
    """Look up the last reading of a source that was made with equal options."""
    options = {name: value for name, value in source.describe().items() if name not in _PLACE}
    key = digest_json(options)[:23]
    last = store.metadata.artifacts.last_snapshot(source.name)
    if last is None:
        return Memory(key, None, {}, {})
    # Recorded before options were: it was read with those of that time.
    others = dict(last.schema.get("others", {})) or {key: last.schema}
    entry = others.pop(key, None)
    if entry is None:
        return Memory(key, None, {}, others)
    return Memory(key, Schema.from_json(entry), rules_from_json(entry.get("reading", {})), others)
