"""Columns of serving that hold sealed secrets."""

from quadrat.db.sealed import SealedColumn
from quadrat.serving.tables import credentials, variable

CREDENTIALS = SealedColumn(credentials, credentials.c.uuid, credentials.c.sealed_values)
VARIABLE = SealedColumn(variable, variable.c.uuid, variable.c.sealed_value)

SEALED = (CREDENTIALS, VARIABLE)
"""All of them: a change of keys reaches these."""
