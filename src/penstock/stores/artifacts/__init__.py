"""Bytes by digest, and the conversion of values to bytes and back."""

from penstock.stores.artifacts._protocol import ArtifactStore

__all__ = ["ArtifactStore"]
