"""Test files are rewritten once, not by each worker: pytest rewrites their assertions, for seconds.

pytest keeps what it has rewritten, but workers that begin together each find nothing yet; and where
PYTHONDONTWRITEBYTECODE is set it keeps nothing.
"""

import multiprocessing
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from _pytest.assertion import rewrite


@contextmanager
def keeping_bytecode() -> Iterator[None]:
    """Let pytest keep what it rewrites, whatever the environment says."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def rewrite_ahead(config: pytest.Config) -> None:
    """Rewrite the test files of a run that workers share, as the first of them would."""
    places = [Path(each.partition("::")[0]) for each in config.args]
    files = {
        file
        for place in places
        for file in ([place] if place.is_file() else place.rglob("test_*.py"))
    }
    stale = sorted(file.resolve() for file in files if rewrite._read_pyc(file, _kept(file)) is None)
    if not stale:
        return
    with multiprocessing.get_context("fork").Pool(os.cpu_count(), _begin, [config]) as pool:
        pool.map(_rewrite, stale, chunksize=4)


def _kept(file: Path) -> Path:
    return rewrite.get_cache_dir(file) / f"{file.stem}{rewrite.PYC_TAIL}"


_config: list[pytest.Config] = []  # of this process of the pool


def _begin(config: pytest.Config) -> None:
    _config[:] = [config]


def _rewrite(file: Path) -> None:
    [config] = _config
    kept = _kept(file)
    kept.parent.mkdir(parents=True, exist_ok=True)
    digest, code = rewrite._rewrite_test(file, config)
    rewrite._write_pyc(config.stash[rewrite.assertstate_key], code, digest, kept)
