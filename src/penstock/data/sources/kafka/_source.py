"""KafkaSource: rows of a topic between recorded offsets, which can be read again."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self, get_args

from penstock.core import (
    DataError,
    NotFoundError,
    ParameterError,
    require_choice,
    require_number,
    require_type,
)
from penstock.data._moments import Moment, TimeColumn, time_columns
from penstock.data.sources._arguments import (
    require_address,
    require_facts,
    require_mapping,
    require_names,
    require_texts,
    settle_time,
)
from penstock.data.sources._protocol import Reading, Scan
from penstock.data.sources._references import require_no_secrets
from penstock.data.sources._window import Window
from penstock.data.sources.kafka._avro import AvroDecoder
from penstock.data.sources.kafka._broker import Broker, Message, require_own_options
from penstock.data.sources.kafka._json import JsonDecoder
from penstock.data.sources.kafka._messages import Decoder, MessageFormat
from penstock.data.sources.kafka._protobuf import ProtobufDecoder
from penstock.data.sources.kafka._rows import (
    MessageColumn,
    PartitionReading,
    Poison,
    RowMaker,
    digest_of,
    remark_removed,
    require_same,
)
from penstock.data.sources.kafka._schema_registry import SchemaRegistry
from penstock.tables.reading import read_iso

if TYPE_CHECKING:
    import polars as pl

_ROWS_AT_ONCE = 20_000


@dataclass(frozen=True)
class KafkaSource:
    """Rows of a topic: one for each message, by partition and offset.

    First and last offset of each partition are fixed when the reading begins, and stand in the
    run's record; ``pinned`` reads the same messages again. The source joins no group and commits
    nothing.

    >>> source = KafkaSource("broker:9092", topic="rides", time="started_at")
    >>> source.name, source.format
    ('rides', 'json')

    Args:
        servers: Addresses of brokers, ``host:port``, separated by commas.
        topic: The topic.
        format: How values are written: ``json`` (an object), ``avro`` or ``protobuf``.
        schema: For JSON types by column, in words (``integer``, ``number``, ``text``, ``boolean``,
            ``date``, ``datetime``) or of polars; for Avro a schema; for Protobuf a message class, or
            a descriptor set and a message's name. By default JSON's types are those of all values,
            so that the whole reading is held in memory before its first row is given on; and Avro's
            schema is the newest of the registry.
        schema_registry: Address of a schema registry: values begin with its header.
        name: Name in lineage; by default the topic's.
        time: Column with the time of a row, or a date column and an hour column.
        time_format: Format of that column in strftime codes, if neither ISO nor epoch.
        available_at: Column with the time at which a row became known, such as ``_timestamp``.
        columns: Columns of the message itself: ``_partition``, ``_offset``, ``_timestamp``,
            ``_key``.
        poison: What a message that cannot be decoded does: ``stop`` the reading, or be put
            ``aside``, left out and counted.
        offsets: First offset and the offset after the last, by partition; None for the end that
            the partition has. By default whole partitions.
        lateness: How far a message can stand in the topic from the time of its row; with it, since
            and cutoff narrow which offsets are read, by the messages' timestamps.
        timeout_s: Longest time without a message, in seconds.
        options: Options of librdkafka; secrets as ``"${NAME}"``. ``schema.registry.user``,
            ``schema.registry.password`` and ``schema.registry.token`` are those of the registry.
    """

    servers: str
    topic: str = field(kw_only=True)
    format: MessageFormat = field(default="json", kw_only=True)
    schema: object = field(default=None, kw_only=True, hash=False)
    schema_registry: str | None = field(default=None, kw_only=True)
    name: str = field(default="", kw_only=True)
    time: TimeColumn | None = field(default=None, kw_only=True)
    time_format: str | None = field(default=None, kw_only=True)
    available_at: str | None = field(default=None, kw_only=True)
    columns: Sequence[MessageColumn] = field(default=(), kw_only=True)
    poison: Poison = field(default="stop", kw_only=True)
    offsets: Mapping[int, tuple[int, int | None]] | None = field(
        default=None, kw_only=True, hash=False
    )
    lateness: timedelta | None = field(default=None, kw_only=True)
    timeout_s: float = field(default=60.0, kw_only=True)
    options: Mapping[str, str] = field(default_factory=dict, kw_only=True, hash=False)
    _then: Mapping[str, Any] | None = field(default=None, init=False, repr=False, hash=False)
    _read_to: Mapping[int, int] = field(
        default_factory=dict, init=False, repr=False, hash=False, compare=False
    )

    def __post_init__(self) -> None:
        example = 'KafkaSource("host:9092", topic="rides")'
        servers = require_address("KafkaSource", "servers", self.servers, example)
        require_address("KafkaSource", "topic", self.topic, example)
        require_texts(
            "KafkaSource",
            schema_registry=self.schema_registry,
            name=self.name,
            time_format=self.time_format,
            available_at=self.available_at,
        )
        if "@" in servers or "://" in servers:
            raise ParameterError(
                what="servers of KafkaSource holds more than addresses.",
                why="User and password are options: sasl.username, sasl.password.",
                fix=f"Write {example}.",
            )
        options = require_mapping("KafkaSource", "options", self.options, '{"client.id": "…"}')
        require_no_secrets("KafkaSource", "", options)
        require_no_secrets("KafkaSource", self.schema_registry or "")
        require_own_options(options)
        require_choice("format", self.format, get_args(MessageFormat))
        require_choice("poison", self.poison, get_args(Poison))
        require_number("timeout_s", self.timeout_s, above=0)
        time = settle_time("KafkaSource", self.time)
        for column in require_names("KafkaSource", "columns", self.columns, '["_timestamp"]'):
            require_choice("columns", column, get_args(MessageColumn))
        if self.lateness is not None:
            fix = "Give a timedelta: timedelta(hours=2)."
            require_type("lateness= of KafkaSource", self.lateness, timedelta, fix)
        used = [*self.columns, *time_columns(time), self.available_at]
        settle = {
            "time": time,
            "name": self.name or self.topic,
            "options": options,
            "columns": tuple(name for name in get_args(MessageColumn) if name in used),
            "offsets": None if self.offsets is None else _as_offsets(self.offsets),
        }
        for key, value in settle.items():
            object.__setattr__(self, key, value)

    @property
    def cut_by_ingest(self) -> bool:
        """Whether ingest removes rows outside: a topic has no order of the rows' times."""
        return True

    def describe(self) -> dict[str, Any]:
        """Return the source's description as plain JSON, without the topic's state."""
        return {
            "type": "KafkaSource",
            "name": self.name,
            "servers": self.servers,
            "topic": self.topic,
            "format": self.format,
            "schema": _described(self.schema),
            "schema_registry": self.schema_registry,
            "time": list(self.time) if isinstance(self.time, tuple) else self.time,
            "time_format": self.time_format,
            "available_at": self.available_at,
            "columns": list(self.columns),
            "poison": self.poison,
            "offsets": None
            if self.offsets is None
            else {str(number): list(ends) for number, ends in self.offsets.items()},
            "lateness_s": None if self.lateness is None else self.lateness.total_seconds(),
            "options": dict(self.options),
        }

    def fingerprint(
        self, since: Moment | None = None, cutoff: Moment | None = None
    ) -> dict[str, Any]:
        """Return the offsets that would be read, by partition, and the schema of the values.

        The last message of each partition is in it by its digest: a topic that was deleted and
        created anew can have as many messages as before.

        Raises:
            NotFoundError: If there is no such topic.
            DataError: If the broker or the registry does not respond.
        """
        state = self._state(Window.of(self, since, cutoff))
        return {**self.describe(), "state": {**state, **self._decoder().state()}}

    def stamp(self) -> dict[str, Any]:
        """Return the offsets that would be read, by partition; see ``fingerprint``."""
        return self._state(Window.of(self))

    def pinned(self, facts: Mapping[str, Any]) -> Self:
        """Return a copy that reads the messages of an earlier reading, or raises what is gone.

        Raises:
            NotFoundError: If messages were removed; compacted ones only while reading.
            DataError: If the broker does not respond.
        """
        copied, facts = copy.copy(self), require_facts(self.name, facts, "partitions")
        then = facts["partitions"]
        offsets = {int(number): (part["begin"], part["end"]) for number, part in then.items()}
        object.__setattr__(copied, "offsets", offsets)
        object.__setattr__(copied, "_then", dict(facts))
        copied._offsets(Window.of(self))  # noqa: SLF001 - its own class
        return copied

    def following(self, facts: Mapping[str, Any]) -> Self:
        """Return a copy that names what retention removed unread since an earlier reading.

        Args:
            facts: Facts of the earlier reading; see FollowingSource.
        """
        copied, then = copy.copy(self), facts.get("partitions")
        if facts.get("topic") == self.topic and isinstance(then, Mapping):
            ends = {int(number): int(part["end"]) for number, part in then.items()}
            object.__setattr__(copied, "_read_to", ends)
        return copied

    def scan(self, since: Moment | None = None, cutoff: Moment | None = None) -> Scan:
        """Read the topic's messages, partition by partition.

        Raises:
            NotFoundError: If there is no such topic, or messages were removed.
            DataError: If the broker does not respond, or a message cannot be decoded.
        """
        window = Window.of(self, since, cutoff)
        decoder = self._decoder()
        removed: dict[int, int] = {}
        offsets = self._offsets(window, removed)
        reading = Reading()
        reading.facts |= {"topic": self.topic, **decoder.state()}
        # What an earlier reading has read is lost only where its rows are to be read again.
        forgotten = {n: low for n, low in removed.items() if low <= self._read_to.get(n, -1)}
        removed = {n: low for n, low in removed.items() if n not in forgotten}
        if forgotten:
            reading.facts["forgotten"] = {str(number): low for number, low in forgotten.items()}
        if removed:
            read = {n: end for n, end in self._read_to.items() if n in removed}
            reading.facts["removed"] = {str(number): low for number, low in removed.items()}
            if read:
                reading.facts["unread"] = {str(n): [end, removed[n]] for n, end in read.items()}
            reading.findings.append(remark_removed(self.topic, removed, read))
        parts = {number: PartitionReading(*ends) for number, ends in offsets.items()}
        reading.facts["partitions"] = {str(n): part.facts() for n, part in parts.items()}
        maker = RowMaker(self.topic, decoder, self.poison, self.columns, reading)
        return Scan(self._batches(parts, maker, decoder, window, reading), reading)

    def _batches(
        self,
        parts: Mapping[int, PartitionReading],
        maker: RowMaker,
        decoder: Decoder,
        window: Window,
        reading: Reading,
    ) -> "Iterator[pl.DataFrame]":
        with self._connect() as broker:
            frames = maker.frames(self._messages(broker, parts, reading), _ROWS_AT_ONCE)
            if decoder.schema is not None:
                yield from frames
            else:
                yield _as_one(list(frames), decoder, self.columns, window, reading)
        maker.finish()

    def _messages(
        self, broker: Broker, parts: Mapping[int, PartitionReading], reading: Reading
    ) -> Iterator[Message]:
        for number, part in parts.items():
            for message in broker.read(self.topic, number, part.begin, part.end):
                part.add(message)
                yield message
            reading.facts["partitions"][str(number)] = part.facts()
            if self._then is not None:
                require_same(self.topic, number, part, self._then["partitions"][str(number)])

    def _state(self, window: Window) -> dict[str, Any]:
        offsets = self._offsets(window)
        ends = {number: end - 1 for number, (begin, end) in offsets.items() if begin < end}
        with self._connect() as broker:
            found = broker.messages_at(self.topic, ends)
        return {
            **_plain(offsets),
            "last": {str(number): digest_of(each) for number, each in found.items()},
        }

    def _offsets(
        self, window: Window, removed: dict[int, int] | None = None
    ) -> dict[int, tuple[int, int]]:
        """Return the offsets to read, by partition.

        Args:
            window: The window.
            removed: Receives the first offset that is left, by partition, where messages before it
                are gone that the window may have had.
        """
        with self._connect() as broker:
            numbers = broker.partitions(self.topic)
            there = {number: broker.bounds(self.topic, number) for number in numbers}
            if self.offsets is not None:
                return {
                    number: self._within(number, wanted, there)
                    for number, wanted in sorted(self.offsets.items())
                }
            begins, ends = dict.fromkeys(numbers, 0), {n: end for n, (_, end) in there.items()}
            # What stands out of the order of time by no more than lateness lies inside.
            if self.lateness is not None and window.since is not None:
                found = broker.offsets_at(self.topic, numbers, window.since - self.lateness)
                begins = {n: ends[n] if at is None else at for n, at in found.items()}
            if removed is not None:
                removed |= self._removed(broker, there, begins, window)
                removed |= self._unread(there)
            if self.lateness is not None and window.cutoff is not None:
                found = broker.offsets_at(self.topic, numbers, window.cutoff + self.lateness)
                ends = {n: ends[n] if at is None else min(at, ends[n]) for n, at in found.items()}
        return {n: (min(max(begins[n], there[n][0]), ends[n]), ends[n]) for n in numbers}

    def _removed(
        self,
        broker: Broker,
        there: Mapping[int, tuple[int, int]],
        begins: Mapping[int, int],
        window: Window,
    ) -> dict[int, int]:
        """Return the first offset that is left of partitions whose removed rows may be wanted."""
        lows = {number: low for number, (low, _) in there.items() if 0 < low >= begins[number]}
        if not lows or window.since is None or self.lateness is not None:
            return lows
        # A row is published after its time: before a message that is older than the window, no
        # row of it was published.
        found = broker.offsets_at(self.topic, list(lows), window.since)
        at = {number: there[number][1] if at is None else at for number, at in found.items()}
        return {number: low for number, low in lows.items() if at[number] <= low}

    def _unread(self, there: Mapping[int, tuple[int, int]]) -> dict[int, int]:
        """Return the first offset that is left where it lies after what was read before.

        Raises:
            DataError: If a partition ends before that: it is not the one that was read.
        """
        short = next((n for n, end in self._read_to.items() if there.get(n, (0, 0))[1] < end), None)
        if short is not None:
            raise DataError(
                what=f"{self.topic}[{short}] was read up to offset {self._read_to[short]:,}, and ends"
                f" before {there.get(short, (0, 0))[1]:,} now.",
                why="The topic was deleted and created anew, or a broker has lost messages: offsets no"
                " longer tell what is new.",
                fix="Read the source itself once, without IncrementalSource.",
                partition=short,
            )
        return {
            n: low for n, (low, _) in there.items() if n in self._read_to and low > self._read_to[n]
        }

    def _within(
        self, number: int, wanted: tuple[int, int | None], there: Mapping[int, tuple[int, int]]
    ) -> tuple[int, int]:
        if number not in there:
            raise NotFoundError(
                what=f"The topic {self.topic!r} has no partition {number}.",
                fix=f"It has {len(there)}, from 0 to {max(there)}.",
            )
        low, high = there[number]
        begin, end = wanted[0], high if wanted[1] is None else wanted[1]
        if begin < end and begin < low:
            gone = min(low, end)
            raise NotFoundError(
                what=f"Offsets {begin:,} to {gone - 1:,} of {self.topic}[{number}] are gone"
                f" ({gone - begin:,} of them).",
                why="Retention removes old messages.",
                fix="Read from a later offset; the earlier run keeps the rows that it read.",
                partition=number,
                lost=gone - begin,
            )
        if end > high or begin > end:
            raise NotFoundError(
                what=f"{self.topic}[{number}] has no offsets {begin:,} to {end - 1:,}: it ends before"
                f" {high:,}.",
                why="The topic may have been deleted and created anew." if self._then else "",
                fix="Read it anew, without pinned()." if self._then else "Give other offsets=.",
                partition=number,
            )
        return begin, end

    def _decoder(self) -> Decoder:
        has_header = self.schema_registry is not None
        if self.format == "json":
            return JsonDecoder(self.schema, has_header=has_header)
        if self.format == "protobuf":
            return ProtobufDecoder(self.schema, has_header=has_header)
        registry = (
            None
            if self.schema_registry is None
            else SchemaRegistry(self.schema_registry, self.options)
        )
        number = None if self._then is None else self._then.get("schema_id")
        return AvroDecoder(
            self.schema, registry=registry, subject=f"{self.topic}-value", number=number
        )

    def _connect(self) -> Broker:
        known = {k: v for k, v in self.options.items() if not k.startswith("schema.registry.")}
        return Broker(self.servers, known, self.timeout_s)


