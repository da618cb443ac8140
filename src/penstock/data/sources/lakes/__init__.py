"""Rows of table formats with versions: DeltaSource and IcebergSource."""
