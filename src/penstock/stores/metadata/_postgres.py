"""PostgreSQL as the database: many writers at once, on any machine."""

import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from penstock.core import ParameterError, StoreError, require
from penstock.stores.metadata._codec import clean_text
from penstock.stores.metadata._database import Rows, Transaction

if TYPE_CHECKING:
    import psycopg
    from psycopg_pool import ConnectionPool

_PURPOSE = "a store in PostgreSQL"
_EXTRA = "postgres"
_SCHEMA = "penstock"
_MOST_CONNECTIONS = 16
_WAIT_S = 10.0
_FIRST_WAIT_S = 1.0  # then a direct connection is tried, whose error has the reason
_DOWN_S = 5.0  # for this time a server that does not respond is not tried again
# From this number of rows on COPY is several times faster than INSERT.
_BULK = 64
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_WRITE = "BEGIN"
# After a crash of the server the last moments may be missing, as with SQLite; registry moves and
# the like request a durable write.
_WRITE_SOON = "BEGIN; SET LOCAL synchronous_commit TO OFF"
_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 7))"
_DURABLE = "durable"
# The cluster, the database in it whatever the name, and the schema.
_IDENTITY = (
    "SELECT (SELECT system_identifier FROM pg_control_system()),"
    " (SELECT oid FROM pg_database WHERE datname = current_database()), current_schema()"
)
_CLOCK = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"
_PLAIN_INSERT = re.compile(r"\s*INSERT INTO (\w+) (\([^()]*\))\s*VALUES \([?, ]*\)\s*")
# A mark, or a list of many.
_MARKS = re.compile(r"(?:NOT )?IN \(\?(?:, \?){15,}\)|\?")
_LITERAL = re.compile(r"('(?:[^']|'')*')")
_SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
# Pools inherited through fork: their connections belong to the parent.
_inherited: list[Any] = []


