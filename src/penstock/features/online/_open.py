"""Online stores by URL; apart from the stores, which are independent."""

from pathlib import Path

from penstock.core import SettingsError
from penstock.features.online._protocol import OnlineStore
from penstock.features.online._redis import RedisOnlineStore
from penstock.features.online._sqlite import SqliteOnlineStore


def open_online(url: str | Path) -> OnlineStore:
    """Return the online store of a URL.

    >>> import tempfile
    >>> type(open_online(f"sqlite:///{tempfile.mkdtemp()}/online.db")).__name__
    'SqliteOnlineStore'

    Args:
        url: ``sqlite:///path``, a path, or ``redis://host:6379/0`` with secrets as ``${NAME}``;
            ``?prefix=shop`` at the end gives all names in Redis a prefix.

    Raises:
        SettingsError: If there is no store for such URLs.
        MissingPackageError: If the package redis is needed and not installed.
    """
    text = str(url)
    scheme, _, rest = text.rpartition("://")
    if scheme in {"", "sqlite"}:
        # sqlite:///online.db is a relative path, sqlite:////var/online.db an absolute one.
        return SqliteOnlineStore(rest.removeprefix("/") if scheme else rest)
    if scheme in {"redis", "rediss"}:
        address, _, prefix = text.partition("?prefix=")
        return RedisOnlineStore(address, prefix=prefix or "penstock")
    raise SettingsError(
        what=f"There is no online store for {scheme}:// URLs.",
        fix="Give sqlite:///path/online.db or redis://host:6379/0.",
    )
