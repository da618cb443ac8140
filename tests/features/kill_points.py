"""Work of the feature store in a process that is killed at its n-th event, and what is left then.

An event is a call or return, of Python or C code, in a file of penstock.features: between any two
of them, in a transaction, between a commit and its record, lies a point.
"""

import multiprocessing
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import penstock

PLACE = str(Path(penstock.__file__).parent / "features")
START = datetime(2026, 3, 1, tzinfo=UTC)
KEYS, COMMITS = 40, 8
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.features.kill_points", "polars", "deltalake", "penstock.features.views"])  # fmt: skip


def run(work, *args, kill_at=None):
    """Run work in a process of its own.

    Returns:
        The number of events and what the work returned; None if it was killed.
    """
    ours, theirs = _context.Pipe()
    process = _context.Process(target=_counted, args=(theirs, kill_at, work, args))
    process.start()
    theirs.close()
    try:
        return ours.recv()
    except EOFError:
        process.join()
        assert process.exitcode == -signal.SIGKILL, process.exitcode
        return None
    finally:
        process.join()


def _counted(pipe, kill_at, work, args):
    events = 0

    def watch(frame, *_):
        nonlocal events
        if frame.f_code.co_filename.startswith(PLACE):
            events += 1
            if events == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    prepare, act = work(*args)
    prepare()
    sys.setprofile(watch)
    found = act()
    sys.setprofile(None)
    pipe.send((events, found))


def store_of(folder, online):
    import penstock as ps
    from penstock.features.online import _materialize

    _materialize._BATCH, _materialize._ROWS_AT_ONCE = 30, 60  # many steps for few rows
    return ps.features.FeatureStore(folder, online=online)


def write(folder):
    """Write a history of several commits: late rows, deletes, two views."""
    import numpy as np
    import polars as pl

    import penstock as ps

    card = ps.features.Entity("card", {"card": pl.String})
    view = ps.features.FeatureView("spend", card, {"amount": pl.Float64, "note": pl.String}, available_at=timedelta(0))  # fmt: skip
    features, rng = ps.features.FeatureStore(folder), np.random.default_rng(5)
    features.apply(view)
    for commit in range(COMMITS):
        rows = pl.DataFrame(
            {
                "card": [f"card-{n}." for n in rng.integers(0, KEYS, 50)],
                "event_time": [START + timedelta(hours=int(h)) for h in rng.integers(0, 99, 50)],
                "amount": rng.normal(size=50),
                "note": [f"{commit}" for _ in range(50)],
            }
        )
        features.write(view, rows[:45])
        features.delete(view, rows[45:].select("card", "event_time"))


def written(folder):
    return lambda: None, lambda: write(folder)


def loaded(folder, online):
    """Materialize from nothing."""
    store = store_of(folder, online)

    def empty():
        store.online.clear("spend")
        store.online.clear("spend~rebuilding")

    return empty, lambda: store.materialize("spend").version


def resumed(folder, online):
    """Materialize what is left, and return the digest."""
    store = store_of(folder, online)

    def act():
        store.materialize("spend")
        return store.digest_online("spend")

    return lambda: None, act


def rebuilt(folder, online, *, anew=True):
    """Rebuild what is complete; anew, or from where the last one was killed."""
    store = store_of(folder, online)

    def complete():
        store.materialize("spend")
        if anew:
            store.online.clear("spend~rebuilding")

    return complete, lambda: store.materialize("spend", rebuild=True).rows


def continued(folder, online):
    return rebuilt(folder, online, anew=False)


def seen(folder, online):
    """Return progress, digest, and keys whose entry is older than progress says."""
    from penstock.features.online import MemoryOnlineStore
    from penstock.features.views import RowCodec

    store = store_of(folder, online)

    def act():
        progress = store.online.read_progress("spend")
        if progress is None:
            return None, store.digest_online("spend"), []
        history = store.history("spend")
        least = MemoryOnlineStore()
        least.put("spend", RowCodec(history.view).encode(history.scan(version=progress.version).collect()))  # fmt: skip
        there = dict(store.online.scan("spend"))
        behind = [key for key, entry in least.scan("spend") if key not in there or there[key] < entry]  # fmt: skip
        return progress.version, store.digest_online("spend"), behind

    return lambda: None, act


def erased(folder, online, key):
    """Erase a key."""
    store = store_of(folder, online)
    return lambda: store.materialize("spend"), lambda: store.erase({"card": key}).to_json()


def others(folder, online, key):
    """Return the digest of all other rows of the history, and whether the key is online."""
    import polars as pl

    from penstock.features.online._digest import digest_entries
    from penstock.features.online._erasure import _others

    store = store_of(folder, online)

    def act():
        history, keys = store.history("spend"), pl.DataFrame({"card": [key]})
        newest = history.version().version
        status = store.get_online("spend", {"card": key}).statuses["spend"][0]
        return digest_entries(_others(history, newest, keys)), str(status)

    return lambda: None, act
