"""Server-rendered pages over a store: state in the URL, readable without JavaScript, GET only."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.server.ui._app import create_ui as create_ui
    from penstock.server.ui._serve import serve_ui as serve_ui

__getattr__, __dir__, __all__ = lazy_exports(__name__, {"create_ui": "_app", "serve_ui": "_serve"})
