"""PredictionFeatureLog: the logged predictions of a store as a FeatureLog, from which keys are erased."""

from typing import TYPE_CHECKING

from penstock.features.online._erasure import ErasedPlace
from penstock.stores import Store, erase_predictions, open_store

if TYPE_CHECKING:
    import polars as pl


class PredictionFeatureLog:
    """The predictions of all deployments, with their inputs and the features looked up for them.

    Args:
        store: The store with the log; by default the project's.
    """

    def __init__(self, *, store: Store | str | None = None) -> None:
        self._store = open_store(store)

    def erase(self, keys: "pl.DataFrame") -> ErasedPlace:
        """Remove the predictions that looked these keys up or have them as inputs; see FeatureLog."""
        import polars as pl

        # The log has dates as text.
        plain = keys.with_columns(pl.col(pl.Date).dt.to_string("iso")).to_dicts()
        rows = erase_predictions(plain, store=self._store)
        return ErasedPlace("log", self._store.url, "", rows)
