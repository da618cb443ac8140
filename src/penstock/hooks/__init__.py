"""Notifications: events of runs and steps, sent to webhooks and OpenLineage; no event is lost."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.hooks._courier import Attempt as Attempt
    from penstock.hooks._courier import Courier as Courier
    from penstock.hooks._webhooks import FORMS as FORMS
    from penstock.hooks._webhooks import KINDS as KINDS
    from penstock.hooks._webhooks import Form as Form
    from penstock.hooks._webhooks import Webhooks as Webhooks

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Attempt": "_courier",
        "Courier": "_courier",
        "Webhooks": "_webhooks",
        "FORMS": "_webhooks",
        "Form": "_webhooks",
        "KINDS": "_webhooks",
    },
)
