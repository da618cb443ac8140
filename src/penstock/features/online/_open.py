"""Online stores by URL; apart from the stores, of which none knows another."""

from pathlib import Path

from penstock.core import SettingsError
from penstock.features.online._protocol import OnlineStore
from penstock.features.online._sqlite import SqliteOnlineStore


def open_online(url: str | Path) -> OnlineStore:
    """Return the online store of a URL.

    >>> import tempfile
    >>> type(open_online(f"sqlite:///{tempfile.mkdtemp()}/online.db")).__name__
    'SqliteOnlineStore'

    Args:
        url: ``sqlite:///path`` or a path.

    Raises:
        SettingsError: If there is no store for such URLs.
    """
    scheme, _, rest = str(url).rpartition("://")
    if scheme in {"", "sqlite"}:
        # sqlite:///online.db is a relative path, sqlite:////var/online.db an absolute one.
        return SqliteOnlineStore(rest.removeprefix("/") if scheme else rest)
    raise SettingsError(
        what=f"There is no online store for {scheme}:// URLs.",
        fix="Give sqlite:///path/online.db.",
    )
