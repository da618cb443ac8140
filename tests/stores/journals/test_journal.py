"""What a journal has taken is in the store exactly once, however its process ends."""

import json
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from penstock.core import StoreError
from penstock.stores import check_store, open_store, pack_columns, pack_points
from penstock.stores.journals import Journal, damaged_journals, recover_journals
from penstock.stores.journals._records import write_name
from penstock.testing._records import a_run


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        opened.metadata.runs.create(a_run(run_id="r"))
        yield opened


@pytest.fixture
def home(tmp_path) -> Path:
    return tmp_path / "penstock.db-journals"


def values(store, key="loss") -> list[float]:
    return store.metadata.metrics.history("r", key).values.tolist()


def test_a_point_is_in_the_store_after_a_flush(store):
    number = store.journal.series("r", "loss")
    store.journal.append(number, math.nan, 0.5, 7)
    store.journal.append(number, -math.inf, -1, 8)
    store.flush()
    history = store.metadata.metrics.history("r", "loss")
    assert history.steps.tolist() == [-1, 0.5]
    assert [str(value) for value in history.values] == ["-inf", "nan"]
    assert history.times.tolist() == [8, 7]


def test_points_come_into_the_store_by_themselves(store):
    store.journal.append(store.journal.series("r", "loss"), 1.0, 0, 0)
    until = time.monotonic() + 10
    while not values(store) and time.monotonic() < until:
        time.sleep(0.05)
    assert values(store) == [1.0]


def test_a_closed_journal_leaves_no_file_and_can_be_logged_to_again(store, home):
    number = store.journal.series("r", "loss")
    store.journal.append(number, 1.0, 0, 0)
    store.journal.close()
    assert list(home.iterdir()) == []
    store.journal.append(number, 2.0, 1, 0)
    store.journal.close()
    assert values(store) == [1.0, 2.0]
    with store.metadata.database.read() as transaction:
        assert transaction.execute("SELECT * FROM journals").fetchall() == []


def test_many_pages_are_taken_and_removed(store, home):
    number = store.journal.series("r", "loss")
    count = 400_000  # 12.8 MB: more than three pages
    for start in range(0, count, 50_000):
        steps = list(range(start, start + 50_000))
        store.journal.append_records(pack_columns(number, steps, steps, steps))  # type: ignore[arg-type]
    store.flush()
    assert values(store) == list(range(count))
    assert len(list(home.glob("*/*.points"))) == 1


def test_points_of_several_series_are_told_apart(store):
    numbers = tuple(store.journal.series("r", f"m{i}") for i in range(40))
    for step in range(3):
        store.journal.append_records(
            pack_points(numbers, [float(n) for n in numbers], [step] * 40, 0)
        )
        store.journal.append_records(pack_points(numbers[:2], [0.5, 1.5], [step + 10] * 2, 0))
    store.flush()
    assert values(store, "m1") == [1.0] * 3 + [1.5] * 3
    assert values(store, "m39") == [39.0] * 3


def test_points_of_a_run_that_was_removed_are_passed_over(store):
    store.journal.append(store.journal.series("gone", "loss"), 1.0, 0, 0)
    store.journal.append(store.journal.series("r", "loss"), 2.0, 0, 0)
    store.flush()
    assert values(store) == [2.0]


def test_threads_log_at_once_and_nothing_is_lost(store):
    number = store.journal.series("r", "loss")

    def work(thread: int) -> None:
        for place in range(2000):
            store.journal.append(number, float(thread * 2000 + place), place, 0)

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.flush()
    assert sorted(values(store)) == list(range(16_000))


class FailingStore:
    """Metadata that fails when told to, before or after it has done the work."""

    def __init__(self, metadata, *, after: bool) -> None:
        self._metadata, self._after, self.failing = metadata, after, True
        self.metrics = FailingMetrics(self)

    def __getattr__(self, name):
        return getattr(self._metadata, name)


