"""KafkaSource over librdkafka's own broker: the same messages again, nothing lost in silence."""

import json
import logging
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

import penstock as ps
from penstock.core import (
    DataError,
    MissingPackageError,
    NotFoundError,
    ParameterError,
    PenstockError,
)
from penstock.data import KafkaSource, ingest
from penstock.data.sources import collect
from penstock.data.sources.kafka import _source as _kafka
from penstock.data.sources.kafka._broker import Broker, Message
from penstock.execution import QuietReporter
from penstock.testing import SourceContract

DAY = [datetime(2026, 3, day, tzinfo=UTC) for day in range(1, 10)]


def as_json(row):
    return json.dumps(row, default=lambda value: value.isoformat()).encode()


class Topic:
    def __init__(self, server, **options):
        self.server, self.name, self.options = server, server.topic(), options

    def add(self, rows):
        for row in rows.iter_rows(named=True):
            self.send(as_json(row), partition=row["id"] % 4)

    def send(self, *values, **more):
        self.server.send(self.name, *values, **more)

    def source(self, **options):
        return KafkaSource(self.server.address, topic=self.name, **self.options | options)


@pytest.fixture
def topic(kafka_server):
    return Topic(kafka_server)


class TestContract(SourceContract):
    @pytest.fixture
    def system(self, topic):
        return topic


class TestContractWithSchema(SourceContract):
    @pytest.fixture
    def system(self, kafka_server):
        schema = {
            "id": "integer",
            "at": "datetime",
            "known": "datetime",
            "who": "text",
            "amount": "number",
            "is_new": "boolean",
        }
        return Topic(kafka_server, schema=schema)


def ids(source, **window):
    return ingest(source, **window).table["id"].to_list()


def facts_of(source):
    scan = source.scan()
    list(scan)
    return json.loads(json.dumps(scan.reading.facts))


class Kept(Broker):
    """A broker with retention, compaction or times of offsets, which the real one lacks."""

    low: int = 0
    high: int | None = None
    gone: frozenset = frozenset()
    times: dict | None = None

    def bounds(self, topic, partition):
        low, high = super().bounds(topic, partition)
        high = high if self.high is None else min(self.high, high)
        return max(low, min(self.low, high)), high

    def read(self, topic, partition, begin, end):
        return (m for m in super().read(topic, partition, begin, end) if m.offset not in self.gone)

    def offsets_at(self, topic, partitions, moment):
        if self.times is None:
            return super().offsets_at(topic, partitions, moment)
        return {
            number: next(
                (n for n, at in enumerate(self.times.get(number, [])) if at >= moment), None
            )
            for number in partitions
        }


@pytest.fixture
def kept(monkeypatch):
    """Replace the connection by one of a kept topic; returns the class to set."""
    broker = type("Kept", (Kept,), {})
    monkeypatch.setattr(_kafka, "Broker", broker)
    return broker


