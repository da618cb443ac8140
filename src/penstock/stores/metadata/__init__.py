"""Facts: the MetadataStore protocol and the back ends on SQL."""

from penstock.stores.metadata._protocol import MetadataStore

__all__ = ["MetadataStore"]
