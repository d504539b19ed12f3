"""Tables of the schema `serving`."""

SCHEMA = "serving"
