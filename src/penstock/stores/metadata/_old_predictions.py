"""Retention of the prediction log; separate from the rest of gc, which follows references."""
# ruff: noqa: S608 - statements are made of our own names; values are always bound

from penstock.stores.metadata._codec import to_micros
from penstock.stores.metadata._database import Database
from penstock.stores.metadata._deployments import read_rollout

_AT_ONCE = 5_000


def old_predictions(
    database: Database, before: int | None, keep_last: int | None, *, delete: bool
) -> dict[str, int]:
    """Count, by deployment, the predictions that are older or beyond the newest; or delete them.

    Predictions that a running rollout is judged by stay.

    Args:
        database: Database of the predictions.
        before: Delete predictions before this time; None for no such limit.
        keep_last: Number of predictions of each deployment that stay; None for no such limit.
        delete: Whether to delete them.
    """
    counts = {}
    for name, upto in _oldest_kept(database, before, keep_last).items():
        condition = "deployment = ? AND at < ?"
        if delete:
            counts[name] = _delete(database, condition, (name, upto))
        else:
            with database.read() as transaction:
                sql = f"SELECT COUNT(*) FROM predictions WHERE {condition}"
                counts[name] = int(transaction.execute(sql, (name, upto)).fetchone()[0])
    return {name: count for name, count in counts.items() if count}


def _oldest_kept(database: Database, before: int | None, keep_last: int | None) -> dict[str, int]:
    """Return, by deployment, the time before which predictions are deleted."""
    if before is None and keep_last is None:
        return {}
    limits = {}
    with database.read() as transaction:
        names = transaction.execute("SELECT DISTINCT deployment FROM predictions").fetchall()
        for (name,) in names:
            bounds = [] if before is None else [before]
            if keep_last is not None:
                newest = transaction.execute(
                    "SELECT at FROM predictions WHERE deployment = ?"
                    " ORDER BY at DESC LIMIT 1 OFFSET ?",
                    (name, keep_last - 1),
                ).fetchone()
                bounds += [int(newest[0])] if newest else []
            if bounds:
                limits[str(name)] = max(bounds)
        for name, text in transaction.execute(
            "SELECT name, rollout FROM deployments WHERE rollout IS NOT NULL"
        ).fetchall():
            rollout = read_rollout(text)
            if name in limits and rollout.is_open:
                limits[name] = min(limits[name], to_micros(rollout.started_at))
    return limits


def _delete(database: Database, condition: str, values: tuple[str, int]) -> int:
    """Delete in batches, so that a server never waits long for a turn to write."""
    some = f"SELECT id FROM predictions WHERE {condition} LIMIT {_AT_ONCE}"
    removed = 0
    while True:
        with database.write() as transaction:
            count = transaction.execute(
                f"DELETE FROM predictions WHERE id IN ({some})", values
            ).rowcount
        removed += count
        if count < _AT_ONCE:
            return removed