class PostgresUrl:
    """The address of a store in PostgreSQL.

    >>> PostgresUrl("postgres://ada:secret@db/ml?schema=churn").shown
    'postgresql://ada@db/ml?schema=churn'

    Args:
        url: ``postgresql://user:password@host:port/database?schema=penstock&…``; the rest of the
            query goes to libpq, and so do PGPASSWORD, PGHOST, ~/.pgpass and libpq's further
            settings.

    Raises:
        ParameterError: If the schema is not a legal name.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        self.schema = options.pop("schema", _SCHEMA)
        if not _SCHEMA_NAME.fullmatch(self.schema):
            raise ParameterError(
                what=f"{self.schema!r} is no name for a schema.",
                fix="Use small letters, digits and _, for example ?schema=penstock",
            )
        self.dsn = urlunsplit(("postgresql", parts.netloc, parts.path, urlencode(options), ""))
        user = quote(parts.username or "", safe="%") + "@" if parts.username else ""
        host = parts.netloc.rpartition("@")[2]
        query = "" if self.schema == _SCHEMA else urlencode({"schema": self.schema})
        self.shown = urlunsplit(("postgresql", user + host, parts.path, query, ""))


class PostgresDatabase:
    """A pool of connections to a schema of a database.

    Threads and processes: any number. Writers of different objects never wait mutually; a
    durable write (registry, deployments, proofs) excludes concurrent durable writes, and so do
    writers that request exclusion with `alone`. A forked child opens new connections.

    Args:
        url: Address of the store.
    """

    read_only = False  # a read-only server raises an error on the first write

    def __init__(self, url: PostgresUrl) -> None:
        self.url = url
        self._psycopg = require("psycopg", extra=_EXTRA, purpose=_PURPOSE)
        self._pid = os.getpid()
        self._down: tuple[float, StoreError] | None = None
        self._pool = self._open()

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Open a transaction that reads a single state of the database and changes nothing."""
        with self._transaction(_READ) as transaction:
            yield transaction

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Transaction]:
        """Open a transaction that may change the database; see Database."""
        with self._transaction(_WRITE if durable else _WRITE_SOON) as transaction:
            if durable:
                self.alone(transaction, _DURABLE)
            yield transaction

    def micros(self, transaction: Transaction, at: datetime) -> int:  # noqa: ARG002 - the protocol's form
        """Return the time for judging heartbeats: the server's, the same for all machines."""
        return int(transaction.execute(_CLOCK).fetchone()[0])

    def identity(self) -> str:
        """Return the identity of this database; see Database."""
        with self.read() as transaction:
            return "postgresql " + " ".join(map(str, transaction.execute(_IDENTITY).fetchone()))

    def is_same(self, known: str) -> bool:
        """Return whether this is the known database, perhaps renamed, and not a copy."""
        return known == self.identity()

    def alone(self, transaction: Transaction, name: str) -> None:
        """Wait until no further transaction works on the named object; see Database."""
        transaction.execute(_ALONE.replace("%s", "?"), (f"{self.url.schema}:{name}",))

    def is_missing_parent(self, error: BaseException) -> bool:
        """Return whether an error means that a row refers to a row that does not exist."""
        return isinstance(error, self._psycopg.errors.ForeignKeyViolation)

    def close(self) -> None:
        """Close the connections."""
        if self._pid == os.getpid():
            self._pool.close()

    def _open(self) -> "ConnectionPool[psycopg.Connection[tuple[Any, ...]]]":
        kind = require("psycopg_pool", extra=_EXTRA, purpose=_PURPOSE).ConnectionPool
        # The first connection directly: the pool would retry without a reason.
        try:
            connect(self.url).close()
        except self._psycopg.Error as error:
            raise explain(self.url, error) from error
        pool: ConnectionPool[psycopg.Connection[tuple[Any, ...]]] = kind(
            self.url.dsn,
            kwargs={"autocommit": True, **_how(self.url)},
            configure=_accept_any_text,
            check=kind.check_connection,  # the server may have been restarted
            min_size=0,
            max_size=_MOST_CONNECTIONS,
            timeout=_WAIT_S,
            open=True,
        )
        return pool

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Transaction]:
        if self._pid != os.getpid():
            _inherited.append(self._pool)
            self._pid, self._pool = os.getpid(), self._open()
        if self._down is not None and time.monotonic() < self._down[0]:
            self._ask_again(self._down[1])
        try:
            with self._connection() as connection:
                connection.execute(begin.encode())
                try:
                    yield _Statements(connection)
                except BaseException:
                    if not connection.closed:
                        connection.execute("ROLLBACK")
                    raise
                connection.execute("COMMIT")
        except self._psycopg.errors.IntegrityError:
            raise  # the error names the faulty values
        except (self._psycopg.errors.DataError, self._psycopg.errors.ProgramLimitExceeded) as error:
            raise ParameterError(
                what=f"PostgreSQL cannot store a value ({' '.join(str(error).split())[:200]}).",
                fix="Shorten it, or log it with log_artifact.",
            ) from error
        except (self._psycopg.Error, TimeoutError) as error:
            raise explain(self.url, error) from error

    def _ask_again(self, trouble: StoreError) -> None:
        """Raise the earlier error, unless the server is back: a stopped server refuses at once."""
        try:
            connect(self.url, connect_timeout=2).close()
        except self._psycopg.Error:
            raise trouble from None
        self._down = None

    @contextmanager
    def _connection(self) -> "Iterator[psycopg.Connection[tuple[Any, ...]]]":
        """Acquire a connection; a stopped server is detected in a second, and later at once."""
        try:
            connection = self._pool.getconn(_FIRST_WAIT_S)
        except self._psycopg.OperationalError:
            try:
                connect(self.url).close()
            except self._psycopg.Error as error:
                trouble = explain(self.url, error)
                self._down = time.monotonic() + _DOWN_S, trouble
                raise trouble from error
            connection = self._pool.getconn(_WAIT_S)  # it is up: all connections are in use
        self._down = None
        pool = self._pool
        try:
            yield connection
        finally:
            pool.putconn(connection)


