"""Real services for tests: PostgreSQL, MariaDB, an S3 server, Kafka, Redis. Started once for a test worker."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

_numbers = count()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def missing(what: str) -> None:
    """Skip on a user's machine; in CI a missing service is a failure."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(what)


class PostgresServer:
    """A server in a temporary folder; `database` makes a fresh store in a moment."""

    def __init__(self, folder: Path, binaries: Path, *, fsync: bool = False) -> None:
        self.folder, self._binaries, self.port = folder, binaries, free_port()
        self._fsync = "on" if fsync else "off"
        self._call(
            "initdb",
            "-A",
            "trust",
            "--no-sync",
            "-U",
            "penstock",
            "-E",
            "UTF8",
            "--locale-provider=icu",
            "--icu-locale=en-US",
        )
        self.start()

    def start(self) -> None:
        options = (
            f"-c listen_addresses=127.0.0.1 -p {self.port} -c fsync={self._fsync} -c max_connections=400"
            f" -c unix_socket_directories={self.folder}"
        )
        self._call("pg_ctl", "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        self._call("pg_ctl", "-m", "fast", "stop")

    def url(self, database: str) -> str:
        return f"postgresql://penstock@127.0.0.1:{self.port}/{database}"

    def database(self) -> str:
        """Make a database with an empty store in it; give its URL."""
        name = f"t{next(_numbers)}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE template_store")
        return self.url(name)

    def empty_database(self) -> str:
        """Make a database without a store; give its name."""
        name = f"t{next(_numbers)}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE template0")
        return name

    def sql(self, statement: str, database: str = "postgres") -> None:
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement)

    def _call(self, program: str, *words: str) -> None:
        # PostgreSQL refuses to run as root.
        user = ["runuser", "-u", "nobody", "--"] if os.geteuid() == 0 else []
        command = [*user, str(self._binaries / program), "-D", str(self.folder / "data"), *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)


