"""Sign-in with an OpenID provider: from a browser's redirect to the session of a person."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.server.openid._openid import WAITS_S as WAITS_S
    from penstock.server.openid._openid import OpenId as OpenId
    from penstock.server.openid._openid import Started as Started
    from penstock.server.openid._settings import ClaimedRole as ClaimedRole
    from penstock.server.openid._settings import OpenIdSettings as OpenIdSettings
    from penstock.server.openid._settings import require_encrypted as require_encrypted

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "ClaimedRole": "_settings",
        "OpenId": "_openid",
        "OpenIdSettings": "_settings",
        "Started": "_openid",
        "WAITS_S": "_openid",
        "require_encrypted": "_settings",
    },
)
