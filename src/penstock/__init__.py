"""penstock carries a model from raw data to monitored production, and opens a gate only on proof."""

__version__ = "0.1.0"
