"""Credentials by reference: ``${NAME}`` in a URL or an option is looked up when it is used.

Keys, logs and records hold the reference; a secret that is written out is refused.
"""

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

from penstock.core import ParameterError, SettingsError

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SECRET = re.compile(
    r"(?:password|passwd|passphrase|secret|token|apikey|accesskey|accountkey|sharedkey)$"
    r"|(?:^|[._-])(?:pass|pwd|sig|signature|credential|credentials|key|authorization|key[._-]pem)$",
    re.IGNORECASE,
)
_SHORTEST_SECRET = 4  # hiding "a" would blank every word
# A filter holds for the records of one logger, and for none of those below.
_CLIENT_LOGGERS = (
    "httpx",
    *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")),
)


def resolve_url(url: str) -> str:
    """Return a URL with its references replaced, quoted as parts of a URL.

    Raises:
        SettingsError: If a variable is not set.
    """
    return _REFERENCE.sub(lambda found: quote(_value(found[1]), safe=""), url)


def resolve_options(options: Mapping[str, str]) -> dict[str, str]:
    """Return options with their references replaced.

    >>> os.environ["TOPIC_KEY"] = "k"
    >>> resolve_options({"user": "ada", "password": "${TOPIC_KEY}"})
    {'user': 'ada', 'password': 'k'}

    Raises:
        SettingsError: If a variable is not set.
    """
    return {
        name: _REFERENCE.sub(lambda found: _value(found[1]), str(value))
        for name, value in options.items()
    }


def require_no_secrets(source: str, url: str, options: Mapping[str, str] | None = None) -> None:
    """Check that a URL and options hold references in the place of secrets.

    The message does not show what was written.

    Args:
        source: The class of the source, for the message.
        url: The URL.
        options: Options of the client by name.

    Raises:
        ParameterError: If a secret is written out.
    """
    try:
        parts = urlsplit(url)
        query = dict(parse_qsl(f"{parts.query}&{parts.fragment}", keep_blank_values=True))
        if parts.scheme in {"https", "http"} and parts.username and parts.password is None:
            # A token often stands alone there, and a name without a password signs nobody in.
            query["the URL's user, or token"] = parts.username
        written = {"the URL's password": parts.password or "", **query, **(options or {})}
    except ValueError as error:
        raise ParameterError(
            what=f"The URL of {source} cannot be read: {error}.",
            fix="Write scheme://user@host:port/name.",
        ) from None  # the error's context would show the URL
    for name, value in written.items():
        if (name.startswith("the URL's ") or _SECRET.search(name)) and value:
            if _REFERENCE.fullmatch(str(value)):
                continue
            raise ParameterError(
                what=f"{name} of {source} is written out.",
                why="What a source is stands in step keys, logs and records, where a secret must"
                " not be.",
                fix='Set a variable and refer to it: "${NAME}"; or leave it out and use the'
                " client's own files and variables.",
            )


def without_secrets(text: object, options: Mapping[str, str]) -> str:
    """Return a text, such as a client's error, without what the options' references stand for.

    >>> os.environ["TOPIC_KEY"] = "hush"
    >>> without_secrets("hush is wrong", {"password": "${TOPIC_KEY}"})
    '${TOPIC_KEY} is wrong'
    """
    return hide_references(str(text), *map(str, options.values()))


def hide_references(text: str, *holders: str) -> str:
    """Return a text with references in the place of their values, plain or quoted for a URL.

    >>> os.environ["TOPIC_KEY"] = "s3/cret"
    >>> hide_references("GET /a.csv?key=s3%2Fcret", "https://host/a.csv?key=${TOPIC_KEY}")
    'GET /a.csv?key=${TOPIC_KEY}'

    Args:
        text: The text.
        holders: Texts with references, such as a URL.
    """
    for name in dict.fromkeys(name for holder in holders for name in _REFERENCE.findall(holder)):
        value = os.environ.get(name, "")
        for form in dict.fromkeys((value, quote(value, safe=""), quote(value), quote_plus(value))):
            if len(form) >= _SHORTEST_SECRET:
                text = text.replace(form, f"${{{name}}}")
    return text


@contextmanager
def hidden_in_logs(*holders: str) -> Iterator[None]:
    """Keep what references stand for out of the logs of HTTP clients, which show whole addresses.

    Args:
        holders: Texts with references, such as a URL.
    """

    def hide(record: logging.LogRecord) -> bool:
        text = record.getMessage()
        hidden = hide_references(text, *holders)
        if hidden != text:
            record.msg, record.args = hidden, None
        return True

    loggers = [logging.getLogger(name) for name in _CLIENT_LOGGERS]
    for logger in loggers:
        logger.addFilter(hide)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(hide)


def _value(name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise SettingsError(
            what=f"The variable {name} is not set.",
            why=f"A source refers to it as ${{{name}}}.",
            fix=f"Set it: export {name}=…",
        )
    return value
