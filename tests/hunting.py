"""How long a test looks: a little in `make test`, always the same; long and anew in `make hunt`."""

import os

from hypothesis import HealthCheck, Phase, settings

HUNTING = bool(os.environ.get("PENSTOCK_HUNT"))
"""True in `make hunt`."""

SEED = int(os.environ.get("PENSTOCK_SEED", "7"))
"""What draws at random begins with this; another one in each round of a hunt."""


def length(usual: int, hunting: int, *, name: str | None = None) -> int:
    """Say how often to try: a variable of the environment decides, else whether this is a hunt.

    Args:
        usual: In `make test`.
        hunting: In `make hunt`.
        name: The variable, as PENSTOCK_KILLS.
    """
    found = os.environ.get(name) if name else None
    return int(found) if found else hunting if HUNTING else usual


def load_profile() -> None:
    """Choose Hypothesis' settings: the same examples each time, or new ones."""
    # Examples are checked for what they say, not for how long a busy machine takes over one.
    settings.register_profile(
        "usual", deadline=None, max_examples=50, derandomize=True, database=None
    )
    settings.register_profile(
        "hunt",
        deadline=None,
        max_examples=1_000,
        print_blob=True,
        database=None,
        phases=[Phase.explicit, Phase.generate, Phase.target, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("hunt" if HUNTING else "usual")
