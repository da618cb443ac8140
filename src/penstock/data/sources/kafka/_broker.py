"""A Kafka broker as a reader of ranges of offsets: no group, no commits, no endless wait."""

import logging
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple, Self

from penstock.core import DataError, NotFoundError, ParameterError, did_you_mean, require
from penstock.data.sources._references import resolve_options, without_secrets

_LOG = logging.getLogger("penstock.kafka")
_LOG.addHandler(logging.NullHandler())
_CLIENT_LOG = logging.getLogger("penstock.kafka.client")
_CLIENT_LOG.setLevel(
    logging.CRITICAL
)  # a line for every attempt to connect; the error tells it once
_OURS: dict[str, Any] = {
    "group.id": "penstock",  # the client demands a name; it is never joined
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "error",
}
_AT_ONCE = 10_000
_PROGRESS_S = 10.0
_METADATA_S = 10.0


class Message(NamedTuple):
    """A message: its place, its timestamp in milliseconds, its bytes."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


def require_own_options(options: Mapping[str, str]) -> None:
    """Check that options of the client leave alone what a bounded reading depends on.

    Raises:
        ParameterError: If an option is one of those.
    """
    taken = sorted(set(options) & (set(_OURS) | {"bootstrap.servers"}))
    if taken:
        raise ParameterError(
            what=f"options= of KafkaSource sets {taken[0]}.",
            why="A reading is bounded by offsets: it joins no group and commits nothing.",
            fix="Leave it out.",
        )


class Broker:
    """A connection; a context manager.

    Args:
        servers: Addresses, ``host:port`` separated by commas.
        options: Options of the client, with references.
        timeout_s: Longest time without a message, in seconds.
    """

    def __init__(self, servers: str, options: Mapping[str, str], timeout_s: float) -> None:
        self._kafka = require("confluent_kafka", extra="kafka", purpose="rows from Kafka topics")
        self._servers, self._options, self._timeout_s = servers, options, timeout_s
        self._last_error = ""
        settings = {
            "isolation.level": "read_committed",
            **resolve_options(options),
            **_OURS,
            "bootstrap.servers": servers,
            "error_cb": self._note,
        }
        try:
            self._consumer = self._kafka.Consumer(settings, logger=_CLIENT_LOG)
        except (self._kafka.KafkaException, ValueError, TypeError) as error:
            raise ParameterError(
                what=f"The client of Kafka refuses options=: {self._plain(error)}.",
                fix="The names are those of librdkafka, such as sasl.mechanism.",
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def partitions(self, topic: str) -> list[int]:
        """Return the numbers of a topic's partitions.

        Raises:
            NotFoundError: If there is no such topic, with similar names.
            DataError: If no broker responds.
        """
        found = self._call("list_topics", topic, timeout=self._patience()).topics.get(topic)
        if found is not None and found.error is None and found.partitions:
            return sorted(found.partitions)
        there = list(self._call("list_topics", timeout=self._patience()).topics)
        # A topic of that name may exist, and only reading be forbidden.
        reason = "" if found is None or found.error is None else str(found.error.str())
        raise NotFoundError(
            what=f"There is no topic {topic!r} at {self._servers}.",
            why=reason if "authoriz" in reason.lower() else "",
            fix=did_you_mean(topic, [name for name in there if not name.startswith("__")])
            if there
            else "The broker has no topics.",
        )

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """Return the first offset of a partition, and the offset after the last."""
        place = self._kafka.TopicPartition(topic, partition)
        first, end = self._call("get_watermark_offsets", place, timeout=self._patience())
        return int(first), int(end)

    def offsets_at(
        self, topic: str, partitions: list[int], moment: datetime
    ) -> dict[int, int | None]:
        """Return each partition's first offset with a message at or after a moment.

        None where there is no such message.
        """
        at = int(moment.timestamp() * 1000)
        places = [self._kafka.TopicPartition(topic, number, at) for number in partitions]
        found = self._call("offsets_for_times", places, timeout=self._patience())
        for place in found:
            if place.error is not None:
                raise self._failed(place.error)
        return {place.partition: place.offset if place.offset >= 0 else None for place in found}

    def read(self, topic: str, partition: int, begin: int, end: int) -> Iterator[Message]:
        """Read the messages of a partition with ``begin <= offset < end``, in order.

        Offsets without a message (control records, compacted ones) are passed over.

        Raises:
            NotFoundError: If the offsets were removed meanwhile.
            DataError: If the broker fails, or nothing comes for too long.
        """
        if begin >= end:
            return
        place = self._kafka.TopicPartition(topic, partition, begin)
        self._consumer.assign([place])
        position, last, told = begin, time.monotonic(), time.monotonic()
        try:
            while position < end:
                # No more than there are: the client waits until it has that many.
                some = min(_AT_ONCE, end - position)
                batch = self._call("consume", some, timeout=min(0.5, self._timeout_s))
                for message in batch:
                    if message.error() is not None:
                        position = max(position, self._event(message, topic, partition))
                        continue
                    position = message.offset() + 1
                    if position <= end:
                        yield _message(message)
                now = time.monotonic()
                if batch:
                    last = now
                elif now - last > self._timeout_s:
                    raise self._silent(topic, partition, position, end)
                if now - told > _PROGRESS_S:
                    _LOG.info("%s[%d]: offset %d of %d", topic, partition, position, end)
                    told = now
        finally:
            self._consumer.unassign()

    def messages_at(self, topic: str, offsets: Mapping[int, int]) -> dict[int, Message]:
        """Return the message at an offset of each partition; none for a control record's offset.

        Raises:
            DataError: If the broker fails, or nothing comes for too long.
        """
        waiting = dict(offsets)
        found: dict[int, Message] = {}
        # All at once: each assignment costs a wait for what the one before has asked for.
        self._consumer.assign(
            [self._kafka.TopicPartition(topic, *each) for each in offsets.items()]
        )
        end = time.monotonic() + self._timeout_s
        try:
            while waiting:
                for message in self._call(
                    "consume", len(waiting), timeout=min(0.5, self._timeout_s)
                ):
                    number = message.partition()
                    if message.error() is not None:
                        self._event(message, topic, number)
                    elif number in waiting and message.offset() == waiting[number]:
                        found[number] = _message(message)
                    waiting.pop(number, None)
                if waiting and time.monotonic() > end:
                    number, offset = next(iter(waiting.items()))
                    raise self._silent(topic, number, offset, offset + 1)
        finally:
            self._consumer.unassign()
        return found

    def _event(self, message: Any, topic: str, partition: int) -> int:
        """Return the position that an event tells: the end of the partition."""
        codes, error = self._kafka.KafkaError, message.error()
        # Positions pass control records at the end, which are no messages.
        if error.code() == codes._PARTITION_EOF:  # noqa: SLF001 - the client's name for it
            return int(message.offset())
        if error.code() in {codes._AUTO_OFFSET_RESET, codes.OFFSET_OUT_OF_RANGE}:  # noqa: SLF001
            raise NotFoundError(
                what=f"Messages of {topic}[{partition}] are gone: they were removed while they were"
                " read.",
                why="Retention removes old messages.",
                fix="Read again, from a later offset; or keep messages longer.",
            )
        raise self._failed(error)

    def _silent(self, topic: str, partition: int, position: int, end: int) -> DataError:
        return DataError(
            what=f"{topic}[{partition}] gave no message for {self._timeout_s:g} s at offset"
            f" {position:,} of {end:,}.",
            why=self._last_error or "A transaction that is still open holds back what follows it.",
            fix="Read again later, or raise timeout_s.",
        )

    def _call(self, name: str, *arguments: Any, **options: Any) -> Any:
        try:
            return getattr(self._consumer, name)(*arguments, **options)
        except self._kafka.KafkaException as error:
            raise self._failed(error.args[0]) from None

    def _failed(self, error: Any) -> DataError:
        self._consumer.poll(0)  # lets the client tell why
        text = self._plain(error.str() if hasattr(error, "str") else error)
        if self._last_error and self._last_error not in text:
            text = f"{text} ({self._last_error})"
        return DataError(
            what=f"Kafka at {self._servers} does not answer: {text}.",
            fix="Check the address, the network, and the security options.",
        )

    def _note(self, error: Any) -> None:
        """Remember what the client tells beside its calls: why it cannot connect."""
        codes = self._kafka.KafkaError
        if error.code() != codes._ALL_BROKERS_DOWN:  # noqa: SLF001 - says less than the one before
            self._last_error = self._plain(error.str())

    def _plain(self, error: object) -> str:
        return without_secrets(error, self._options).strip().rstrip(".")

    def _patience(self) -> float:
        return min(self._timeout_s, _METADATA_S)


def _message(message: Any) -> Message:
    _, timestamp = message.timestamp()
    return Message(message.partition(), message.offset(), timestamp, message.key(), message.value())
