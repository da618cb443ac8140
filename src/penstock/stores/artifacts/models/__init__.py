"""Model formats: a file for each kind of model, and the table that chooses among them."""
