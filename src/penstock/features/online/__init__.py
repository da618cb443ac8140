"""Online stores: the winner of each key, for answers in a millisecond."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.features.online._memory import MemoryOnlineStore as MemoryOnlineStore
    from penstock.features.online._protocol import OnlineStore as OnlineStore
    from penstock.features.online._reading import read_online as read_online

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "MemoryOnlineStore": "_memory",
        "OnlineStore": "_protocol",
        "read_online": "_reading",
    },
)
