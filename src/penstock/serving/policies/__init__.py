"""Evidence -> the next move of a rollout: the policies by which traffic goes to a new version."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.serving.policies._canary import Canary as Canary
    from penstock.serving.policies._evidence import requests_needed as requests_needed
    from penstock.serving.policies._policy import Evidence as Evidence
    from penstock.serving.policies._policy import Move as Move
    from penstock.serving.policies._policy import RequestCounts as RequestCounts
    from penstock.serving.policies._policy import RolloutDecision as RolloutDecision
    from penstock.serving.policies._policy import TrafficPolicy as TrafficPolicy
    from penstock.serving.policies._table import POLICIES as POLICIES
    from penstock.serving.policies._table import policy_of as policy_of

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Canary": "_canary",
        "RequestCounts": "_policy",
        "Evidence": "_policy",
        "Move": "_policy",
        "POLICIES": "_table",
        "RolloutDecision": "_policy",
        "TrafficPolicy": "_policy",
        "policy_of": "_table",
        "requests_needed": "_evidence",
    },
)
