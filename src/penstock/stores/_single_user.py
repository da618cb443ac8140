"""Whether a store belongs to a single person: then the trainer of a model may approve that model."""

from penstock.core import AccessError
from penstock.stores.metadata._protocol import MetadataStore

_SETTING = "single_user"


def is_single_user(metadata: MetadataStore, *, on_server: bool) -> bool:
    """Return whether a single person uses a store.

    Never a store with users. Else the setting decides; without a setting an embedded store has a
    single user, and a store on a server several.

    Args:
        metadata: The store's facts.
        on_server: Whether the store is in a database on a server.
    """
    try:
        if metadata.users.count():
            return False
    except AccessError:  # a server that does not say has users
        return False
    setting = metadata.settings.get(_SETTING)
    return setting == "true" if on_server else setting != "false"
