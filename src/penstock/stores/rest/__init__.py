"""The store over HTTP: operations as read from the protocols, their JSON form, and the client."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.stores.rest._errors import error_from_json as error_from_json
    from penstock.stores.rest._errors import error_to_json as error_to_json
    from penstock.stores.rest._operations import Operation as Operation
    from penstock.stores.rest._operations import operations as operations
    from penstock.stores.rest._rules import RULES as RULES
    from penstock.stores.rest._rules import Rule as Rule
    from penstock.stores.rest._wire import DIGEST as DIGEST
    from penstock.stores.rest._wire import dump_wire as dump_wire
    from penstock.stores.rest._withheld import carries_secrets as carries_secrets
    from penstock.stores.rest._withheld import keep_secret as keep_secret
    from penstock.stores.rest._withheld import require_secrets as require_secrets
    from penstock.stores.rest._withheld import withhold as withhold

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "DIGEST": "_wire",
        "RULES": "_rules",
        "Operation": "_operations",
        "Rule": "_rules",
        "carries_secrets": "_withheld",
        "dump_wire": "_wire",
        "error_from_json": "_errors",
        "error_to_json": "_errors",
        "keep_secret": "_withheld",
        "operations": "_operations",
        "require_secrets": "_withheld",
        "withhold": "_withheld",
    },
)
