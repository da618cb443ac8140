"""The as-of rule by brute force, row by row: the oracle of joins and of online stores."""


def answer(rows, key, at, *, ttl=None, as_of="<=", event_time_only=False):
    """Return the winner's row of a key at a time, or None.

    Args:
        rows: Dicts with key, event_time, available_at, seq, is_deleted.
        key: The value of ``key``.
        at: The time, in the unit of the rows' times.
        ttl: Maximum age.
        as_of: Whether a row of exactly that time counts.
        event_time_only: Whether ``available_at`` is ignored.
    """

    def is_known(row):
        times = [row["event_time"]] if event_time_only else [row["event_time"], row["available_at"]]
        return all(each <= at if as_of == "<=" else each < at for each in times)

    known = [row for row in rows if row["key"] == key and is_known(row)]
    if ttl is not None:
        known = [row for row in known if at - row["event_time"] <= ttl]
    best = max(
        known, key=lambda row: (row["event_time"], row["available_at"], row["seq"]), default=None
    )
    return None if best is None or best["is_deleted"] else best
