"""Columns of serving that hold sealed secrets."""

from quadrat.db.sealed import SealedColumn
from quadrat.serving.tables import credentials

CREDENTIALS = SealedColumn(credentials, credentials.c.uuid, credentials.c.sealed_values)
