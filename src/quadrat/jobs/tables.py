"""Tables of the schema `jobs`."""

SCHEMA = "jobs"
