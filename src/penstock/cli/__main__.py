"""``python -m penstock.cli``: the same command as ``penstock``."""

from penstock.cli._entry import main

main()