class TestOffsets:
    def test_a_topic_that_was_created_anew_with_as_many_messages_is_another(self, kafka_server):
        topics = [Topic(kafka_server) for _ in range(2)]
        for number, topic in enumerate(topics):
            topic.send(as_json({"id": 1}), as_json({"id": 2 + number}), timestamp=1_000)
        # The same name at another time, as the fingerprint sees it.
        first, second = (topic.source().fingerprint()["state"] for topic in topics)
        assert first["offsets"] == second["offsets"]
        assert first != second
        assert topics[0].source().fingerprint()["state"] == first
        stamps = [topic.source().stamp() for topic in topics]
        assert stamps[0] != stamps[1]

    def test_rows_come_by_partition_and_offset_and_are_read_again(self, topic):
        for number in (2, 0, 1, 0):
            topic.send(as_json({"id": number}), partition=number)
        source = topic.source(columns=["_offset", "_partition", "_key", "_timestamp"])
        table = ingest(source).table
        assert table.select("_partition", "_offset").rows() == [(0, 0), (0, 1), (1, 0), (2, 0)]
        facts = facts_of(source)
        assert {n: (p["begin"], p["end"]) for n, p in facts["partitions"].items()} == {
            "0": (0, 2),
            "1": (0, 1),
            "2": (0, 1),
            "3": (0, 0),
        }
        topic.send(as_json({"id": 9}))
        assert ingest(source.pinned(facts)).table.equals(table)
        assert len(ids(source)) == 5

    def test_messages_that_come_while_reading_are_not_read(self, topic):
        topic.send(as_json({"id": 1}))
        scan = topic.source().scan()
        topic.send(as_json({"id": 2}))
        assert collect(scan, "rides")["id"].to_list() == [1]

    def test_given_offsets_bound_the_reading(self, topic):
        topic.send(*(as_json({"id": n}) for n in range(10)))
        assert ids(topic.source(offsets={0: (3, 5)})) == [3, 4]
        assert ids(topic.source(offsets={0: (8, None)})) == [8, 9]
        with pytest.raises(NotFoundError, match="has no partition 7"):
            topic.source(offsets={7: (0, 1)}).fingerprint()
        with pytest.raises(ParameterError, match=r"offsets= of KafkaSource is \{0: 5\}"):
            topic.source(offsets={0: 5})
        with pytest.raises(NotFoundError, match=r"has no offsets 3 to 98: it ends before 10"):
            topic.source(offsets={0: (3, 99)}).fingerprint()

    def test_control_records_and_gaps_do_not_hang_the_reader(self, topic, kafka_server):
        producer = kafka_server.producer(**{"transactional.id": topic.name})
        producer.init_transactions(10)
        for number in (1, 2):
            producer.begin_transaction()
            producer.produce(topic.name, as_json({"id": number}), partition=0)
            producer.commit_transaction(10)
        source = topic.source(timeout_s=5)
        assert ids(source) == [1, 2]
        part = facts_of(source)["partitions"]["0"]
        assert (part["end"], part["messages"], part["runs"]) == (4, 2, [[0, 0], [2, 2]])

    def test_rows_lost_to_retention_are_named(self, topic, kept):
        topic.send(*(as_json({"id": n}) for n in range(10)))
        facts = facts_of(topic.source())
        kept.low = 4
        with pytest.raises(
            NotFoundError, match=r"Offsets 0 to 3 of .*\[0\] are gone \(4 of them\)"
        ):
            topic.source().pinned(facts)
        assert topic.source().fingerprint()["state"]["offsets"]["0"] == [4, 10]

    def test_rows_that_the_broker_has_removed_are_named(self, topic):
        """The test's broker keeps 5 MiB of a partition."""
        first = [as_json({"id": n, "pad": "x" * 900_000}) for n in range(3)]
        topic.send(*first)
        facts = facts_of(topic.source())
        assert ingest(topic.source().pinned(facts)).rows == 3
        topic.send(*first, *first)
        begin, end = topic.source().stamp()["offsets"]["0"]
        assert (begin > 0, end) == (True, 9)
        lost = min(begin, 3)
        expected = rf"Offsets 0 to {lost - 1} of .*\[0\] are gone \({lost} of them\)"
        with pytest.raises(NotFoundError, match=expected):
            topic.source().pinned(facts)
        # A first reading has nothing to compare with, and names what is gone all the same.
        scan = topic.source().scan()
        assert sum(batch.height for batch in scan) == end - begin
        assert scan.reading.facts["removed"] == {"0": begin}
        told = next(f for f in ingest(topic.source()).findings if f.rule == "removed")
        assert told.level == "warn"
        assert f"Offsets 0 to {begin - 1} of {topic.name}[0] are gone" in told.message

    def test_a_topic_of_which_nothing_is_left_says_so(self, topic, kept):
        topic.send(*(as_json({"id": n}) for n in range(10)))
        kept.low = 10
        with pytest.raises(DataError, match=r"gave no rows.*") as told:
            ingest(topic.source())
        assert f"Offsets 0 to 9 of {topic.name}[0] are gone" in str(told.value)

    @pytest.mark.parametrize("lateness", [None, timedelta(0)])
    def test_what_was_removed_before_the_window_is_no_loss(self, topic, kept, lateness):
        topic.send(*(as_json({"id": day, "at": DAY[day]}) for day in range(9)))
        kept.times, kept.low = {0: DAY}, 4
        source = topic.source(time="at", lateness=lateness)
        for window, is_loss in (
            ({"since": DAY[6]}, False),
            ({"since": DAY[2]}, True),
            ({"cutoff": DAY[6]}, True),
        ):
            rules = {finding.rule for finding in ingest(source, **window).findings}
            assert ("removed" in rules) == is_loss, window

    def test_untouched_topics_have_no_such_finding(self, topic):
        topic.send(as_json({"id": 1}))
        assert "removed" not in {finding.rule for finding in ingest(topic.source()).findings}

    def test_rows_lost_to_compaction_are_named(self, topic, kept):
        topic.send(*(as_json({"id": n}) for n in range(10)))
        facts = facts_of(topic.source())
        kept.gone = frozenset({2, 5})
        expected = r"2 messages of .*\[0\] are gone, of offsets 0 to 9 \(the first: 2, 5\)"
        with pytest.raises(NotFoundError, match=expected):
            ingest(topic.source().pinned(facts))

    def test_a_topic_that_was_created_anew_is_named(self, topic):
        topic.send(*(as_json({"id": n}) for n in range(3)))
        facts = facts_of(topic.source())
        other = Topic(topic.server)
        other.send(*(as_json({"id": n}) for n in range(9, 12)))
        with pytest.raises(DataError, match=r"\[0\], offsets 0 to 2, have changed since"):
            ingest(other.source().pinned(facts))
        short = Topic(topic.server)
        short.send(as_json({"id": 1}))
        with pytest.raises(NotFoundError, match=r"deleted and created anew"):
            short.source().pinned(facts)


