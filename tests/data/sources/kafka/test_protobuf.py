"""Protobuf messages by a class or a descriptor set; what cannot be read is refused."""

import datetime as dt

import polars as pl
import pytest
from google.protobuf import (  # type: ignore[import-untyped] # it ships no types
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    timestamp_pb2,
    wrappers_pb2,
)

from penstock.core import DataError, ParameterError
from penstock.data import KafkaSource, ingest
from penstock.data.sources.kafka._messages import PoisonError
from penstock.data.sources.kafka._protobuf import ProtobufDecoder

FIELD = descriptor_pb2.FieldDescriptorProto
KINDS: list[tuple[str, int, dict[str, object]]] = [
    ("id", FIELD.TYPE_INT64, {}),
    ("tip", FIELD.TYPE_DOUBLE, {"proto3_optional": True, "oneof_index": 0}),
    ("who", FIELD.TYPE_STRING, {}),
    ("raw", FIELD.TYPE_BYTES, {}),
    ("is_new", FIELD.TYPE_BOOL, {}),
    ("kind", FIELD.TYPE_ENUM, {"type_name": ".shop.Kind"}),
    ("at", FIELD.TYPE_MESSAGE, {"type_name": ".google.protobuf.Timestamp"}),
    ("note", FIELD.TYPE_MESSAGE, {"type_name": ".google.protobuf.StringValue"}),
    ("place", FIELD.TYPE_MESSAGE, {"type_name": ".shop.Place"}),
    ("tags", FIELD.TYPE_STRING, {"label": FIELD.LABEL_REPEATED}),
    (
        "counts",
        FIELD.TYPE_MESSAGE,
        {"type_name": ".shop.Ride.CountsEntry", "label": FIELD.LABEL_REPEATED},
    ),
    ("large", FIELD.TYPE_UINT64, {}),
]


def descriptors():
    file = descriptor_pb2.FileDescriptorProto(
        name="shop.proto",
        package="shop",
        syntax="proto3",
        dependency=["google/protobuf/timestamp.proto", "google/protobuf/wrappers.proto"],
    )
    place = file.message_type.add(name="Place")
    place.field.add(name="x", number=1, type=FIELD.TYPE_FLOAT, label=FIELD.LABEL_OPTIONAL)
    ride = file.message_type.add(name="Ride")
    for number, (name, kind, more) in enumerate(KINDS, 1):
        ride.field.add(
            name=name, number=number, type=kind, **{"label": FIELD.LABEL_OPTIONAL} | more
        )
    ride.oneof_decl.add(name="_tip")
    entry = ride.nested_type.add(name="CountsEntry", options={"map_entry": True})
    entry.field.add(name="key", number=1, type=FIELD.TYPE_STRING, label=FIELD.LABEL_OPTIONAL)
    entry.field.add(name="value", number=2, type=FIELD.TYPE_INT32, label=FIELD.LABEL_OPTIONAL)
    tree = file.message_type.add(name="Tree")
    tree.field.add(
        name="child",
        number=1,
        type=FIELD.TYPE_MESSAGE,
        type_name=".shop.Tree",
        label=FIELD.LABEL_OPTIONAL,
    )
    kinds = file.enum_type.add(name="Kind")
    kinds.value.add(name="PLAIN", number=0)
    kinds.value.add(name="FAST", number=1)
    files = [timestamp_pb2.DESCRIPTOR, wrappers_pb2.DESCRIPTOR]
    given = [descriptor_pb2.FileDescriptorProto.FromString(each.serialized_pb) for each in files]
    return descriptor_pb2.FileDescriptorSet(file=[*given, file])


SET = descriptors().SerializeToString()


def message_class(name="shop.Ride"):
    pool = descriptor_pool.DescriptorPool()
    for file in descriptors().file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def full():
    ride = message_class()(
        id=7, who="Zoë", raw=b"\0", is_new=True, kind=1, tags=["a", "b"], large=2**64 - 1
    )
    ride.tip = 0.0
    ride.at.FromDatetime(dt.datetime(2026, 1, 2, tzinfo=dt.UTC))
    ride.note.value = "n"
    ride.place.x = 0.5
    ride.counts["b"], ride.counts["a"] = 2, 1
    return ride