@contextmanager
def postgres(*, fsync: bool = False) -> Iterator[PostgresServer]:
    from penstock.stores.metadata._migrations import prepare_postgres
    from penstock.stores.metadata._postgres import PostgresUrl

    binaries = _postgres_binaries()
    folder = Path(tempfile.mkdtemp(prefix="penstock-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")
    server = PostgresServer(folder, binaries, fsync=fsync)
    try:
        server.sql("CREATE DATABASE template_store")
        prepare_postgres(PostgresUrl(server.url("template_store")), create=True).close()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _postgres_binaries() -> Path:
    try:
        import psycopg  # noqa: F401
        import psycopg_pool  # noqa: F401
    except ImportError:
        missing('needs psycopg; get it with: pip install "penstock[postgres]"')
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    if (on_path := shutil.which("initdb")) is None:
        missing("needs a PostgreSQL server; get it with: apt-get install postgresql")
    return Path(on_path).parent


class MariaServer:
    """A server in a temporary folder, for user root without a password."""

    def __init__(self, folder: Path, program: str) -> None:
        self.folder, self.port = folder, free_port()
        user = ["--user=mysql"] if os.geteuid() == 0 else []
        # Small, and without the kernel's asynchronous I/O, whose slots other servers may hold.
        small = ["--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M"]
        common = [f"--datadir={folder}/data", *small, "--innodb-use-native-aio=0"]
        self._install(["mariadb-install-db", "--no-defaults", *user, *common])
        self._process = subprocess.Popen(
            [
                program,
                "--no-defaults",
                *user,
                *common,
                f"--port={self.port}",
                "--bind-address=127.0.0.1",
                f"--socket={folder}/sock",
                f"--pid-file={folder}/pid",
                f"--log-error={folder}/log",
                "--innodb-flush-log-at-trx-commit=0",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait()

    def _install(self, command: list[str]) -> None:
        options = ["--auth-root-authentication-method=normal", "--skip-test-db"]
        for last in (False, True):  # on a busy machine the first may fail
            done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return
            assert not last, done.stdout + done.stderr
            shutil.rmtree(self.folder / "data", ignore_errors=True)

    def url(self, database: str) -> str:
        return f"mariadb://root@127.0.0.1:{self.port}/{database}"

    def empty_database(self) -> str:
        """Make a database without tables; give its name."""
        name = f"t{next(_numbers)}"
        self.sql(f"CREATE DATABASE {name}")
        return name

    def sql(self, *statements: str, database: str | None = None) -> None:
        import pymysql

        with pymysql.connect(
            host="127.0.0.1", port=self.port, user="root", database=database, autocommit=True
        ) as connection:
            for statement in statements:
                connection.cursor().execute(statement)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)

    def _wait(self) -> None:
        import pymysql

        end = time.monotonic() + 60
        while True:
            try:
                return self.sql("SELECT 1")
            except pymysql.err.OperationalError:
                if time.monotonic() > end or self._process.poll() is not None:
                    raise
                time.sleep(0.1)


@contextmanager
def mariadb() -> Iterator[MariaServer]:
    try:
        import pymysql  # noqa: F401
    except ImportError:
        missing("needs pymysql; get it with: pip install pymysql")
    program = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin")
    if program is None:
        missing("needs a MariaDB server; get it with: apt-get install mariadb-server")
    folder = Path(tempfile.mkdtemp(prefix="penstock-maria-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "mysql")
    try:
        server = MariaServer(folder, program)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def s3() -> Iterator[str]:
    """Start an S3 server; gives its address."""
    try:
        import obstore  # noqa: F401
        from moto.server import ThreadedMotoServer
    except ImportError as error:
        missing(
            f'needs {error.name}; get it with: pip install "penstock[s3]" "moto[s3]" flask-cors'
        )
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


class KafkaServer:
    """librdkafka's own broker, over real connections; a topic has four partitions.

    It keeps 5 MiB of a partition. It has no compaction, no times of offsets, and does not hide
    aborted messages.
    """

    partitions = 4

    def __init__(self) -> None:
        from confluent_kafka import Producer

        self._cluster = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1})
        brokers = self._cluster.list_topics(timeout=10).brokers.values()
        self.address = ",".join(f"{each.host}:{each.port}" for each in brokers)
        self._producer = self.producer()

    def producer(self, **settings):
        from confluent_kafka import Producer

        return Producer({"bootstrap.servers": self.address, "log_level": 0, **settings})

    def topic(self) -> str:
        return f"rides-{next(_numbers)}"

    def send(self, topic: str, *values: bytes | None, partition: int = 0, **more) -> None:
        for value in values:
            self._producer.produce(topic, value, partition=partition, **more)
        self._producer.flush(10)


@contextmanager
def kafka() -> Iterator[KafkaServer]:
    """Start a broker."""
    try:
        import confluent_kafka  # noqa: F401
    except ImportError:
        missing('needs confluent-kafka; get it with: pip install "penstock[kafka]"')
    yield KafkaServer()


class RedisServer:
    """A server in a temporary folder, with both of its files."""

    def __init__(self, folder: Path, program: str) -> None:
        self.folder, self.port, self._program = folder, free_port(), program
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self):
        import redis

        return redis.Redis.from_url(self.url)

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder,
             "--appendonly", "yes", "--save", "3600 1", "--rdbcompression", "no"],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        self._wait()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(30)

    def _wait(self) -> None:
        import redis

        end = time.monotonic() + 30
        while True:
            try:
                with self.client() as client:
                    client.ping()
                    return
            except redis.exceptions.RedisError:
                if time.monotonic() > end or self._process.poll() is not None:
                    raise
                time.sleep(0.05)


@contextmanager
def redis() -> Iterator[RedisServer]:
    """Start a server."""
    try:
        import redis  # noqa: F401
    except ImportError:
        missing('needs redis; get it with: pip install "penstock[redis]"')
    program = shutil.which("redis-server")
    if program is None:
        missing("needs a Redis server; get it with: apt-get install redis-server")
    folder = Path(tempfile.mkdtemp(prefix="penstock-redis-"))
    try:
        server = RedisServer(folder, program)
        try:
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
