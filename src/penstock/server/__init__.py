"""HTTP interfaces for people and programs; today the read-only web UI. No logic beyond that."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.server.ui import create_ui as create_ui
    from penstock.server.ui import serve_ui as serve_ui

__getattr__, __dir__, __all__ = lazy_exports(
    __name__, {"create_ui": "penstock.server.ui", "serve_ui": "penstock.server.ui"}
)
