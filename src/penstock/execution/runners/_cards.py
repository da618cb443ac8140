"""Graphics cards that are free on this machine; apart because only the process pool needs them."""

import os

from penstock.pipelines import Node
from penstock.provenance import capture_hardware


class Cards:
    """The graphics cards that the steps of a pool share.

    A machine without a card counts as having one card: steps that ask for cards then run one
    at a time.

    Args:
        names: Names of the cards as in CUDA_VISIBLE_DEVICES.
    """

    def __init__(self, names: tuple[str, ...] | None = None) -> None:
        cards = visible_cards() if names is None else names
        self._all = cards
        self._free = list(cards) or [""]

    def fits(self, node: Node) -> bool:
        """Return whether as many cards are free as a step asks for."""
        return self._count(node) <= len(self._free)

    def take(self, node: Node) -> tuple[str, ...]:
        """Take as many cards as a step asks for; fewer only if the machine has fewer."""
        count = self._count(node)
        taken, self._free = self._free[:count], self._free[count:]
        return tuple(taken)

    def give_back(self, cards: tuple[str, ...]) -> None:
        """Free the cards of a step that has ended."""
        self._free = sorted({*self._free, *cards}, key=(*self._all, "").index)

    def _count(self, node: Node) -> int:
        """Return how many cards a step asks for, at most all."""
        return min(node.step.resources.gpu, max(1, len(self._all)))


def visible_cards() -> tuple[str, ...]:
    """Return the names of the cards that CUDA may use: CUDA_VISIBLE_DEVICES, else the machine's."""
    variable = os.environ.get("CUDA_VISIBLE_DEVICES")
    if variable is not None:
        return tuple(name.strip() for name in variable.split(",") if name.strip() not in {"", "-1"})
    return tuple(str(number) for number in range(len(capture_hardware()["gpus"])))


def card_environment(cards: tuple[str, ...]) -> dict[str, str]:
    """Return the environment of a process that may use these cards; empty if there are none."""
    return {"CUDA_VISIBLE_DEVICES": ",".join(cards)} if any(cards) else {}
