"""``OnlineStoreContract``: the test suite of every online store, built in or a plug-in's."""

import itertools
import random
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from penstock.features.online import MemoryOnlineStore, OnlineStore, Progress, digest_online

if TYPE_CHECKING:
    import polars as pl

ODD = [
    b"",
    b"\x00",
    b"\x00\x00",
    b"\xff" * 40,
    "é".encode(),
    b"key 'with\" signs;\r\n{}",
    b"x" * 5000,
]


def order(number: int) -> bytes:
    """Return a sort key; larger numbers compare as larger."""
    return number.to_bytes(24, "big")


def entries(*rows: tuple[bytes, bytes, bool, bytes]) -> "pl.DataFrame":
    """Return entries as ``RowCodec`` makes them."""
    import polars as pl

    return pl.DataFrame(
        list(rows),
        schema={
            "key": pl.Binary,
            "sort_key": pl.Binary,
            "is_deleted": pl.Boolean,
            "value": pl.Binary,
        },
        orient="row",
    )


def _progress(version: int, table: str = "t", definition: str = "{}") -> Progress:
    return Progress(table, version, definition)


class OnlineStoreContract:
    """Base class of tests; a subclass returns an empty store from the fixture ``store``."""

    def test_an_unknown_key_has_no_entry(self, store: OnlineStore) -> None:
        assert store.get("spend", []) == []
        assert store.get("spend", [b"7", b"8"]) == [None, None]
        assert store.read_progress("spend") is None
        assert list(store.scan("spend")) == []
        assert store.remove("spend", [b"7"]) == 0

    def test_any_bytes_are_keys_and_values(self, store: OnlineStore) -> None:
        rows = [
            (key, order(place), place % 2 == 1, value)
            for place, (key, value) in enumerate(zip(ODD, reversed(ODD), strict=True))
        ]
        assert store.put("spend", entries(*rows)) == len(ODD)
        assert store.get("spend", ODD) == [row[1:] for row in rows]
        assert dict(store.scan("spend")) == {row[0]: row[1:] for row in rows}

    def test_keys_are_answered_in_their_order_and_more_than_once(self, store: OnlineStore) -> None:
        store.put("spend", entries((b"1", order(1), False, b"a"), (b"2", order(2), False, b"b")))
        answers = store.get("spend", [b"2", b"3", b"1", b"2"])
        assert [each and each[2] for each in answers] == [b"b", None, b"a", b"b"]

    def test_thousands_of_keys_are_stored_and_answered(self, store: OnlineStore) -> None:
        keys = [b"%d" % number for number in range(2_500)]
        assert store.put("spend", entries(*[(key, order(1), False, key) for key in keys])) == 2_500
        assert store.get("spend", keys) == [(order(1), False, key) for key in keys]
        assert len(list(store.scan("spend"))) == 2_500

    def test_an_older_entry_never_replaces_a_newer_one(self, store: OnlineStore) -> None:
        assert store.put("spend", entries((b"1", order(5), False, b"new"))) == 1
        assert store.put("spend", entries((b"1", order(4), True, b"old"))) == 0
        assert store.put("spend", entries((b"1", order(5), False, b"same"))) == 0
        assert store.get("spend", [b"1"]) == [(order(5), False, b"new")]
        assert store.put("spend", entries((b"1", order(6), True, b""))) == 1
        assert store.get("spend", [b"1"]) == [(order(6), True, b"")]

    def test_sort_keys_compare_as_bytes(self, store: OnlineStore) -> None:
        pairs = [
            (b"\x00" * 24, b"\x00" * 23 + b"\x01"),
            (b"\x7f" + b"\xff" * 23, b"\x80" + b"\x00" * 23),
            (b"Z" * 24, b"a" * 24),  # some locales say otherwise
            (b"A\x00" * 12, b"A\x00" * 11 + b"B\x00"),
            (b"e" + b"z" * 23, "é".encode() + b"a" * 22),
        ]
        for place, (small, large) in enumerate(pairs):
            key = b"%d" % place
            store.put("spend", entries((key, large, False, b"large")))
            assert store.put("spend", entries((key, small, False, b"small"))) == 0
            assert store.put("other", entries((key, small, False, b"small"))) == 1
            assert store.put("other", entries((key, large, False, b"large"))) == 1

    def test_of_several_entries_of_a_key_the_largest_is_stored(self, store: OnlineStore) -> None:
        for some in itertools.permutations([1, 2, 3]):
            view = "view" + "".join(map(str, some))
            rows = [(b"1", order(number), False, b"%d" % number) for number in some]
            assert store.put(view, entries(*rows)) == 1
            assert store.get(view, [b"1"]) == [(order(3), False, b"3")]

    def test_views_are_apart(self, store: OnlineStore) -> None:
        names = ["a", "A", "a.b", "a-b", "a~rebuilding", "select"]
        for place, name in enumerate(names):
            store.put(name, entries((b"1", order(1), False, b"%d" % place)), progress=_progress(place))  # fmt: skip
        for place, name in enumerate(names):
            assert store.get(name, [b"1"]) == [(order(1), False, b"%d" % place)]
            assert store.read_progress(name) == _progress(place)

    def test_progress_goes_forward_without_gaps(self, store: OnlineStore) -> None:
        nothing = entries()
        store.put("spend", nothing, progress=_progress(5), after=3)
        assert store.read_progress("spend") is None  # the rows up to 3 are not there
        store.put("spend", nothing, progress=_progress(5))
        assert store.read_progress("spend") == _progress(5)
        store.put("spend", nothing, progress=_progress(4), after=2)
        store.put("spend", nothing, progress=_progress(9), after=7)
        store.put("spend", nothing, progress=_progress(9, table="other"), after=5)
        assert store.read_progress("spend") == _progress(5)
        store.put("spend", nothing, progress=_progress(8), after=4)
        assert store.read_progress("spend") == _progress(8)
        store.put("spend", nothing, progress=_progress(8, definition='{"ttl": "é"}'), after=8)
        assert store.read_progress("spend") == _progress(8, definition='{"ttl": "é"}')

    def test_removed_keys_are_gone_and_others_stay(self, store: OnlineStore) -> None:
        rows = [(b"%d" % number, order(number), False, b"v") for number in range(5)]
        store.put("spend", entries(*rows), progress=_progress(1))
        assert store.remove("spend", [b"1", b"3", b"9"]) == 2
        assert [each is None for each in store.get("spend", [b"0", b"1", b"3", b"4"])] == [
            False, True, True, False,
        ]  # fmt: skip
        assert store.read_progress("spend") == _progress(1)
        store.scrub()
        assert len(list(store.scan("spend"))) == 3

    def test_a_cleared_view_is_as_new(self, store: OnlineStore) -> None:
        store.clear("spend")
        store.put("spend", entries((b"1", order(5), False, b"v")), progress=_progress(1))
        store.clear("spend")
        assert store.get("spend", [b"1"]) == [None]
        assert store.read_progress("spend") is None
        assert store.put("spend", entries((b"1", order(1), False, b"w"))) == 1

    def test_a_view_is_replaced_in_one_step(self, store: OnlineStore) -> None:
        new = "spend~rebuilding"
        store.put("spend", entries((b"1", order(9), False, b"old")), progress=_progress(9))
        assert not store.replace("spend", new, 3)
        store.put(new, entries((b"2", order(1), False, b"new")), progress=_progress(3))
        assert not store.replace("spend", new, 4)
        assert store.get("spend", [b"1", b"2"]) == [(order(9), False, b"old"), None]
        assert store.replace("spend", new, 3)
        assert store.get("spend", [b"1", b"2"]) == [None, (order(1), False, b"new")]
        assert store.read_progress("spend") == _progress(3)
        assert store.read_progress(new) is None
        assert list(store.scan(new)) == []

    def test_a_view_is_replaced_by_one_without_entries(self, store: OnlineStore) -> None:
        store.put("spend", entries((b"1", order(9), False, b"old")), progress=_progress(9))
        store.put("spend~rebuilding", entries(), progress=_progress(3))
        assert store.replace("spend", "spend~rebuilding", 3)
        assert store.get("spend", [b"1"]) == [None]
        assert store.read_progress("spend") == _progress(3)

    def test_concurrent_puts_end_with_the_largest(self, store: OnlineStore) -> None:
        numbers = list(range(40))
        rng = random.Random(7)  # noqa: S311 - an order of puts
        orders = [rng.sample(numbers, len(numbers)) for _ in range(4)]

        def put_all(some: list[int]) -> int:
            return sum(
                store.put(
                    "spend",
                    entries(*[(b"%d" % key, order(n), False, b"%d" % n) for key in range(3)]),
                )
                for n in some
            )

        with ThreadPoolExecutor(4) as pool:
            changed = sum(pool.map(put_all, orders))
        assert store.get("spend", [b"0", b"1", b"2"]) == [(order(39), False, b"39")] * 3
        assert 3 <= changed <= 3 * 40

    def test_the_digest_is_that_of_any_other_store(self, store: OnlineStore) -> None:
        rng, memory = random.Random(11), MemoryOnlineStore()  # noqa: S311 - drawn entries
        for _ in range(20):
            rows = [
                (b"%d" % rng.randrange(30), order(rng.randrange(999)), rng.random() < 0.2, b"v")
                for _ in range(10)
            ]
            assert store.put("spend", entries(*rows)) == memory.put("spend", entries(*rows))
        assert digest_online(store, "spend") == digest_online(memory, "spend")
        store.put("spend", entries((b"1", order(1_000), False, b"w")))
        assert digest_online(store, "spend") != digest_online(memory, "spend")

    def test_a_closed_store_may_be_used_again(self, store: OnlineStore) -> None:
        store.put("spend", entries((b"1", order(1), False, b"v")))
        store.close()
        store.put("spend", entries((b"2", order(1), False, b"v")))
        assert store.get("spend", [b"2"]) == [(order(1), False, b"v")]

    def test_the_url_is_text(self, store: OnlineStore) -> None:
        assert isinstance(store.url, str)
