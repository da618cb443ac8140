"""Avro messages: with a registry over real HTTP, over versions of a schema, broken ones refused."""

import datetime as dt
import io
import json
import threading
import uuid
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer

import fastavro
import polars as pl
import pytest

from penstock.core import DataError, NotFoundError, ParameterError
from penstock.data import KafkaSource, ingest
from penstock.data.sources.kafka._avro import AvroDecoder
from penstock.data.sources.kafka._messages import PoisonError

FIRST = {"type": "record", "name": "Ride", "fields": [{"name": "id", "type": "int"}]}
SECOND = {
    "type": "record",
    "name": "Ride",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "tip", "type": ["null", "double"], "default": None},
    ],
}


def written(row, schema, number=None):
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, schema, row)
    header = b"" if number is None else bytes([0]) + number.to_bytes(4, "big")
    return header + stream.getvalue()


class Registry(HTTPServer):
    """A registry over HTTP: schemas by number, subjects to numbers; a password if set."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.schemas: dict[int, object] = {1: FIRST, 2: SECOND}
        self.subjects: dict[str, int] = {}
        self.secret: str | None = None
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self):
        server, parts = self.server, self.path.strip("/").split("/")
        if server.secret and self.headers.get("Authorization") != server.secret:
            return self.send(401, {"error_code": 401})
        number = int(parts[2]) if parts[0] == "schemas" else server.subjects.get(parts[1])
        if number is None or number not in server.schemas:
            return self.send(404, {"error_code": 40403})
        return self.send(200, {"id": number, "schema": json.dumps(server.schemas[number])})

    def send(self, status, body):
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def registry():
    server = Registry()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def source(kafka_server, registry):
    topic = kafka_server.topic()
    registry.subjects[f"{topic}-value"] = 2
    kafka_server.send(
        topic, written({"id": 1}, FIRST, 1), written({"id": 2, "tip": 2.5}, SECOND, 2)
    )

    def make(**options):
        known = {"schema_registry": registry.url, "format": "avro"} | options
        return KafkaSource(kafka_server.address, topic=topic, **known)

    return make


def test_rows_of_several_schemas_are_read_with_the_newest(source):
    table = ingest(source()).table
    assert table.rows() == [(1, None), (2, 2.5)]
    assert table.schema == {"id": pl.Int64, "tip": pl.Float64}


def test_the_schema_is_recorded_and_read_again(source, registry):
    before = source().fingerprint()
    scan = source().scan()
    first = pl.concat(scan)
    third = SECOND | {"fields": [*SECOND["fields"], {"name": "x", "type": "int", "default": 7}]}
    registry.schemas[3] = third
    registry.subjects = dict.fromkeys(registry.subjects, 3)
    assert scan.reading.facts["schema_id"] == 2
    assert pl.concat(source().pinned(scan.reading.facts).scan()).equals(first)
    assert source().fingerprint() != before
    assert ingest(source()).table["x"].to_list() == [7, 7]


def test_a_given_schema_is_read_without_asking_for_the_newest(source, registry):
    registry.subjects = {}
    assert (
        ingest(source(schema=json.dumps(FIRST | {"fields": [{"name": "id", "type": "long"}]}))).rows
        == 2
    )
    with pytest.raises(NotFoundError, match=r"has no subject 'rides-\d+-value'"):
        source().fingerprint()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"{}", "no header of a schema registry"),
        (b"\0\0\0\0\2", "not Avro of its schema"),
        (written({"id": 1}, FIRST, 1) + b"zz", "2 bytes are left over"),
    ],
)
def test_broken_messages_are_poison(source, kafka_server, value, reason):
    kafka_server.send(source().topic, value)
    with pytest.raises(DataError, match=rf"at offset 2 that cannot be decoded: .*{reason}"):
        ingest(source())
    assert ingest(source(poison="aside")).rows == 2


def test_a_schema_that_does_not_fit_is_poison(source, registry, kafka_server):
    other = {"type": "record", "name": "Ride", "fields": [{"name": "id", "type": "string"}]}
    registry.schemas[4] = other
    kafka_server.send(source().topic, written({"id": "canary"}, other, 4))
    with pytest.raises(DataError, match="SchemaResolutionError") as told:
        ingest(source())
    assert "canary" not in str(told.value)


def test_a_number_that_the_registry_lacks_stops_the_reading(source, kafka_server):
    kafka_server.send(source().topic, b"\0\0\0\0\x63abc")
    with pytest.raises(NotFoundError, match="has no schema 99"):
        ingest(source(poison="aside"))  # the message may be good: the registry is wrong


def test_credentials_of_the_registry_are_references(source, registry, monkeypatch):
    registry.secret = "Basic YWRhOmNhbmFyeQ=="  # ada:canary
    with pytest.raises(DataError, match=r"refuses subject .*: status 401"):
        source().fingerprint()
    monkeypatch.setenv("REGISTRY_KEY", "canary")
    known = {"schema.registry.user": "ada", "schema.registry.password": "${REGISTRY_KEY}"}
    assert ingest(source(options=known)).rows == 2
    with pytest.raises(ParameterError, match="is written out"):
        source(options={"schema.registry.password": "canary"})
    with pytest.raises(ParameterError, match="is written out"):
        source(schema_registry="http://ada:canary@registry")


def test_a_registry_that_does_not_respond_is_named(source):
    with pytest.raises(DataError, match=r"registry http://127.0.0.1:9 does not answer"):
        source(schema_registry="http://127.0.0.1:9").fingerprint()


def test_types_keep_their_meaning():
    kinds = {
        "price": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2},
        "day": {"type": "int", "logicalType": "date"},
        "at": {"type": "long", "logicalType": "timestamp-millis"},
        "local": {"type": "long", "logicalType": "local-timestamp-micros"},
        "who": {"type": "string", "logicalType": "uuid"},
        "kind": {"type": "enum", "name": "Kind", "symbols": ["A", "B"]},
        "place": {"type": "record", "name": "P", "fields": [{"name": "x", "type": "float"}]},
        "tags": {"type": "array", "items": ["null", "string"]},
        "raw": "bytes",
    }
    schema = {
        "type": "record",
        "name": "All",
        "fields": [{"name": name, "type": kind} for name, kind in kinds.items()],
    }
    row = {
        "price": Decimal("12.50"),
        "day": dt.date(2026, 1, 2),
        "at": dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC),
        "local": dt.datetime(2026, 1, 2, 3),  # noqa: DTZ001 - a local time
        "who": str(uuid.UUID(int=7)),
        "kind": "B",
        "place": {"x": 0.5},
        "tags": ["a", None],
        "raw": b"\0\1",
    }
    decoder = AvroDecoder(schema)
    table = decoder.frame([decoder.decode(written(row, schema))])
    assert table.rows(named=True)[0] == row
    assert table.schema["price"] == pl.Decimal(10, 2)
    assert decoder.frame([]).schema == table.schema


@pytest.mark.parametrize(
    ("kind", "what"),
    [(["int", "string"], "a union of several types"), ({"type": "map", "values": "int"}, "'map'")],
)
def test_a_field_without_one_type_is_refused(kind, what):
    schema = FIRST | {"fields": [{"name": "odd", "type": kind}]}
    with pytest.raises(ParameterError, match=rf"'odd' .* is .*{what}"):
        AvroDecoder(schema)


def test_without_a_schema_the_way_out_is_named():
    with pytest.raises(ParameterError, match=r"Give schema= .*schema_registry="):
        AvroDecoder()
    with pytest.raises(ParameterError, match="is no record"):
        AvroDecoder({"type": "array", "items": "int"})


def test_cut_off_bytes_are_poison():
    value = written({"id": 1, "tip": 2.5}, SECOND)
    decoder = AvroDecoder(SECOND)
    for length in range(len(value)):
        with pytest.raises(PoisonError):
            decoder.decode(value[:length])