def _as_one(
    frames: "list[pl.DataFrame]",
    decoder: Decoder,
    columns: Sequence[MessageColumn],
    window: Window,
    reading: Reading,
) -> "pl.DataFrame":
    """Return tables of values without declared types as one, with the types that all have shown."""
    import polars as pl

    last = decoder.frame([])
    form = pl.Schema({**last.schema, **(frames[-1].select(columns).schema if frames else {})})
    if not len(last.columns):
        return pl.DataFrame()
    # Types that later messages have widened: those rows are made again.
    fitting = [
        each if each.schema == form else pl.DataFrame(each.to_dicts(), schema=form, orient="row")
        for each in frames
    ]
    table, findings = window.keep(pl.concat(fitting))
    reading.findings.extend(findings)
    texts = [series for series in table.iter_columns() if series.dtype == pl.String]
    times = [read_iso(series) for series in texts if series.name != "_key"]
    return table.with_columns([series for series in times if series is not None])


def _as_offsets(offsets: Mapping[int, tuple[int, int | None]]) -> dict[int, tuple[int, int | None]]:
    try:
        return {int(number): (int(begin), end) for number, (begin, end) in offsets.items()}
    except (TypeError, ValueError, AttributeError) as error:
        raise ParameterError(
            what=f"offsets= of KafkaSource is {offsets!r:.80}.",
            fix="Give first offset and the one after the last by partition: {0: (100, 200)}.",
        ) from error


def _plain(offsets: Mapping[int, tuple[int, int]]) -> dict[str, Any]:
    return {"offsets": {str(number): list(ends) for number, ends in offsets.items()}}


def _described(schema: object) -> Any:
    """Return a declared schema as plain JSON."""
    if schema is None or isinstance(schema, str):
        return schema
    if hasattr(schema, "DESCRIPTOR"):
        return str(schema.DESCRIPTOR.full_name)
    if isinstance(schema, tuple):
        given, name = schema if len(schema) == 2 else (schema, "")  # noqa: PLR2004 - a set, a name
        return [given if isinstance(given, str) else type(given).__name__, str(name)]
    if isinstance(schema, Mapping):
        return {str(key): _described_value(value) for key, value in schema.items()}
    raise ParameterError(
        what=f"schema= is {type(schema).__name__}.",
        fix="Give a dict, JSON text or a message class.",
    )


def _described_value(value: object) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _described_value(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_described_value(each) for each in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
