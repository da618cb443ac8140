"""RedisOnlineStore: an online store that several machines share; compares in Redis, by a script."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from penstock.core import StoreError, require, summarize_error
from penstock.data.sources import resolve_url
from penstock.features.online._protocol import NOTHING, Entry, Progress

if TYPE_CHECKING:
    import polars as pl

_AT_ONCE = 500
_PIPELINED = 20
_ORDER = 24
_SCRUB_S = 600

# Strings in Lua compare by the server's locale: the bytes are compared one by one.
_PUT = """
local function larger(a, b)
  for i = 1, 24 do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x > y end
  end
  return false
end
local changed = 0
for i = 1, #ARGV, 2 do
  local known = redis.call('HGET', KEYS[1], ARGV[i])
  if not known or larger(ARGV[i + 1], known) then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
    changed = changed + 1
  end
end
return changed
"""
_ADVANCE = """
local known = redis.call('HMGET', KEYS[1], 'table', 'version')
local reached = tonumber(known[2] or '-1')
local same = not known[1] or known[1] == ARGV[1]
if same and tonumber(ARGV[4]) <= reached and reached <= tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], 'table', ARGV[1], 'version', ARGV[2], 'definition', ARGV[3])
end
"""
_REPLACE = """
local reached = redis.call('HGET', KEYS[4], 'version')
if not reached or tonumber(reached) < tonumber(ARGV[1]) then return 0 end
redis.call('UNLINK', KEYS[1])
if redis.call('EXISTS', KEYS[3]) == 1 then redis.call('RENAME', KEYS[3], KEYS[1]) end
redis.call('RENAME', KEYS[4], KEYS[2])
return 1
"""


class RedisOnlineStore:
    """An OnlineStore in Redis, with a hash for each view.

    Threads and processes: any number, on any machine. State after a crash of Redis depends on the
        persistence; lost entries are materialized again, for progress is written after the entries.

    Args:
        url: ``redis://host:6379/0``, ``rediss://`` with TLS; secrets as ``${NAME}``.
        prefix: Begin of all names, so that several projects share a database.

    Raises:
        MissingPackageError: If the package redis is not installed.
    """

    def __init__(self, url: str, *, prefix: str = "penstock") -> None:
        self._given, self._prefix = url, prefix
        redis = require("redis", extra="redis", purpose="an online store in Redis")
        self._client: Any = redis.Redis.from_url(
            resolve_url(url), socket_connect_timeout=5, socket_timeout=30
        )
        self._failure = redis.exceptions.RedisError
        self._put = self._client.register_script(_PUT)
        self._advance = self._client.register_script(_ADVANCE)
        self._replace = self._client.register_script(_REPLACE)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how a second process connects to the same server."""
        return _connect, (self._given, self._prefix)

    @property
    def url(self) -> str:
        """Where the store is, without user and password."""
        parts = urlsplit(self._given)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    def put(
        self,
        view: str,
        entries: "pl.DataFrame",
        *,
        progress: Progress | None = None,
        after: int = NOTHING,
    ) -> int:
        """Store entries whose sort key is larger, then the progress; see OnlineStore."""
        winners: dict[bytes, bytes] = {}
        for key, order, gone, value in entries.iter_rows():
            entry = order + bytes([gone]) + value
            known = winners.get(key)
            if known is None or order > known[:_ORDER]:
                winners[key] = entry
        changed = 0
        with self._errors():
            for some in _slices(list(winners.items()), _AT_ONCE * _PIPELINED):
                pipe = self._client.pipeline(transaction=False)
                for items in _slices(some, _AT_ONCE):
                    words = [word for item in items for word in item]
                    self._put(keys=[self._entries(view)], args=words, client=pipe)
                changed += sum(pipe.execute())
            if progress is not None:  # only once all entries are there
                words = [progress.table, progress.version, progress.definition, after]
                self._advance(keys=[self._progress(view)], args=words)
        return changed

    def get(self, view: str, keys: Sequence[bytes]) -> list[Entry | None]:
        """Return the entries of keys; see OnlineStore."""
        entries: list[Entry | None] = []
        with self._errors():
            for some in _slices(keys, _AT_ONCE):
                raw = self._client.hmget(self._entries(view), some)
                entries.extend(None if each is None else _entry(each) for each in raw)
        return entries

    def read_progress(self, view: str) -> Progress | None:
        """Return the online part of the view's history; see OnlineStore."""
        with self._errors():
            names = ["table", "version", "definition"]
            table, version, definition = self._client.hmget(self._progress(view), names)
        if table is None:
            return None
        return Progress(table.decode(), int(version), definition.decode())

    def scan(self, view: str) -> Iterator[tuple[bytes, Entry]]:
        """Return the entries of all keys; see OnlineStore."""
        seen: set[bytes] = set()  # Redis may return a key twice
        with self._errors():
            for key, raw in self._client.hscan_iter(self._entries(view), count=_AT_ONCE):
                if key not in seen:
                    seen.add(key)
                    yield key, _entry(raw)

    def remove(self, view: str, keys: Sequence[bytes]) -> int:
        """Remove the entries of keys; see OnlineStore."""
        with self._errors():
            return sum(
                self._client.hdel(self._entries(view), *some) for some in _slices(keys, _AT_ONCE)
            )

    def clear(self, view: str) -> None:
        """Remove all entries of a view, and the view's progress."""
        with self._errors():
            self._client.unlink(self._progress(view), self._entries(view))

    def replace(self, view: str, by: str, version: int) -> bool:
        """Replace a view's entries by those of a second view, in a single script; see OnlineStore."""
        names = [
            each for name in (view, by) for each in (self._entries(name), self._progress(name))
        ]
        with self._errors():
            return bool(self._replace(keys=names, args=[version]))

    def scrub(self) -> None:
        """Let Redis write all files anew, if there are any; see OnlineStore."""
        with self._errors():
            facts = self._client.info("persistence")
            if facts["aof_enabled"]:
                self._client.bgrewriteaof()
                self._wait("aof_rewrite_in_progress", "aof_rewrite_scheduled")
            if facts.get("rdb_saves", 1) or self._client.config_get("save").get("save"):
                self._client.bgsave(schedule=True)
                self._wait("rdb_bgsave_in_progress")
                if self._client.info("persistence")["rdb_last_bgsave_status"] != "ok":
                    raise self._left("BGSAVE failed")

    def close(self) -> None:
        """Close all connections; the store may be used again."""
        self._client.close()

    def _wait(self, *marks: str) -> None:
        end = time.monotonic() + _SCRUB_S
        while True:
            time.sleep(0.05)
            facts = self._client.info("persistence")
            if not any(facts.get(mark) for mark in marks):
                return
            if time.monotonic() > end:
                raise self._left(f"Redis was not done after {_SCRUB_S} s")

    def _left(self, reason: str) -> StoreError:
        return StoreError(
            what=f"Files of Redis at {self.url} may still have removed entries: {reason}.",
            why="They are removed from memory, and from files when Redis writes them anew.",
            fix="Run BGREWRITEAOF and BGSAVE there, then the erasure again.",
        )

    def _entries(self, view: str) -> str:
        # In a cluster a view and its rebuild are in one place: the name in braces decides.
        base, _, rest = view.partition("~")
        return f"{self._prefix}:{{{base}}}:entries{rest and ':' + rest}"

    def _progress(self, view: str) -> str:
        base, _, rest = view.partition("~")
        return f"{self._prefix}:{{{base}}}:progress{rest and ':' + rest}"

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except self._failure as error:
            raise StoreError(
                what=f"The online store {self.url} does not respond: {summarize_error(error)}.",
                why="Features are read from it and written to it.",
                fix="Start Redis, or check address, rights and memory: redis-cli -u URL ping.",
            ) from error


def _connect(url: str, prefix: str) -> RedisOnlineStore:
    return RedisOnlineStore(url, prefix=prefix)


def _entry(raw: bytes) -> Entry:
    return raw[:_ORDER], raw[_ORDER] == 1, raw[_ORDER + 1 :]


def _slices(values: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (values[start : start + size] for start in range(0, len(values), size))
