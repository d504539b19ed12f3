"""Wire models of blobs."""

from datetime import datetime

from pydantic import BaseModel


class BlobList(BaseModel):
    """A blob; ``size`` in bytes, ``ttl`` in seconds as it was asked for."""

    id: str
    creation_date: datetime
    filename: str
    size: int
    ttl: int
