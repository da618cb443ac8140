"""Messages to rows: what is left out is counted, and what was read can be recognised again."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from penstock.core import DataError, NotFoundError
from penstock.data._finding import Finding
from penstock.data.sources._protocol import Reading
from penstock.data.sources.kafka._broker import Message
from penstock.data.sources.kafka._messages import Decoder, PoisonError

if TYPE_CHECKING:
    import polars as pl

MessageColumn: TypeAlias = Literal["_partition", "_offset", "_timestamp", "_key"]
Poison: TypeAlias = Literal["stop", "aside"]

_MOST_ASIDE = 10_000  # places in the record; all are counted
_MOST_RUNS = 1_000
_MOST_NAMED = 5  # partitions in a finding; all are recorded


@dataclass
class PartitionReading:
    """What was read of a partition.

    Args:
        begin: First offset.
        end: The offset after the last.
        messages: Number of messages.
        tombstones: Number of those without a value.
        runs: First and last offset of each gapless run; empty if there are too many.
    """

    begin: int
    end: int
    messages: int = 0
    tombstones: int = 0
    runs: list[list[int]] = field(default_factory=list)
    _digest: Any = field(default_factory=hashlib.sha256)
    _is_ragged: bool = False

    def add(self, message: Message) -> None:
        """Count a message."""
        self.messages += 1
        self.tombstones += message.value is None
        _digest(message, self._digest)
        if self.runs and self.runs[-1][1] == message.offset - 1:
            self.runs[-1][1] = message.offset
        elif not self._is_ragged:
            self.runs.append([message.offset, message.offset])
            self._is_ragged = len(self.runs) > _MOST_RUNS

    def facts(self) -> dict[str, Any]:
        """Return what was read as plain JSON."""
        return {
            "begin": self.begin,
            "end": self.end,
            "messages": self.messages,
            "tombstones": self.tombstones,
            "digest": self._digest.hexdigest(),
            "runs": [] if self._is_ragged else self.runs,
        }


def digest_of(message: Message) -> str:
    """Return the digest of a message: its place in the partition, timestamp, key and value."""
    digest = hashlib.sha256()
    _digest(message, digest)
    return digest.hexdigest()


def _digest(message: Message, digest: Any) -> None:
    parts = (message.key, message.value)
    sizes = [-1 if part is None else len(part) for part in parts]
    digest.update(f"{message.offset} {message.timestamp} {sizes} ".encode())
    for part in parts:
        digest.update(part or b"")


class RowMaker:
    """Makes rows of messages.

    Args:
        topic: The topic, for messages of errors.
        decoder: Decodes the values.
        poison: What a message that cannot be decoded does.
        columns: Columns of the message itself.
        reading: Gets what was left out.
    """

    def __init__(
        self,
        topic: str,
        decoder: Decoder,
        poison: Poison,
        columns: Sequence[MessageColumn],
        reading: Reading,
    ) -> None:
        self._topic, self._decoder, self._poison = topic, decoder, poison
        self._columns, self._reading = columns, reading
        self._aside: list[list[Any]] = []
        self._aside_count = self._tombstones = 0

    def frames(self, messages: Iterable[Message], rows_at_once: int) -> "Iterator[pl.DataFrame]":
        """Make a table of every so many messages.

        Raises:
            DataError: If a message cannot be decoded, and poison stops the reading.
        """
        coming = iter(messages)
        while some := list(islice(coming, rows_at_once)):
            rows: list[dict[str, Any]] = []
            kept: list[Message] = []
            for message in some:
                row = self._row(message)
                if row is not None:
                    rows.append(row)
                    kept.append(message)
            frame = self._decoder.frame(rows)
            yield frame.with_columns(self._of_message(name, kept) for name in self._columns)

    def finish(self) -> None:
        """Tell what was left out."""
        facts, findings = self._reading.facts, self._reading.findings
        if self._tombstones:
            text = f"{self._tombstones:,} messages have no value (tombstones); they were left out."
            findings.append(Finding("info", "tombstones", "", text))
        if self._aside_count:
            partition, offset, reason = self._aside[0]
            facts["aside"] = {"messages": self._aside_count, "places": self._aside}
            text = (
                f"{self._aside_count:,} messages could not be decoded and were put aside: the first"
                f" is {self._topic}[{partition}] at offset {offset:,}: {reason}."
            )
            findings.append(Finding("warn", "poison", "", text))

    def _row(self, message: Message) -> dict[str, Any] | None:
        if message.value is None:
            self._tombstones += 1
            return None
        try:
            return self._decoded(message.value)
        except PoisonError as error:
            if self._poison == "stop":
                raise self._undecodable(message, str(error)) from None
            self._aside_count += 1
            if len(self._aside) < _MOST_ASIDE:
                self._aside.append([message.partition, message.offset, str(error)])
            return None

    def _decoded(self, value: bytes) -> dict[str, Any]:
        row = self._decoder.decode(value)
        taken = next((name for name in self._columns if name in row), None)
        if taken is None:
            return row
        raise PoisonError(f"its field {taken!r} has the name of a message's column")

    def _undecodable(self, message: Message, reason: str) -> DataError:
        return DataError(
            what=f"{self._topic}[{message.partition}] has a message at offset {message.offset:,} that"
            f" cannot be decoded: {reason}.",
            why="Rows would be missing. Nothing was stored.",
            fix='Check format= and schema=; poison="aside" leaves such messages out and counts them.',
            partition=message.partition,
            offset=message.offset,
        )

    def _of_message(self, name: MessageColumn, messages: Sequence[Message]) -> "pl.Series":
        import polars as pl

        if name == "_key":
            texts = [
                None if each.key is None else each.key.decode("utf-8", "backslashreplace")
                for each in messages
            ]
            return pl.Series(name, texts, pl.String())
        if name == "_timestamp":
            stamps = [each.timestamp if each.timestamp >= 0 else None for each in messages]
            return pl.Series(name, stamps, pl.Datetime("ms", "UTC"))
        if name == "_partition":
            return pl.Series(name, [each.partition for each in messages], pl.Int64())
        return pl.Series(name, [each.offset for each in messages], pl.Int64())


def remark_removed(
    topic: str, removed: Mapping[int, int], read: Mapping[int, int] = MappingProxyType({})
) -> Finding:
    """Return the finding of messages that were gone before the first offset that was read.

    >>> remark_removed("rides", {0: 1200}).message
    'Offsets 0 to 1,199 of rides[0] are gone: retention removes old messages. Their rows are missing.'

    Args:
        topic: The topic.
        removed: The first offset that is left, by partition.
        read: The offset up to which an earlier reading has read, by partition.
    """
    named = [
        f"{read.get(number, 0):,} to {low - 1:,} of {topic}[{number}]"
        for number, low in sorted(removed.items())
    ]
    more = f" and of {len(named) - _MOST_NAMED} more partitions" if len(named) > _MOST_NAMED else ""
    shown = ", ".join(named[:_MOST_NAMED])
    text = (
        f"Offsets {shown}{more} are gone: retention removes old messages. Their rows are missing."
    )
    return Finding("warn", "removed", "", text)


def require_same(topic: str, number: int, now: PartitionReading, then: Mapping[str, Any]) -> None:
    """Check that a partition gave what it gave before.

    Args:
        topic: The topic.
        number: The partition.
        now: What was read now.
        then: The recorded facts of the earlier reading.

    Raises:
        NotFoundError: If messages are gone.
        DataError: If they are others.
    """
    if now.facts()["digest"] == then["digest"]:
        return
    lost = then["messages"] - now.messages
    if lost > 0:
        raise NotFoundError(
            what=f"{lost:,} messages of {topic}[{number}] are gone, of offsets {then['begin']:,} to"
            f" {then['end'] - 1:,}{_which(now.runs, then['runs'])}.",
            why="Compaction keeps the newest message of a key, and retention removes old ones.",
            fix="Read the topic anew, without pinned(); the earlier run keeps the rows that it read.",
            partition=number,
            lost=lost,
        )
    raise DataError(
        what=f"Messages of {topic}[{number}], offsets {then['begin']:,} to {then['end'] - 1:,}, have"
        " changed since they were read.",
        why="The topic may have been deleted and created anew.",
        fix="Read the topic anew, without pinned().",
        partition=number,
    )


def _which(now: Sequence[Sequence[int]], then: Sequence[Sequence[int]]) -> str:
    """Return the first lost offsets in words, where both readings recorded theirs."""
    if not then:
        return ""
    there = {offset for first, last in now for offset in range(first, last + 1)}
    lost = [o for first, last in then for o in range(first, last + 1) if o not in there][:5]
    return f" (the first: {', '.join(map(str, lost))})" if lost else ""
