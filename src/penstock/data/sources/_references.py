"""Credentials by reference: ``${NAME}`` in a URL or an option is looked up when it is used.

Keys, logs and records hold the reference; a secret that is written out is refused.
"""

import os
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, urlsplit

from penstock.core import ParameterError, SettingsError

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SECRET = re.compile(
    r"(?:password|passwd|passphrase|secret|token|apikey|accesskey|accountkey|sharedkey)$"
    r"|(?:^|[._-])(?:pass|pwd|sig|signature|credential|credentials|key|authorization|key[._-]pem)$",
    re.IGNORECASE,
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
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        written = {"the URL's password": parts.password or "", **query, **(options or {})}
    except ValueError as error:
        raise ParameterError(
            what=f"The URL of {source} cannot be read: {error}.",
            fix="Write scheme://user@host:port/name.",
        ) from None  # the error's context would show the URL
    for name, value in written.items():
        if (name == "the URL's password" or _SECRET.search(name)) and value:
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
    plain = str(text)
    for value in options.values():
        for name in _REFERENCE.findall(str(value)):
            if secret := os.environ.get(name):
                plain = plain.replace(secret, f"${{{name}}}")
    return plain


def _value(name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise SettingsError(
            what=f"The variable {name} is not set.",
            why=f"A source refers to it as ${{{name}}}.",
            fix=f"Set it: export {name}=…",
        )
    return value