def test_every_kind_of_field_keeps_its_meaning():
    decoder = ProtobufDecoder((SET, "shop.Ride"))
    row = decoder.frame([decoder.decode(full().SerializeToString())]).rows(named=True)[0]
    assert row == {
        "id": 7,
        "tip": 0.0,
        "who": "Zoë",
        "raw": b"\0",
        "is_new": True,
        "kind": "FAST",
        "at": dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
        "note": "n",
        "place": {"x": 0.5},
        "tags": ["a", "b"],
        "counts": [{"key": "a", "value": 1}, {"key": "b", "value": 2}],
        "large": 2**64 - 1,
    }


def test_what_is_not_set_is_missing_where_that_is_known():
    decoder = ProtobufDecoder((SET, "shop.Ride"))
    row = decoder.frame([decoder.decode(b"")]).rows(named=True)[0]
    missing = {name for name, value in row.items() if value is None}
    assert missing == {"tip", "at", "note", "place"}
    assert (row["id"], row["who"], row["kind"], row["tags"]) == (0, "", "PLAIN", [])


def test_a_number_that_the_enum_lacks_stays_a_number():
    decoder = ProtobufDecoder((SET, "shop.Ride"))
    assert decoder.decode(message_class()(kind=9).SerializeToString())["kind"] == "9"


def test_nanoseconds_are_kept():
    ride = message_class()(at={"seconds": 1, "nanos": 7})
    decoder = ProtobufDecoder(message_class())
    table = decoder.frame([decoder.decode(ride.SerializeToString())])
    assert table["at"].to_physical().to_list() == [1_000_000_007]
    far = message_class()(at={"seconds": 2**40})
    with pytest.raises(PoisonError, match="after 2262"):
        decoder.decode(far.SerializeToString())


def test_a_topic_is_read_with_the_header_of_a_registry(kafka_server):
    topic = kafka_server.topic()
    # The message is the second of its file: one index, 1, in zigzag.
    header = bytes([0, 0, 0, 0, 5, 2, 2])
    kafka_server.send(topic, header + full().SerializeToString(), header + b"\xff\xff")
    source = KafkaSource(
        kafka_server.address,
        topic=topic,
        format="protobuf",
        schema=(SET, "shop.Ride"),
        schema_registry="http://registry",
        time="at",
        poison="aside",
    )
    snapshot = ingest(source, since="2026-01-01")
    assert snapshot.table["id"].to_list() == [7]
    assert source.fingerprint()["state"]["message"] == "shop.Ride"
    kafka_server.send(topic, bytes([0, 0, 0, 0, 5, 0]) + full().SerializeToString())
    assert "another message than shop.Ride" in str(_aside(source))
    with pytest.raises(DataError, match=r"offset 1 that cannot be decoded: it is no shop.Ride"):
        ingest(KafkaSource(**{**_options(source), "poison": "stop"}))


def _options(source):
    names = ("servers", "topic", "format", "schema", "schema_registry", "time", "poison")
    return {name: getattr(source, name) for name in names}


def _aside(source):
    scan = source.scan()
    list(scan)
    return scan.reading.facts["aside"]["places"]


def test_a_descriptor_set_is_read_from_its_file(tmp_path):
    (tmp_path / "shop.desc").write_bytes(SET)
    decoder = ProtobufDecoder((str(tmp_path / "shop.desc"), "shop.Place"))
    assert decoder.schema == pl.Schema({"x": pl.Float32})
    with pytest.raises(ParameterError, match=r"no message 'shop.Rid'. Did you mean 'shop.Ride'"):
        ProtobufDecoder((SET, "shop.Rid"))
    with pytest.raises(ParameterError, match="cannot be read"):
        ProtobufDecoder((tmp_path / "nowhere.desc", "shop.Ride"))
    with pytest.raises(ParameterError, match="Give schema=MessageClass"):
        ProtobufDecoder(None)


def test_a_message_inside_itself_is_refused():
    with pytest.raises(ParameterError, match=r"shop.Tree.child is a shop.Tree, which is not read"):
        ProtobufDecoder((SET, "shop.Tree"))
