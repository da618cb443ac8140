"""Proofs and gates -> production: promote, deploy; the only path, which runs pending proofs first."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.release._deploy import deploy as deploy
    from penstock.release._promote import promote as promote
    from penstock.release._proving import prove_version as prove_version

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "deploy": "_deploy",
        "promote": "_promote",
        "prove_version": "_proving",
    },
)
