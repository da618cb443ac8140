"""The demo: a simulated payments stream through the whole loop, told as a story."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.demo._story import run_demo as run_demo
    from penstock.demo._stream import simulate_day as simulate_day
    from penstock.demo._stream import write_days as write_days

__getattr__, __dir__, __all__ = lazy_exports(
    __name__, {"run_demo": "_story", "simulate_day": "_stream", "write_days": "_stream"}
)
