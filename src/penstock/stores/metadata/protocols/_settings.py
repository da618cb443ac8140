"""Settings of the store itself, and the counter of its changes."""

from typing import Protocol


class SettingStore(Protocol):
    """Settings of the store itself, and the counter of its changes."""

    def change_counter(self) -> int:
        """A number that moves whenever a model or deployment changes; cheap to poll."""
        ...

    def get(self, name: str) -> str | None:
        """Return a setting; None if it is not set."""
        ...

    def add(self, name: str, value: str) -> str:
        """Set it unless it is set; gives what it is."""
        ...

    def set(self, name: str, value: str, *, actor: str | None = None) -> None:
        """Write a setting; a change of one that promotions depend on stands in STORE_HISTORY."""
        ...
