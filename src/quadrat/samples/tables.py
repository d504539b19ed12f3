"""Tables of the schema `samples`."""

SCHEMA = "samples"