@ps.pipeline
def daily(source, cutoff=None):
    ps.steps.ingest(source, cutoff=cutoff)


class TestIncremental:
    """A data set grows by what is new in the topic; what retention took in between is named."""

    @pytest.fixture
    def store(self, tmp_path):
        with ps.open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
            yield store

    @pytest.fixture
    def read(self, topic, store):
        source = ps.IncrementalSource(topic.source(time="at"))

        def run(cutoff):
            result = ps.run(
                daily, store=store, reporter=QuietReporter(), source=source, cutoff=cutoff
            )
            snapshot = result.step_output("ingest")
            told = [each.message for each in snapshot.findings if each.rule == "removed"]
            return snapshot.table["id"].to_list(), told

        return run

    def test_messages_removed_before_they_were_read_are_named(self, topic, kept, store, read):
        kept.times = {0: DAY}
        topic.send(*(as_json({"id": day, "at": DAY[day]}) for day in range(3)))
        assert read(DAY[3]) == ([0, 1, 2], [])
        topic.send(*(as_json({"id": day, "at": DAY[day]}) for day in range(3, 9)))
        kept.low = 5
        lost = f"Offsets 3 to 4 of {topic.name}[0] are gone"
        rows, told = read(DAY[7])
        assert rows == [0, 1, 2, 5, 6]
        assert [lost in text for text in told] == [True]
        facts = store.metadata.artifacts.last_snapshot(topic.name).read
        assert facts["unread"] == {"0": [3, 5]}

    def test_it_does_not_depend_on_times_of_messages(self, topic, kept, read):
        """The producer set no times that a search by time could find."""
        topic.send(*(as_json({"id": day, "at": DAY[day]}) for day in range(3)))
        kept.times = {0: []}
        read(DAY[3])
        topic.send(*(as_json({"id": day, "at": DAY[day]}) for day in range(3, 6)))
        kept.low, kept.times = 4, {0: [DAY[0]] * 6}
        assert f"Offsets 3 to 3 of {topic.name}[0]" in read(DAY[6])[1][0]

    def test_what_was_read_in_time_is_no_loss(self, topic, kept, read):
        kept.times = {0: DAY}
        topic.send(*(as_json({"id": day, "at": DAY[day]}) for day in range(6)))
        read(DAY[3])
        kept.low = 3
        assert read(DAY[6]) == ([0, 1, 2, 3, 4, 5], [])

    def test_rows_that_are_to_be_read_again_and_are_gone_are_named(self, topic, kept, store):
        kept.times = {0: DAY}
        topic.send(*(as_json({"id": day, "at": DAY[day]}) for day in range(6)))
        source = ps.IncrementalSource(topic.source(time="at"), lateness="2d")
        rows = []
        for cutoff, low in ((DAY[3], 0), (DAY[6], 2)):
            kept.low = low
            result = ps.run(
                daily, store=store, reporter=QuietReporter(), source=source, cutoff=cutoff
            )
            snapshot = result.step_output("ingest")
            rows.append(snapshot.table["id"].to_list())
        assert rows == [[0, 1, 2], [0, 2, 3, 4, 5]]
        told = [each.message for each in snapshot.findings if each.rule == "removed"]
        assert "2 rows of the last version from 2026-03-02 00:00 on were replaced" in told[0]

    def test_a_reading_without_new_rows_does_not_hide_the_loss(self, topic, kept, read):
        kept.times = {0: DAY}
        topic.send(*(as_json({"id": day, "at": DAY[day]}) for day in range(3)))
        read(DAY[3])
        assert read(DAY[3]) == ([0, 1, 2], [])  # reads nothing
        topic.send(*(as_json({"id": day, "at": DAY[day]}) for day in range(3, 6)))
        kept.low = 6
        rows, told = read(DAY[6])
        assert rows == [0, 1, 2]
        assert f"Offsets 3 to 5 of {topic.name}[0] are gone" in told[0]

    def test_a_topic_that_was_created_anew_stops(self, topic, kept, store, read):
        topic.send(*(as_json({"id": day, "at": DAY[day]}) for day in range(3)))
        read(DAY[3])
        kept.high = 1
        with pytest.raises(PenstockError, match=r"was read up to offset 3, and ends before 1 now"):
            read(DAY[6])