class FailingMetrics:
    """Its metrics."""

    def __init__(self, of: FailingStore) -> None:
        self._of = of

    def append(self, columns, **options) -> None:
        if not self._of.failing or self._of._after:
            self._of._metadata.metrics.append(columns, **options)
        if self._of.failing:
            raise StoreError("The connection is lost.")

    def __getattr__(self, name):
        return getattr(self._of._metadata.metrics, name)


@pytest.mark.parametrize("after", [False, True], ids=["before the commit", "after the commit"])
def test_a_failed_write_is_made_up_for_without_doubling(store, home, after):
    failing = FailingStore(store.metadata, after=after)
    journal = Journal(home, failing)
    number = journal.series("r", "loss")
    journal.append(number, 1.0, 0, 0)
    with pytest.raises(StoreError):
        journal.flush()
    journal.append(number, 2.0, 1, 0)
    failing.failing = False
    journal.flush()
    assert values(store) == [1.0, 2.0]
    journal.close()


def test_what_a_failing_store_leaves_is_stored_by_the_next_process(store, home, caplog):
    failing = FailingStore(store.metadata, after=False)
    journal = Journal(home, failing)
    journal.append(journal.series("r", "loss"), 1.0, 0, 0)
    journal.close()
    assert "wait in" in caplog.text
    assert recover_journals(home, store.metadata) == 1
    assert values(store) == [1.0]
    assert list(home.iterdir()) == []


def test_a_full_disk_is_a_sentence_and_leaves_no_half_page(store, home, monkeypatch):
    number = store.journal.series("r", "loss")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(StoreError, match=r"No space left on device.*Free some space"):
        store.journal.append(number, 1.0, 0, 0)
    assert list(home.glob("*/*.points")) == []
    monkeypatch.undo()
    store.journal.append(number, 2.0, 0, 0)
    store.flush()
    assert values(store) == [2.0]


def test_a_journal_that_cannot_be_removed_is_not_stored_twice(store, home, monkeypatch):
    def failing(*_: object) -> None:
        raise OSError(5, "Input/output error")

    store.journal.append(store.journal.series("r", "loss"), 1.0, 0, 0)
    monkeypatch.setattr(Path, "rename", failing)
    monkeypatch.setattr(Path, "unlink", failing)
    store.journal.close()
    monkeypatch.undo()
    assert len(list(home.iterdir())) == 1
    assert recover_journals(home, store.metadata) == 1
    assert values(store) == [1.0]
    assert list(home.iterdir()) == []


def test_a_journal_in_use_is_left_alone(store, home):
    store.journal.append(store.journal.series("r", "loss"), 1.0, 0, 0)
    assert recover_journals(home, store.metadata) == 0


def test_a_damaged_journal_is_set_aside_and_hinders_nobody(store, home, caplog):
    bad = home / "06h0"
    bad.mkdir(parents=True)
    (bad / "owner").touch()
    (bad / "series").write_text("no json\n")
    (bad / "00000000.points").write_bytes(b"x" * 33)
    store.flush()
    store.flush()
    [(folder, reason)] = damaged_journals(home)
    assert "1 names of metrics cannot be read; 2 points cannot be read" in reason
    assert (folder / "00000000.points").read_bytes() == b"x" * 33
    assert caplog.text.count("is damaged") == 1
    assert [finding.kind for finding in check_store(store=store)] == ["journal"]


def left_behind(store, home, *, name: str = "06h0") -> Path:
    """The journal of a process that was killed: two metrics, ten points each."""
    folder = home / name
    folder.mkdir(parents=True)
    (folder / "owner").touch()
    (folder / "series").write_bytes(write_name(0, "r", "loss") + write_name(1, "r", "acc"))
    whole = np.arange(10.0)
    times = np.zeros(10, np.int64)
    pages = [pack_columns(number, whole, whole + 100 * number, times) for number in (0, 1)]
    (folder / "00000000.points").write_bytes(b"".join(pages))
    return folder


