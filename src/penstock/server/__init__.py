"""HTTP interfaces for people and programs: the store's REST API and the web UI. No logic beyond."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.server._app import create_server as create_server
    from penstock.server._serve import serve_store as serve_store
    from penstock.server.api import describe_api as describe_api
    from penstock.server.openid import ClaimedRole as ClaimedRole
    from penstock.server.openid import OpenIdSettings as OpenIdSettings
    from penstock.server.ui import create_ui as create_ui
    from penstock.server.ui import serve_ui as serve_ui

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "ClaimedRole": "penstock.server.openid",
        "OpenIdSettings": "penstock.server.openid",
        "create_server": "_app",
        "create_ui": "penstock.server.ui",
        "describe_api": "penstock.server.api",
        "serve_store": "_serve",
        "serve_ui": "penstock.server.ui",
    },
)
