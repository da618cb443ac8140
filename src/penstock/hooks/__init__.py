"""Notifications: events of runs and steps, sent to webhooks and OpenLineage; no event is lost."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.hooks._courier import Attempt as Attempt
    from penstock.hooks._courier import Courier as Courier
    from penstock.hooks._hooks import KINDS as KINDS
    from penstock.hooks._hooks import Hooks as Hooks

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {"Attempt": "_courier", "Courier": "_courier", "Hooks": "_hooks", "KINDS": "_hooks"},
)
