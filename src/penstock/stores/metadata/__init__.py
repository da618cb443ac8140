"""Facts: the MetadataStore protocol and its back ends on SQL."""

from penstock.stores.metadata._protocol import MetadataStore

__all__ = ["MetadataStore"]
