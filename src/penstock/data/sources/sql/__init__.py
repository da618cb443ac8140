"""Rows of databases: SqlSource, and a way of reading for each kind of database."""
