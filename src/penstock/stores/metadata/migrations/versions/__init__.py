"""A file for each version of the tables; never changed once released."""
