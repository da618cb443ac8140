"""Recorders that log frameworks' trainings without a line in the user's code: `autolog`."""

from penstock.tracking.recorders._switch import autolog

__all__ = ["autolog"]
