"""Online stores: the winner of each key, for answers in a millisecond."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.features.online._answer import OnlineFeatures as OnlineFeatures
    from penstock.features.online._answer import answer_online as answer_online
    from penstock.features.online._backfill import FeatureBackfill as FeatureBackfill
    from penstock.features.online._backfill import backfill as backfill
    from penstock.features.online._backfill import split_time as split_time
    from penstock.features.online._digest import digest_online as digest_online
    from penstock.features.online._erasure import ErasedPlace as ErasedPlace
    from penstock.features.online._erasure import Erasure as Erasure
    from penstock.features.online._erasure import FeatureLog as FeatureLog
    from penstock.features.online._erasure import erase_keys as erase_keys
    from penstock.features.online._keys import read_erased as read_erased
    from penstock.features.online._looking_up import LookedUp as LookedUp
    from penstock.features.online._looking_up import look_up as look_up
    from penstock.features.online._materialize import Freshness as Freshness
    from penstock.features.online._materialize import Materialization as Materialization
    from penstock.features.online._materialize import freshness as freshness
    from penstock.features.online._materialize import materialize as materialize
    from penstock.features.online._materialize import view_of as view_of
    from penstock.features.online._memory import MemoryOnlineStore as MemoryOnlineStore
    from penstock.features.online._open import open_online as open_online
    from penstock.features.online._prediction_log import (
        PredictionFeatureLog as PredictionFeatureLog,
    )
    from penstock.features.online._protocol import OnlineStore as OnlineStore
    from penstock.features.online._protocol import Progress as Progress
    from penstock.features.online._push import is_as_materialized as is_as_materialized
    from penstock.features.online._push import push_rows as push_rows
    from penstock.features.online._reading import OnlineStatus as OnlineStatus
    from penstock.features.online._reading import read_online as read_online
    from penstock.features.online._redis import RedisOnlineStore as RedisOnlineStore
    from penstock.features.online._sqlite import SqliteOnlineStore as SqliteOnlineStore

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "PredictionFeatureLog": "_prediction_log",
        "RedisOnlineStore": "_redis",
        "is_as_materialized": "_push",
        "view_of": "_materialize",
        "read_erased": "_keys",
        "erase_keys": "_erasure",
        "push_rows": "_push",
        "split_time": "_backfill",
        "backfill": "_backfill",
        "FeatureBackfill": "_backfill",
        "ErasedPlace": "_erasure",
        "Erasure": "_erasure",
        "FeatureLog": "_erasure",
        "Freshness": "_materialize",
        "LookedUp": "_looking_up",
        "look_up": "_looking_up",
        "Materialization": "_materialize",
        "MemoryOnlineStore": "_memory",
        "OnlineFeatures": "_answer",
        "OnlineStatus": "_reading",
        "OnlineStore": "_protocol",
        "Progress": "_protocol",
        "SqliteOnlineStore": "_sqlite",
        "answer_online": "_answer",
        "digest_online": "_digest",
        "freshness": "_materialize",
        "materialize": "_materialize",
        "open_online": "_open",
        "read_online": "_reading",
    },
)
