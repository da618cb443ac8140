"""REST API of a store: its operations by noun and verb, as the protocols have them, and bytes."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.server.api._app import Authenticate as Authenticate
    from penstock.server.api._app import create_api as create_api
    from penstock.server.api._openapi import describe_api as describe_api

__getattr__, __dir__, __all__ = lazy_exports(
    __name__, {"Authenticate": "_app", "create_api": "_app", "describe_api": "_openapi"}
)
