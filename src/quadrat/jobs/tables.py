"""Tables of the schema `jobs`. The queue's own tables are procrastinate's, in the schema `public`."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Named,
    Table,
    Text,
    TypedColumns,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from quadrat.db.metadata import metadata

SCHEMA = "jobs"


class _JobColumns(TypedColumns):
    id: Named[int] = Column(BigInteger, Identity(always=True), primary_key=True)
    uuid: Named[UUID] = Column(Uuid, unique=True)
    kind: Named[str] = Column(Text)
    queue: Named[str] = Column(Text)
    lock: Named[str | None] = Column(Text)
    owner_id: Named[int | None] = Column(BigInteger, ForeignKey("identity.user.id", ondelete="SET NULL"))
    project_id: Named[int | None] = Column(
        BigInteger, ForeignKey("identity.project.id", ondelete="CASCADE"), index=True
    )
    state: Named[str] = Column(Text)
    progress_percent: Named[int | None] = Column(Integer)
    progress_message: Named[str] = Column(Text, server_default="")
    params: Named[dict[str, Any]] = Column(JSONB)
    result: Named[dict[str, Any]] = Column(JSONB, server_default=text("'{}'"))
    errors: Named[list[str]] = Column(ARRAY(Text), server_default=text("'{}'"))
    question: Named[dict[str, Any]] = Column(JSONB, server_default=text("'{}'"))
    reply: Named[dict[str, Any]] = Column(JSONB, server_default=text("'{}'"))
    result_key: Named[str | None] = Column(Text)
    result_filename: Named[str | None] = Column(Text)
    result_media_type: Named[str | None] = Column(Text)
    attempt: Named[int] = Column(Integer, server_default=text("0"))
    cancel_requested: Named[bool] = Column(Boolean, server_default=text("false"))
    created_at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())
    updated_at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())
    started_at: Named[datetime | None] = Column(DateTime(timezone=True))
    finished_at: Named[datetime | None] = Column(DateTime(timezone=True))


job = Table(
    "job",
    metadata,
    _JobColumns,
    CheckConstraint(
        "state IN ('pending', 'running', 'asking', 'failed', 'finished', 'cancelled')",
        name="state",
    ),
    CheckConstraint("progress_percent BETWEEN 0 AND 100", name="progress"),
    Index(None, "owner_id", "id"),
    Index("ix_job_pending", "kind", postgresql_where=text("state = 'pending'")),
    schema=SCHEMA,
)


class _JobLogColumns(TypedColumns):
    id: Named[int] = Column(BigInteger, Identity(always=True), primary_key=True)
    job_id: Named[int] = Column(BigInteger, ForeignKey("jobs.job.id", ondelete="CASCADE"))
    at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())
    line: Named[str] = Column(Text)


job_log = Table("job_log", metadata, _JobLogColumns, Index(None, "job_id", "id"), schema=SCHEMA)
