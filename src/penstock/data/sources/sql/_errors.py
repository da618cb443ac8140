"""Errors of database drivers as sentences: what happened, why, and what to do, without secrets."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from penstock.core import DataError, NotFoundError, PenstockError, did_you_mean
from penstock.data.sources.sql._address import SqlAddress

_NOISE = re.compile(
    r"^(?:[A-Z_]+: )?(?:\[libpq\] )?(?:Failed to (?:connect|prepare query|execute query(?: '.*')?):\s*)?"
    r"|\s*(?:\.? SQLSTATE: \w+|LINE \d+:.*|Query was:.*|\(Background on this error.*|\[SQL:.*)$",
    re.DOTALL,
)
_NUMBERED = re.compile(r"\(\d+, [\"'](.*)[\"']\)", re.DOTALL)
_QUOTED = re.compile(r"(?:Table with name |[\"'`])([^\"'` ]+)(?: does|[\"'`])")
_MOST_WORDS = 300


class _Cause(NamedTuple):
    signs: str
    what: str
    fix: str


_CAUSES = (
    _Cause(
        r"password authentication failed|no password supplied|access denied for user|login failed"
        r"|authentication failed|role \"[^\"]*\" does not exist|SQLSTATE: 28",
        "{place} refused the user.",
        "Check the user and the variable that the URL refers to, as ${{PG_PASSWORD}}.",
    ),
    _Cause(
        r"could not translate host name|name or service not known|getaddrinfo|unknown host"
        r"|connection refused|can't connect to|timeout expired|timed out|no route to host"
        r"|network is unreachable|unable to connect",
        "{place} cannot be reached.",
        "Check host and port in the URL, and that the server runs.",
    ),
    _Cause(
        r"database \"[^\"]*\" does not exist|unknown database|cannot open database",
        "The server has no database {database!r}.",
        "Check the name at the end of the URL.",
    ),
    _Cause(
        r"permission denied|command denied|SQLSTATE: 42501|not authorized",
        "{place} does not allow this user to read {title}.",
        "Let an administrator grant it: GRANT SELECT ON … TO ….",
    ),
    _Cause(
        r"read-only transaction|read only transaction|readonly database|read-only mode"
        r"|SQLSTATE: 25006|data-modifying statement",
        "The statement would write to {place}.",
        "A source only reads: write one SELECT without FOR UPDATE, and without functions that write.",
    ),
    _Cause(
        r"lock timeout|database is locked|could not set lock|lock wait timeout|SQLSTATE: 55P03"
        r"|conflicting lock",
        "{place} is locked by another process.",
        "Wait until it has finished, or read a copy.",
    ),
    _Cause(
        r"server closed the connection|terminating connection|connection (?:was )?(?:lost|reset)"
        r"|lost connection|gone away|no connection to the server|broken pipe|eof detected"
        r"|SQLSTATE: 57P|SQLSTATE: 08|connection not open|could not receive data",
        "{place} ended the connection while {title} was read.",
        "Run again when the server is there; nothing was stored.",
    ),
    _Cause(
        r"file system operations are disabled|external access",
        "The query reads files outside of {place}.",
        "Read files with FileSource: their state is known then.",
    ),
    _Cause(
        r"invalid connection option|invalid URI query parameter|invalid \w+ value"
        r"|connection option \"|unexpected keyword argument|does not support SSL",
        "The address of {place} has a part that the client does not take.",
        "Correct host, port and options in the URL.",
    ),
    _Cause(
        r"duplicate column name|ambiguous column",
        "{title} has more than one column of a name.",
        "Give each its own: SELECT a.id AS a_id, b.id AS b_id.",
    ),
    _Cause(
        r"snapshot .* does not exist|invalid snapshot identifier",
        "The shared snapshot of {place} has ended.",
        "Read with partitions=1: a pooler may not keep a transaction on one connection.",
    ),
    _Cause(
        r"not a database|unable to open database|not a valid duckdb",
        "{place} is no {kind} file.",
        "Check the path and the kind in the URL.",
    ),
)
_NO_TABLE = re.compile(
    r"(?:relation|table)[^\n]{0,60}(?:does not exist|doesn't exist)|no such table|SQLSTATE: 42P01"
    r"|invalid object name",
    re.IGNORECASE,
)
_NO_COLUMN = re.compile(
    r"column .{0,80}(?:does not exist|not found)|no such column|unknown column|SQLSTATE: 42703"
    r"|invalid column name",
    re.IGNORECASE,
)


def failed(
    error: Exception, address: SqlAddress, title: str, tables: Callable[[], list[str]]
) -> PenstockError:
    """Return the error of a driver in sentences.

    Args:
        error: The driver's error.
        address: The database; its secrets are taken out of the text.
        title: What was read, for people.
        tables: Lists the tables, for a hint.
    """
    full = address.hide(str(getattr(error, "orig", None) or error))
    words = said(full)
    why = f"{address.kind.title} says: {words}." if words else ""
    facts: dict[str, Any] = {
        "place": address.place,
        "database": address.database,
        "kind": address.kind.title,
        "title": title or "the rows",
    }
    for cause in _CAUSES:
        if re.search(cause.signs, full, re.IGNORECASE):
            what = cause.what.format(**facts)
            return DataError(what=what[0].upper() + what[1:], why=why, fix=cause.fix.format())
    for pattern, noun in ((_NO_TABLE, "table"), (_NO_COLUMN, "column")):
        if pattern.search(full):
            return _not_there(noun, words, why, facts, tables)
    return DataError(
        what=f"{address.place} could not give {facts['title']}.",
        why=why,
        fix="Run the statement in the database's own client to see where it fails.",
    )


def said(text: str) -> str:
    """Return the driver's words on one line, without its frame.

    >>> said('IO: [libpq] Failed to connect: FATAL:  role "ada" does not exist')
    'role "ada" does not exist'
    """
    plain = _NOISE.sub("", text.strip())
    if pair := _NUMBERED.fullmatch(plain):
        plain = pair[1]
    plain = re.sub(r"^.*?(?:ERROR|FATAL):\s+", "", plain, flags=re.DOTALL)
    plain = re.split(r"\s*\n\s*(?:Is the server|LINE \d+|Query was)", plain)[0]
    return " ".join(plain.split())[:_MOST_WORDS].rstrip(".? ")


def _not_there(
    noun: str, words: str, why: str, facts: dict[str, Any], tables: Callable[[], list[str]]
) -> NotFoundError:
    found = _QUOTED.search(words)
    name = found[1].rpartition(".")[2] if found else words.rpartition(":")[2].strip()
    hint = did_you_mean(name, tables()) if noun == "table" else ""
    return NotFoundError(
        what=f"{facts['title'][0].upper()}{facts['title'][1:]} of {facts['place']} names the {noun} {name!r}, which does not exist.",
        why=why,
        fix=hint or "Correct the name in query=.",
    )
