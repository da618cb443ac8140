"""The command line as a user calls it: in a process of its own, in an empty project folder.

That process is forked from one whose libraries are loaded: see `tests.warm`.
"""

import compileall
import fcntl
import gc
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # tests import from `tests`
from tests import hunting, rewriting, services, warm

import penstock
from penstock.core import tls_context

# Test workers share few cores: threads that spin for work would only fight.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("KERAS_BACKEND", "torch")  # the framework that is installed
# Hundreds of tests start a run; those about its provenance ask for it.
os.environ.setdefault("PENSTOCK_PROVENANCE", "off")

# A shell's background commands ignore Ctrl-C, and what they start does, too: some tests press it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

hunting.load_profile()

SHARED = Path(__file__).parents[2] / "shared" / "data"


@dataclass
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Shell:
    """Calls `penstock` in a folder."""

    folder: Path

    def __call__(self, *words: object, code: int | None = 0, env: dict | None = None) -> Answer:
        environment = self.environment(env)
        done = subprocess.run(
            [*warm.command(environment), *map(str, words)],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        answer = Answer(done.returncode, done.stdout, done.stderr)
        if code is not None:
            assert answer.code == code, (
                f"{words}: {answer.code}\n{answer.out[-3000:]}\n{answer.err[-3000:]}"
            )
        assert "Traceback" not in answer.err, answer.err[-3000:]
        return answer

    @staticmethod
    def environment(extra: dict | None = None) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PENSTOCK_")}
        kept.pop("PYTHONHASHSEED", None)
        return {**kept, **(extra or {})}

    @contextmanager
    def serving(self, *models: str) -> Iterator[httpx.Client]:
        """`penstock serve` on a free port, until the block ends."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        environment = self.environment()
        command = [*warm.command(environment), "serve", *models, "--port", str(port)]
        with (self.folder / "serve.log").open("wb") as log:
            server = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=log, stderr=log
            )
            try:
                with httpx.Client(
                    base_url=f"http://127.0.0.1:{port}", timeout=20, verify=tls_context("http:")
                ) as client:
                    self._wait(server, client)
                    yield client
            finally:
                server.terminate()
                server.wait(timeout=20)

    def _wait(self, server: subprocess.Popen, client: httpx.Client) -> None:
        for _ in range(600):
            assert server.poll() is None, (self.folder / "serve.log").read_text()
            try:
                if client.get("/v2/health/ready").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        pytest.fail("the server did not become ready: " + (self.folder / "serve.log").read_text())


SLOW = frozenset(
    line
    for line in (Path(__file__).parent / "slow.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
)
_A_TEST = re.compile(r"^(?:async )?def (test_\w+)", re.MULTILINE)
_ALL_SLOW = re.compile(r"^pytestmark = pytest\.mark\.slow\b", re.MULTILINE)
_SLOW_FILES = {line.partition("::")[0] for line in SLOW}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out files of which no test is chosen: each worker would import them."""
    if not collection_path.match("test_*.py"):
        return None
    name = collection_path.relative_to(Path(__file__).parents[1]).as_posix()
    text = collection_path.read_text(encoding="utf-8")
    match config.option.markexpr:
        case "slow":
            is_chosen = name in _SLOW_FILES or "mark.slow" in text
        case "not slow":
            tests = {f"{name}::{test}" for test in _A_TEST.findall(text)}
            all_slow = tests and tests <= SLOW and "class Test" not in text
            is_chosen = not (all_slow or _ALL_SLOW.search(text))
        case _:
            is_chosen = True
    return None if is_chosen else True


def pytest_configure(config: pytest.Config) -> None:
    """Keep the state folder of whoever runs the tests as it is; the workers inherit this one."""
    if hasattr(config, "workerinput"):
        return
    folder = tempfile.TemporaryDirectory(prefix="penstock-state-", ignore_cleanup_errors=True)
    os.environ["XDG_STATE_HOME"] = folder.name
    config.add_cleanup(folder.cleanup)
    # Where PYTHONDONTWRITEBYTECODE is set, each of the thousand commands that tests start would
    # compile the package again: half of its time.
    compileall.compile_dir(Path(penstock.__file__).parent, quiet=2)
    if getattr(config.option, "numprocesses", None):
        rewriting.rewrite_ahead(config)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Keep what pytest rewrites for the next run."""
    with rewriting.keeping_bytecode():
        return (yield)


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow. In a hunt the order is drawn too: a round that the clock ends has looked
    somewhere else.
    """
    for item in items:
        if item.nodeid.partition("[")[0] in SLOW:
            item.add_marker(pytest.mark.slow)
    if hunting.HUNTING:
        random.Random(hunting.SEED).shuffle(items)


def pytest_collection_finish() -> None:
    """Keep what collecting has made out of the collector's sight: each full pass over the modules of
    the whole suite, torch and its like among them, took a second, in whichever test it fell.
    """
    gc.collect()
    gc.freeze()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Write down what each test costs, its children's time included, if that is asked for."""
    before = sum(os.times()[:4]) + warm.used()
    yield
    if costs := os.environ.get("PENSTOCK_COSTS"):
        spent = sum(os.times()[:4]) + warm.used() - before
        with Path(costs).open("a", encoding="utf-8") as file:
            file.write(f"{spent:.2f} {item.nodeid}\n")


@pytest.hookimpl(trylast=True)  # after the letter of the test
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Tell of a failure as it is found, for the case that the clock ends a hunt, or CI."""
    if not report.failed or os.environ.get("PYTEST_XDIST_WORKER"):
        return
    if os.environ.get("CI"):
        print(f"\n{report.nodeid} failed:\n{report.longreprtext}", flush=True)
    if found := os.environ.get("PENSTOCK_FOUND"):
        with Path(found).open("a", encoding="utf-8") as file:
            file.write(f"{report.nodeid}\n")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Tell how the process of a test worker that crashed has ended: a signal, or a code."""
    process = getattr(getattr(node.gateway, "_io", None), "popen", None)
    if error and process:
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        print(f"\n{node.gateway.id} has ended with {process.returncode}: {error}", flush=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI everything is there: a test that is skipped has not been run, and that is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if os.environ.get("CI") and skipped and session.exitstatus == pytest.ExitCode.OK:
        reporter.write_line(f"CI skips nothing, and {len(skipped)} were skipped", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


_staying: dict[str, Any] = {}  # modules of no test's project


@pytest.fixture
def one_cluster() -> Iterator[None]:
    """Let one Ray cluster of several nodes run at a time: two starve each other's health checks."""
    with (Path(tempfile.gettempdir()) / "penstock-one-cluster.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(autouse=True)
def _forget_projects():
    """Modules of a test's own project must not be found by the next test."""
    yield
    rooms = str(Path(tempfile.gettempdir()) / "pytest-of-")
    if sys.modules != _staying:  # thousands: compared at once, and looked at where one differs
        for name, module in list(sys.modules.items()):
            if _staying.get(name) is module:
                continue
            if str(getattr(module, "__file__", None) or "").startswith(rooms):
                del sys.modules[name]
            else:
                _staying[name] = module
        for name in _staying.keys() - sys.modules.keys():
            del _staying[name]
    sys.path[:] = [folder for folder in sys.path if not folder.startswith(rooms)]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    (tmp_path / "pyproject.toml").write_text("")
    return Shell(tmp_path)


@pytest.fixture(scope="session")
def real_table() -> Callable[[str], Path]:
    """Find a real table beside the project; CI has them, a user's machine may not."""

    def find(name: str) -> Path:
        path = SHARED / name
        if not path.is_file():
            stop = pytest.fail if os.environ.get("CI") else pytest.skip
            stop(f"needs the real table {name} in {SHARED}; see its SOURCES.md")
        return path

    return find


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[services.PostgresServer]:
    """A real PostgreSQL, one for each test worker."""
    with services.postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: services.PostgresServer) -> str:
    """A fresh store in PostgreSQL."""
    return postgres_server.database()


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[services.MariaServer]:
    """A real MariaDB, one for each test worker."""
    with services.mariadb() as server:
        yield server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """A real S3 server, one for each test worker; its address."""
    with services.s3() as address:
        yield address


@pytest.fixture(scope="session")
def kafka_server() -> Iterator[services.KafkaServer]:
    """A real broker, one for each test worker."""
    with services.kafka() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[services.RedisServer]:
    """A real Redis, one for each test worker."""
    with services.redis() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: services.RedisServer) -> str:
    """An empty Redis."""
    with redis_server.client() as client:
        client.flushall()
    return redis_server.url


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket, and an environment that leads to it."""
    for name, value in {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ACCESS_KEY_ID": "tester",
        "AWS_SECRET_ACCESS_KEY": "very-secret",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    name = f"bucket-{uuid.uuid4().hex}"
    httpx.put(f"{s3_server}/{name}", verify=tls_context(s3_server)).raise_for_status()
    return name


_STATES: dict[str, dict] = {}


@pytest.fixture(autouse=True)
def _the_same_random_numbers(request):
    """Set a module's generator back: what a test draws must not depend on those before it."""
    for name in ("RNG", "RANDOM"):
        generator = getattr(request.module, name, None)
        if generator is not None:
            place = f"{request.module.__name__}.{name}"
            _STATES.setdefault(place, generator.bit_generator.state)  # as the module left it
            generator.bit_generator.state = _STATES[place]