class TestWindow:
    def test_without_lateness_every_offset_is_read(self, topic):
        # The row of the first day was published last: message time tells nothing of it.
        topic.send(as_json({"id": 2, "at": DAY[1]}), timestamp=int(DAY[1].timestamp() * 1000))
        topic.send(as_json({"id": 1, "at": DAY[0]}), timestamp=int(DAY[8].timestamp() * 1000))
        assert ids(topic.source(time="at"), cutoff=DAY[1]) == [1]

    def test_lateness_narrows_which_offsets_are_read(self, topic, kept):
        topic.send(*(as_json({"id": day, "at": DAY[day]}) for day in range(9)))
        kept.times = {0: DAY}
        source = topic.source(time="at", lateness=timedelta(days=1))
        offsets = source.fingerprint(DAY[3], DAY[5])["state"]["offsets"]
        assert offsets == {"0": [2, 6], "1": [0, 0], "2": [0, 0], "3": [0, 0]}
        assert ids(source, since=DAY[3], cutoff=DAY[5]) == [3, 4]
        later = source.fingerprint(DAY[3], DAY[5])
        topic.send(as_json({"id": 9, "at": DAY[8]}))
        assert source.fingerprint(DAY[3], DAY[5]) == later

    def test_no_message_at_or_after_since_means_no_rows(self, topic):
        topic.send(as_json({"id": 1, "at": DAY[0]}))
        source = topic.source(time="at", lateness=timedelta(0))
        with pytest.raises(DataError, match="gave no rows in the window"):
            ingest(source, since=DAY[0])  # the test's broker knows no times of offsets

    def test_a_message_became_known_when_it_was_published(self, topic):
        for number, day in ((1, 1), (2, 6)):
            at = int(DAY[day].timestamp() * 1000)
            topic.send(as_json({"id": number, "at": DAY[0]}), timestamp=at)
        source = topic.source(time="at", available_at="_timestamp")
        assert ids(source, cutoff=DAY[3]) == [1]

    def test_a_time_column_that_no_message_has_is_named(self, topic):
        topic.send(as_json({"id": 1, "at": DAY[0]}))
        with pytest.raises(NotFoundError, match=r"'att' is not in source .*'at'"):
            ingest(topic.source(time="att"), cutoff=DAY[1])


