"""Notifications: events sent to webhooks, OpenLineage, chats and mail; no event is lost."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.hooks._attempt import Attempt as Attempt
    from penstock.hooks._courier import Courier as Courier
    from penstock.hooks._courier import delivers as delivers
    from penstock.hooks._destination import Destination as Destination
    from penstock.hooks._destination import find_destination as find_destination
    from penstock.hooks._kinds import FORMS as FORMS
    from penstock.hooks._kinds import KINDS as KINDS
    from penstock.hooks._kinds import Form as Form
    from penstock.hooks._recorded import list_run_events as list_run_events
    from penstock.hooks._webhooks import Webhooks as Webhooks

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Attempt": "_attempt",
        "Courier": "_courier",
        "Destination": "_destination",
        "find_destination": "_destination",
        "delivers": "_courier",
        "Webhooks": "_webhooks",
        "FORMS": "_kinds",
        "Form": "_kinds",
        "KINDS": "_kinds",
        "list_run_events": "_recorded",
    },
)
