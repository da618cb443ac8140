"""The tables by noun; `penstock.stores.metadata._schema` gathers them."""