class TestMessages:
    def test_tombstones_are_left_out_and_counted(self, topic):
        topic.send(as_json({"id": 1}), None, None)
        snapshot = ingest(topic.source())
        assert snapshot.rows == 1
        assert "2 messages have no value" in snapshot.findings[0].message

    def test_poison_stops_with_its_place_and_without_its_payload(self, topic):
        topic.send(as_json({"id": 1}), b'{"card": "canary-7f3a"')
        expected = r"\[0\] has a message at offset 1 that cannot be decoded: it is not JSON"
        with pytest.raises(DataError, match=expected) as told:
            ingest(topic.source())
        assert "canary" not in str(told.value)

    def test_poison_aside_is_counted_and_listed(self, topic):
        topic.send(as_json({"id": 1}), b"\xff", b"[1]", as_json({"id": "x"}), as_json({"id": 2}))
        source = topic.source(poison="aside")
        snapshot = ingest(source)
        assert snapshot.table["id"].to_list() == [1, 2]
        assert "3 messages could not be decoded" in snapshot.findings[0].message
        aside = facts_of(source)["aside"]
        assert aside["messages"] == 3
        assert [place[:2] for place in aside["places"]] == [[0, 1], [0, 2], [0, 3]]
        assert aside["places"][2][2] == "field 'id' is text, and an integer in messages before"

    def test_a_field_with_the_name_of_a_message_column_is_refused(self, topic):
        topic.send(as_json({"_offset": 3}))
        with pytest.raises(DataError, match="has the name of a message's column"):
            ingest(topic.source(columns=["_offset"]))

    def test_more_messages_than_a_batch_are_one_table(self, topic, monkeypatch):
        monkeypatch.setattr(_kafka, "_ROWS_AT_ONCE", 3)
        values = [{"id": 1}, {"id": 2}, {"id": 3}, {"id": 4.5, "place": {"x": 1}}, {"new": "a"}]
        topic.send(*map(as_json, values))
        table = ingest(topic.source(columns=["_offset"])).table
        assert table["id"].to_list() == [1.0, 2.0, 3.0, 4.5, None]
        assert table["_offset"].to_list() == [0, 1, 2, 3, 4]
        declared = topic.source(schema={"id": "number", "new": "text"})
        assert [batch.height for batch in declared.scan()] == [3, 2]