def test_what_can_be_read_of_a_damaged_journal_is_recovered(store, home):
    random = np.random.default_rng(5)
    for trial in range(60):
        folder = left_behind(store, home, name=f"j{trial:02}")
        file = folder / ("series" if trial % 3 == 0 else "00000000.points")
        data = bytearray(file.read_bytes())
        if trial % 2:
            data = data[: random.integers(0, len(data))]
        else:
            for place in random.integers(0, len(data), 3):
                data[place] ^= 1 << int(random.integers(0, 8))
        file.write_bytes(data)
        store.flush()  # raises nothing, whatever is damaged
        assert not folder.exists()
    assert set(store.metadata.runs.get("r").metrics) == {"loss", "acc"}
    assert store.metadata.runs.get("r").missed
    series = store.metadata.metrics.history("r", "acc")
    assert np.isfinite(series.steps).all()


def test_a_journal_of_an_older_penstock_with_a_name_that_cannot_be_stored_is_recovered(store, home):
    folder = left_behind(store, home)
    lines = [["r", "acc/caf\udce9"], ["r", "\N{CJK UNIFIED IDEOGRAPH-8CA8}" * 1000]]
    (folder / "series").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    store.flush()
    names = set(store.metadata.runs.get("r").metrics)
    assert r"acc/caf\udce9" in names
    assert len(names) == 2
    assert damaged_journals(home) == []


def test_a_journal_with_files_of_something_else_is_kept_beside(store, home):
    folder = left_behind(store, home)
    (folder / "notes.txt").write_text("mine")
    store.flush()
    assert values(store) == list(range(10))
    [(aside, reason)] = damaged_journals(home)
    assert "notes.txt" in reason
    assert (aside / "notes.txt").read_text() == "mine"


def test_a_journal_that_cannot_be_read_is_left_to_its_owner(store, home, caplog, monkeypatch):
    folder = left_behind(store, home)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("penstock.stores.journals._recovery._bytes_of", refuse)
    store.flush()
    store.flush()
    assert caplog.text.count("chmod -R u+rwX") == 1
    monkeypatch.undo()
    store.flush()
    assert values(store) == list(range(10))
    assert not folder.exists()


def test_a_journal_that_its_process_removes_meanwhile_is_no_trouble(
    store, home, caplog, monkeypatch
):
    folder = left_behind(store, home)
    aside = folder.with_name("elsewhere")

    def remove_first(path: Path) -> bytes:
        folder.rename(aside)
        return path.read_bytes()

    monkeypatch.setattr("penstock.stores.journals._recovery._bytes_of", remove_first)
    recover_journals(home, store.metadata)
    assert caplog.text == ""
    assert not folder.exists()


LOGGER = """
import os, sys, threading, penstock as ps
run = ps.start_run("r", store=sys.argv[1])
seen = os.open(sys.argv[2], os.O_WRONLY)
print(run.run_id, flush=True)
def log(thread):
    place = 0
    while True:
        run.log_metric(f"m{thread}", place, step=place)
        acknowledged = (place + 1).to_bytes(8, "little")
        os.pwrite(seen, acknowledged, 8 * thread)
        place += 1
for thread in range(3):
    threading.Thread(target=log, args=(thread,)).start()
"""


@pytest.mark.slow
@pytest.mark.parametrize("wait_ms", [1, 40, 200, 450, 700, 1100])
def test_every_acknowledged_point_survives_kill_9(tmp_path, wait_ms):
    url, seen = f"sqlite:///{tmp_path}/penstock.db", tmp_path / "acknowledged"
    seen.write_bytes(bytes(24))
    worker = subprocess.Popen(
        [sys.executable, "-c", LOGGER, url, seen], stdout=subprocess.PIPE, text=True
    )
    run_id = worker.stdout.readline().strip()
    while not any(seen.read_bytes()):
        assert worker.poll() is None
        time.sleep(0.005)
    time.sleep(wait_ms / 1000)
    worker.kill()
    worker.wait()
    last = [int.from_bytes(seen.read_bytes()[8 * i : 8 * i + 8], "little") for i in range(3)]
    started = time.monotonic()
    with open_store(url) as store:
        assert time.monotonic() - started < 20
        for thread, acknowledged in enumerate(last):
            points = store.metadata.metrics.history(run_id, f"m{thread}").values.tolist()
            assert points == list(range(len(points)))  # each once, in order, none left out
            assert len(points) >= acknowledged
    assert list((tmp_path / "penstock.db-journals").iterdir()) == []