class _Statements:
    """Executor of our neutral SQL in an open transaction."""

    def __init__(self, connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
        self._connection = connection

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Rows:
        text, lists = _translate(sql)
        # Binary: a thousand numbers are read three times as fast as from text.
        return self._connection.execute(text, _grouped(values, lists), binary=True)

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> Rows:
        rows = rows if isinstance(rows, Sequence) else list(rows)
        cursor = self._connection.cursor()
        plain = _PLAIN_INSERT.fullmatch(sql) if len(rows) >= _BULK else None
        if plain is None:
            text, lists = _translate(sql)
            cursor.executemany(text, [_grouped(row, lists) for row in rows] if lists else rows)
            return cursor
        with cursor.copy(f"COPY {plain[1]} {plain[2]} FROM STDIN".encode()) as copy:
            for row in rows:
                copy.write_row(row)
        return cursor


def connect(
    url: PostgresUrl, *, autocommit: bool = True, **options: Any
) -> "psycopg.Connection[tuple[Any, ...]]":
    """Open a connection outside of the pool."""
    driver = require("psycopg", extra=_EXTRA, purpose=_PURPOSE)
    connection: psycopg.Connection[tuple[Any, ...]] = driver.connect(
        url.dsn, autocommit=autocommit, **{**_how(url), **options}
    )
    return connection


def _how(url: PostgresUrl) -> dict[str, Any]:
    """Return the settings of each connection, without JIT: our short statements cost less.

    A server that disappears silently is given up after ten seconds, not after minutes.
    """
    options = f"-c search_path={url.schema} -c jit=off"
    limits = {"connect_timeout": 10, "tcp_user_timeout": 10_000}
    return {"options": options, **{k: v for k, v in limits.items() if f"{k}=" not in url.dsn}}


def explain(url: PostgresUrl, error: BaseException) -> StoreError:
    """Convert an error of PostgreSQL into a sentence with a fix."""
    # The server's words; the place in our own statement says nothing to a user.
    text = " ".join(str(error).partition("\nLINE ")[0].split())
    why, fix = next(
        (rest for words, *rest in _SENTENCES if any(word in text.lower() for word in words)),
        ("", "Run: penstock doctor"),
    )
    if "{" in fix:
        fix = fix.format(**_names(url))
    return StoreError(f"The store {url.shown} failed ({text[:300]}).", why, fix, url=url.shown)


def _names(url: PostgresUrl) -> dict[str, str]:
    """Return the database, the user and the owner of the schema, for a command to copy."""
    names = {"database": "DATABASE", "user": "USER", "owner": "OWNER"}
    with suppress(Exception), connect(url) as connection:
        row = connection.execute(
            "SELECT current_database(), current_user,"
            " (SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = %s)",
            (url.schema,),
        ).fetchone()
        names = {name: f'"{text}"' for name, text in zip(names, row or (), strict=True) if text}
    return {"database": "DATABASE", "user": "USER", "owner": "OWNER", **names}


_SENTENCES: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("password", "authentication", "no pg_hba"),
        "PostgreSQL does not let this user in.",
        "Set PGPASSWORD or ~/.pgpass, or write postgresql://user:password@host/database",
    ),
    (
        ("does not exist",),
        "penstock makes its tables, but not databases and users.",
        "Make it with: createdb NAME; or correct the name in the URL.",
    ),
    (
        ("permission denied for database",),
        "penstock makes a schema for its tables there.",
        "Let the user create one: GRANT CREATE ON DATABASE {database} TO {user}",
    ),
    (
        ("permission denied", "must be owner"),
        "Its tables belong to a different user.",
        "Let the user work as their owner: GRANT {owner} TO {user}",
    ),
    (
        ("read-only",),
        "penstock writes every run there.",
        "Name the server that takes writes, not its standby.",
    ),
    (
        (
            "could not translate",
            "connection refused",
            "timeout",
            "could not connect",
            "unreachable",
        ),
        "No PostgreSQL answers there.",
        "Check host, port and firewall, for example with: pg_isready -h HOST -p PORT",
    ),
    (
        ("closed the connection", "terminating connection", "connection is closed", "lost"),
        "The server was stopped or restarted; what was not finished is undone.",
        "Try again.",
    ),
    (
        ("no space", "disk full", "out of memory"),
        "Nothing of this step was recorded.",
        "Free some space on the server and go on.",
    ),
)


@lru_cache(maxsize=1024)
def _translate(sql: str) -> tuple[bytes, tuple[tuple[int, int], ...]]:
    """Convert our marks to psycopg's; text in quotes stays unchanged.

    A long list of values becomes a single array: psycopg takes milliseconds to read a hundred
    marks.

    Returns:
        The statement, and the positions of the values of each array: begin and end.
    """
    count, lists = 0, list[tuple[int, int]]()

    def mark(match: re.Match[str]) -> str:
        nonlocal count
        begin, count = count, count + match[0].count("?")
        if match[0] == "?":
            return "%s"
        lists.append((begin, count))
        return "<> ALL(%s)" if match[0].startswith("NOT") else "= ANY(%s)"

    parts = _LITERAL.split(sql.replace("%", "%%"))
    text = "".join(
        part if place % 2 else _MARKS.sub(mark, part) for place, part in enumerate(parts)
    )
    return text.encode(), tuple(lists)


def _grouped(values: Sequence[Any], lists: Sequence[tuple[int, int]]) -> Sequence[Any]:
    if not lists:
        return values
    grouped, place = list[Any](), 0
    for begin, end in lists:
        grouped += [*values[place:begin], list(values[begin:end])]
        place = end
    return [*grouped, *values[place:]]


def _accept_any_text(connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
    """Register a dumper for any text: PostgreSQL has no NUL and no lone surrogates."""
    from psycopg.types.string import StrDumperUnknown

    class Clean(StrDumperUnknown):
        def dump(self, obj: str) -> Any:
            return super().dump(clean_text(obj))

    connection.adapters.register_dumper(str, Clean)