class TestErrors:
    def test_a_broker_that_does_not_respond_is_named(self):
        source = KafkaSource("127.0.0.1:9", topic="rides", timeout_s=1)
        with pytest.raises(DataError, match=r"Kafka at 127.0.0.1:9 does not answer: .*refused"):
            source.fingerprint()

    def test_a_missing_topic_is_named_with_similar_ones(self, topic):
        topic.send(as_json({"id": 1}))
        source = KafkaSource(topic.server.address, topic=topic.name + "x")
        with pytest.raises(NotFoundError, match=rf"no topic .* Did you mean '{topic.name}'"):
            source.fingerprint()

    def test_an_empty_topic_has_no_rows(self, topic):
        topic.send(None)
        with pytest.raises(DataError, match="gave no rows"):
            ingest(topic.source())

    def test_a_partition_that_falls_silent_ends_in_an_error(self, topic):
        topic.send(as_json({"id": 1}))

        def read(timeout_s, begin, end):
            with Broker(topic.server.address, {}, timeout_s) as broker:
                return list(broker.read(topic.name, 0, begin, end))

        with pytest.raises(DataError, match=r"gave no message for 1 s at offset 1 of 5"):
            read(1.0, 0, 5)
        with pytest.raises(NotFoundError, match="were removed while they were read"):
            read(30.0, 7, 9)

    def test_progress_of_a_long_reading_is_logged(self, topic, monkeypatch, caplog):
        monkeypatch.setattr("penstock.data.sources.kafka._broker._PROGRESS_S", 0.0)
        topic.send(as_json({"id": 1}))
        with caplog.at_level(logging.INFO, "penstock.kafka"):
            ids(topic.source())
        assert any("offset 1 of 1" in record.getMessage() for record in caplog.records)

    def test_secrets_are_references(self, monkeypatch):
        with pytest.raises(ParameterError, match="is written out"):
            KafkaSource("b:9092", topic="rides", options={"sasl.password": "canary"})
        monkeypatch.setenv("TOPIC_KEY", "canary-7f3a")
        options = {
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.username": "ada",
            "sasl.password": "${TOPIC_KEY}",
        }
        source = KafkaSource("127.0.0.1:9", topic="rides", timeout_s=0.5, options=options)
        with pytest.raises(DataError) as told:
            source.fingerprint()
        assert "canary" not in str(told.value) + repr(source) + json.dumps(source.describe())

    def test_options_that_a_bounded_reading_depends_on_are_refused(self):
        with pytest.raises(ParameterError, match=r"sets group\.id"):
            KafkaSource("b:9092", topic="rides", options={"group.id": "mine"})
        source = KafkaSource("b:9092", topic="rides", options={"no.such.option": "1"})
        with pytest.raises(ParameterError, match=r"refuses options=: .*no\.such\.option"):
            source.fingerprint()

    def test_wrong_choices_are_refused(self):
        with pytest.raises(ParameterError, match="Did you mean 'json'"):
            KafkaSource("b:9092", topic="rides", format="jsn")
        with pytest.raises(ParameterError, match="topic of KafkaSource is empty"):
            KafkaSource("b:9092", topic="")
        with pytest.raises(ParameterError, match="schema= of JSON messages is str"):
            KafkaSource("b:9092", topic="rides", schema="text").scan()
        with pytest.raises(ParameterError, match="Did you mean 'aside'"):
            KafkaSource("b:9092", topic="rides", poison="asid")
        with pytest.raises(ParameterError, match="'_offset'"):
            KafkaSource("b:9092", topic="rides", columns=["_ofset"])  # type: ignore[list-item] # a typing error

    def test_without_the_package_the_install_command_is_named(self, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "confluent_kafka", None)
        with pytest.raises(MissingPackageError, match=r'pip install "penstock\[kafka\]"'):
            KafkaSource("b:9092", topic="rides").fingerprint()


def test_offsets_by_time_are_asked_for_in_milliseconds(topic):
    """The thin part that the test's broker cannot show: what is asked, what an answer means."""
    asked: list[tuple[int, int]] = []

    class Consumer:
        def offsets_for_times(self, places, timeout):
            asked.extend((place.partition, place.offset) for place in places)
            for place, at in zip(places, (5, -1), strict=True):
                place.offset = at
            return places

    broker = Broker(topic.server.address, {}, 1.0)
    with broker:
        real, broker._consumer = broker._consumer, Consumer()
        assert broker.offsets_at("rides", [0, 1], DAY[0]) == {0: 5, 1: None}
        broker._consumer = real
    assert asked == [(0, 1772323200000), (1, 1772323200000)]


def test_a_message_is_a_plain_tuple():
    assert Message(0, 1, 2, None, b"x")._fields == (
        "partition",
        "offset",
        "timestamp",
        "key",
        "value",
    )


def test_the_frame_of_a_topic_has_times_and_texts(topic):
    topic.send(as_json({"at": DAY[0], "who": "Zoë", "none": None, "tags": ["a"], "empty": {}}))
    table = collect(topic.source().scan(), "rides")
    assert table.schema["at"] == pl.Datetime("us", "UTC")
    assert table["who"].to_list() == ["Zoë"]
    assert table["tags"].to_list() == [["a"]]