RECOVERER = """
import os, sys, penstock.stores.metadata._metrics as metrics
append = metrics.SQLMetricStore.append
def die(self, *args, **options):
    if sys.argv[2] == "after":
        append(self, *args, **options)
    os.kill(os.getpid(), 9)
metrics.SQLMetricStore.append = die
import penstock as ps
ps.open_store(sys.argv[1])
"""
LEAVER = """
import os, sys, penstock as ps
run = ps.start_run("r", store=sys.argv[1])
run.log_metrics({f"m{i}": i for i in range(50)}, step=1)
for i in range(30_000): run.log_metric("loss", i)
print(run.run_id, flush=True)
os._exit(1)
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_recovery_that_is_killed_is_made_up_for_without_doubling(tmp_path, when):
    url = f"sqlite:///{tmp_path}/penstock.db"
    left = subprocess.run(
        [sys.executable, "-c", LEAVER, url], stdout=subprocess.PIPE, text=True, check=False
    )
    killed = subprocess.run([sys.executable, "-c", RECOVERER, url, when], check=False)
    assert killed.returncode == -signal.SIGKILL
    with open_store(url) as store:
        points = store.metadata.metrics.history(left.stdout.strip(), "loss")
        assert points.values.tolist() == list(range(30_000))


def test_several_recover_at_once_and_nothing_doubles(tmp_path):
    url = f"sqlite:///{tmp_path}/penstock.db"
    left = subprocess.run(
        [sys.executable, "-c", LEAVER, url], stdout=subprocess.PIPE, text=True, check=False
    )
    code = f"import penstock as ps; ps.open_store({url!r})"
    openers = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]
    assert [opener.wait() for opener in openers] == [0] * 4
    with open_store(url) as store:
        assert len(store.metadata.metrics.history(left.stdout.strip(), "loss")) == 30_000


def test_a_forked_child_logs_to_a_journal_of_its_own(store):
    number = store.journal.series("r", "loss")
    store.journal.append(number, 1.0, 0, 0)
    child = os.fork()
    if not child:
        code = 1
        try:
            store.journal.append(number, 2.0, 1, 0)
            store.journal.append(store.journal.series("r", "of the child"), 3.0, 0, 0)
            code = 0
        finally:
            os._exit(code)  # no farewell: what it logged is found by the parent
    store.journal.append(number, 4.0, 2, 0)
    assert os.waitpid(child, 0)[1] == 0
    store.flush()
    assert values(store) == [1.0, 2.0, 4.0]
    assert values(store, "of the child") == [3.0]


def test_a_journal_is_the_parents_while_a_child_outlives_a_dead_sibling(store, home):
    store.journal.append(store.journal.series("r", "loss"), 1.0, 0, 0)
    child = os.fork()
    if not child:
        os._exit(recover_journals(home, store.metadata))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0  # the parent lives: none is dead


def _log_in_child(url: str, run_id: str, value: float) -> None:
    import penstock as ps

    ps.get_run(run_id, store=url).log_metric("loss", value)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_worker_processes_log_to_the_run_of_their_parent(store, method):
    context = multiprocessing.get_context(method)
    workers = [
        context.Process(target=_log_in_child, args=(store.url, "r", float(value)))
        for value in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    store.flush()
    assert sorted(values(store)) == [0.0, 1.0, 2.0]
