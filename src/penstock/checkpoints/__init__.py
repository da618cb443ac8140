"""Exact resume: torch, Lightning, XGBoost and LightGBM continue from the last checkpoint."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.checkpoints._boosters import train_lightgbm as train_lightgbm
    from penstock.checkpoints._boosters import train_xgboost as train_xgboost
    from penstock.checkpoints._lightning import LightningCheckpoint as LightningCheckpoint
    from penstock.checkpoints._torch import TorchCheckpoint as TorchCheckpoint

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "LightningCheckpoint": "_lightning",
        "TorchCheckpoint": "_torch",
        "train_lightgbm": "_boosters",
        "train_xgboost": "_boosters",
    },
)
