"""Scheduled pipeline runs: schedules, sensors, partitions, backfill; any number of schedulers."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.scheduling._backfill import Backfill as Backfill
    from penstock.scheduling._backfill import backfill as backfill
    from penstock.scheduling._backfill import choose as choose
    from penstock.scheduling._schedule import CatchUp as CatchUp
    from penstock.scheduling._schedule import Schedule as Schedule
    from penstock.scheduling._scheduler import Scheduler as Scheduler
    from penstock.scheduling._schedules import Schedules as Schedules
    from penstock.scheduling._schedules import check_watched as check_watched
    from penstock.scheduling._schedules import next_due_of as next_due_of
    from penstock.scheduling._schedules import partitions_of as partitions_of
    from penstock.scheduling._triggers import describe_trigger as describe_trigger
    from penstock.scheduling._triggers import is_sensor as is_sensor
    from penstock.scheduling._triggers import require_cron as require_cron

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Backfill": "_backfill",
        "CatchUp": "_schedule",
        "Schedule": "_schedule",
        "Scheduler": "_scheduler",
        "Schedules": "_schedules",
        "backfill": "_backfill",
        "check_watched": "_schedules",
        "choose": "_backfill",
        "is_sensor": "_triggers",
        "require_cron": "_triggers",
        "next_due_of": "_schedules",
        "partitions_of": "_schedules",
        "describe_trigger": "_triggers",
    },
)
