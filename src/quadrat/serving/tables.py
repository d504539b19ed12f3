"""Tables of the schema `serving`."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Named,
    Table,
    Text,
    TypedColumns,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from quadrat.db.metadata import metadata

SCHEMA = "serving"


def _to(target: str, *, ondelete: str = "CASCADE", use_alter: bool = False) -> ForeignKey:
    return ForeignKey(f"{target}.id", ondelete=ondelete, use_alter=use_alter)


class _Row(TypedColumns):
    id: Named[int] = Column(BigInteger, Identity(always=True), primary_key=True)
    uuid: Named[UUID] = Column(Uuid, unique=True)
    created_at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())
    updated_at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())


class _ModelColumns(_Row):
    project_id: Named[int] = Column(BigInteger, _to("identity.project"))
    name: Named[str] = Column(Text)
    description: Named[str] = Column(Text, server_default="")
    input_kind: Named[str] = Column(Text)
    output_kind: Named[str] = Column(Text)


model = Table(
    "model",
    metadata,
    _ModelColumns,
    UniqueConstraint("project_id", "name"),
    CheckConstraint("input_kind IN ('structured', 'plain')", name="input_kind"),
    CheckConstraint("output_kind IN ('structured', 'plain')", name="output_kind"),
    schema=SCHEMA,
)


class _ModelFieldColumns(TypedColumns):
    model_id: Named[int] = Column(BigInteger, _to(f"{SCHEMA}.model"), primary_key=True)
    direction: Named[str] = Column(Text, primary_key=True)
    position: Named[int] = Column(Integer, primary_key=True)
    name: Named[str] = Column(Text)
    type: Named[str] = Column(Text)


model_field = Table(
    "model_field",
    metadata,
    _ModelFieldColumns,
    UniqueConstraint("model_id", "direction", "name"),
    CheckConstraint("direction IN ('input', 'output')", name="direction"),
    schema=SCHEMA,
)


class _VersionColumns(_Row):
    model_id: Named[int] = Column(BigInteger, _to(f"{SCHEMA}.model"))
    name: Named[str] = Column(Text)
    description: Named[str] = Column(Text, server_default="")
    language: Named[str] = Column(Text)
    memory_allocation_mb: Named[int]
    minimum_instances: Named[int]
    maximum_instances: Named[int]
    maximum_idle_time_s: Named[int]
    status: Named[str] = Column(Text)
    error_message: Named[str] = Column(Text, server_default="")
    build: Named[int] = Column(Integer, server_default=text("0"))
    package_id: Named[int | None] = Column(
        BigInteger, _to(f"{SCHEMA}.package", ondelete="SET NULL", use_alter=True), index=True
    )
    serving_package_id: Named[int | None] = Column(
        BigInteger, _to(f"{SCHEMA}.package", ondelete="SET NULL", use_alter=True), index=True
    )
    serving_language: Named[str | None] = Column(Text)
    file_updated_at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())


version = Table(
    "version",
    metadata,
    _VersionColumns,
    UniqueConstraint("model_id", "name"),
    CheckConstraint(
        "status IN ('initialised', 'building', 'deploying', 'available', 'available_building', "
        "'building_failed', 'deploying_failed', 'available_building_failed')",
        name="status",
    ),
    schema=SCHEMA,
)


class _PackageColumns(TypedColumns):
    id: Named[int] = Column(BigInteger, Identity(always=True), primary_key=True)
    # Outlives its version, so that the stored bytes can still be found and removed.
    version_id: Named[int | None] = Column(BigInteger, _to(f"{SCHEMA}.version", ondelete="SET NULL"), index=True)
    key: Named[str] = Column(Text)
    blob_key: Named[str] = Column(Text, unique=True)
    file_name: Named[str] = Column(Text)
    size_bytes: Named[int] = Column(BigInteger)
    created_at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())


package = Table("package", metadata, _PackageColumns, schema=SCHEMA)


class QueueColumns(TypedColumns):
    """What batch requests of versions and of pipelines have in common."""

    id: Named[UUID] = Column(Uuid, primary_key=True)
    state: Named[str] = Column(Text, server_default="pending")
    # JSON text as it came: jsonb would refuse the NUL character, and reorder and renumber the rest.
    data: Named[bytes | None] = Column(LargeBinary)
    # Instead of the column above, where that would be too large for a row. `payload` has the other direction.
    data_payload_id: Named[UUID | None] = Column(Uuid)
    error_message: Named[str | None] = Column(Text)
    created_at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())
    updated_at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())
    finished_at: Named[datetime | None] = Column(DateTime(timezone=True))
    lease_owner: Named[UUID | None] = Column(Uuid)
    lease_expires_at: Named[datetime | None] = Column(DateTime(timezone=True))
    attempt: Named[int] = Column(Integer, server_default=text("0"))


class _RequestColumns(QueueColumns):
    version_id: Named[int] = Column(BigInteger, _to(f"{SCHEMA}.version"))
    result: Named[bytes | None] = Column(LargeBinary)
    result_payload_id: Named[UUID | None] = Column(Uuid)
    started_at: Named[datetime | None] = Column(DateTime(timezone=True))


request = Table(
    "request",
    metadata,
    _RequestColumns,
    CheckConstraint("state IN ('pending', 'processing', 'completed', 'failed')", name="state"),
    CheckConstraint("(state = 'processing') = (lease_owner IS NOT NULL)", name="lease"),
    Index("ix_request_version_id_created_at", "version_id", "created_at", "id"),
    Index("ix_request_pending", "version_id", "id", postgresql_where=text("state = 'pending'")),
    Index("ix_request_finished_at", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
    Index("ix_request_leased", "lease_expires_at", postgresql_where=text("state = 'processing'")),
    schema=SCHEMA,
)


class _PayloadColumns(TypedColumns):
    id: Named[UUID] = Column(Uuid, primary_key=True)
    # None before the request is accepted and after it is deleted: then the bytes are removed some day.
    request_id: Named[UUID | None] = Column(Uuid, _to(f"{SCHEMA}.request", ondelete="SET NULL"), index=True)
    # Instead of the one above: of a pipeline, or of what its objects have made.
    pipeline_request_id: Named[UUID | None] = Column(
        Uuid, _to(f"{SCHEMA}.pipeline_request", ondelete="SET NULL"), index=True
    )
    size_bytes: Named[int] = Column(BigInteger, server_default=text("0"))
    created_at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())


payload = Table("payload", metadata, _PayloadColumns, schema=SCHEMA)


class _BlobColumns(TypedColumns):
    id: Named[UUID] = Column(Uuid, primary_key=True)
    # None while its bytes are being stored, and when the project is gone: then the bytes are removed some day.
    project_id: Named[int | None] = Column(BigInteger, _to("identity.project", ondelete="SET NULL"))
    file_name: Named[str] = Column(Text)
    size_bytes: Named[int] = Column(BigInteger)
    ttl_s: Named[int] = Column(Integer)
    created_at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())
    expires_at: Named[datetime] = Column(DateTime(timezone=True), index=True)


blob = Table(
    "blob",
    metadata,
    _BlobColumns,
    Index("ix_blob_project_id_created_at", "project_id", "created_at", "id"),
    schema=SCHEMA,
)


class _DirectRequestColumns(TypedColumns):
    # As with log lines: no foreign keys, and the ids are in order of time, so that old rows are found by them.
    id: Named[UUID] = Column(Uuid, primary_key=True)
    version_id: Named[int] = Column(BigInteger)
    success: Named[bool] = Column(Boolean)
    error_message: Named[str | None] = Column(Text)
    created_at: Named[datetime] = Column(DateTime(timezone=True))
    started_at: Named[datetime | None] = Column(DateTime(timezone=True))
    finished_at: Named[datetime] = Column(DateTime(timezone=True))
    input_bytes: Named[int] = Column(BigInteger)
    output_bytes: Named[int] = Column(BigInteger)


direct_request = Table("direct_request", metadata, _DirectRequestColumns, schema=SCHEMA)


class _VariableColumns(_Row):
    project_id: Named[int] = Column(BigInteger, _to("identity.project"))
    # None for a variable of the project, and of a model.
    model_id: Named[int | None] = Column(BigInteger, _to(f"{SCHEMA}.model"), index=True)
    version_id: Named[int | None] = Column(BigInteger, _to(f"{SCHEMA}.version"), index=True)
    name: Named[str] = Column(Text)
    value: Named[str | None] = Column(Text)
    sealed_value: Named[bytes | None] = Column(LargeBinary)
    secret: Named[bool] = Column(Boolean)


variable = Table(
    "variable",
    metadata,
    _VariableColumns,
    UniqueConstraint(
        "project_id", "model_id", "version_id", "name", name="uq_variable_once", postgresql_nulls_not_distinct=True
    ),
    CheckConstraint("version_id IS NULL OR model_id IS NOT NULL", name="level"),
    CheckConstraint("secret = (sealed_value IS NOT NULL) AND secret = (value IS NULL)", name="secret"),
    schema=SCHEMA,
)


class _LogSourceColumns(TypedColumns):
    id: Named[int] = Column(BigInteger, Identity(always=True), primary_key=True)
    # No foreign keys, here and below: a line may be written just after its version was deleted, and the others of its
    # block must stay. A job removes what projects that are gone have left.
    project_id: Named[int] = Column(BigInteger)
    version_id: Named[int | None] = Column(BigInteger)
    pipeline_id: Named[int | None] = Column(BigInteger)
    pipeline_object_id: Named[int | None] = Column(BigInteger)
    connector_id: Named[int | None] = Column(BigInteger)
    system: Named[bool] = Column(Boolean)


log_source = Table(
    "log_source",
    metadata,
    _LogSourceColumns,
    UniqueConstraint(
        "project_id",
        "version_id",
        "pipeline_id",
        "pipeline_object_id",
        "connector_id",
        "system",
        name="uq_log_source_once",
        postgresql_nulls_not_distinct=True,
    ),
    schema=SCHEMA,
)


class _LogColumns(TypedColumns):
    source_id: Named[int] = Column(BigInteger, primary_key=True)
    id: Named[bytes] = Column(LargeBinary, primary_key=True)
    project_id: Named[int] = Column(BigInteger)
    system: Named[bool] = Column(Boolean, primary_key=True)
    request_id: Named[UUID | None] = Column(Uuid)
    pipeline_request_id: Named[UUID | None] = Column(Uuid)
    text: Named[str] = Column(Text)


log = Table(
    "log",
    metadata,
    _LogColumns,
    Index("ix_log_project_id_id", "project_id", "id"),
    Index("ix_log_request_id", "request_id", "id", postgresql_where=text("request_id IS NOT NULL")),
    Index(
        "ix_log_pipeline_request_id",
        "pipeline_request_id",
        "id",
        postgresql_where=text("pipeline_request_id IS NOT NULL"),
    ),
    schema=SCHEMA,
    # The system's few lines would else lie one by one between the users' many, a page of them on as many places.
    postgresql_partition_by="LIST (system)",
)


class _MetricColumns(TypedColumns):
    project_id: Named[int] = Column(BigInteger, primary_key=True)
    metric: Named[str] = Column(Text, primary_key=True)
    grain: Named[str] = Column(Text, primary_key=True)
    bucket: Named[datetime] = Column(DateTime(timezone=True), primary_key=True)
    object_id: Named[UUID] = Column(Uuid, primary_key=True)
    total: Named[float] = Column(Double)
    times: Named[int] = Column(BigInteger)


metric = Table(
    "metric",
    metadata,
    _MetricColumns,
    CheckConstraint("grain IN ('minute', 'hour', 'day', 'month')", name="grain"),
    schema=SCHEMA,
)


class _CredentialsColumns(_Row):
    project_id: Named[int] = Column(BigInteger, _to("identity.project"))
    name: Named[str] = Column(Text)
    type: Named[str] = Column(Text)
    open_values: Named[Mapping[str, str]] = Column(JSONB)
    sealed_values: Named[bytes] = Column(LargeBinary)
    status: Named[str] = Column(Text)
    error_message: Named[str] = Column(Text, server_default="")
    check_number: Named[int] = Column(Integer, server_default=text("0"))


_VERIFICATION = "status IN ('pending_verification', 'available', 'failed_verification')"

credentials = Table(
    "credentials",
    metadata,
    _CredentialsColumns,
    UniqueConstraint("project_id", "name"),
    CheckConstraint(_VERIFICATION, name="status"),
    schema=SCHEMA,
)


class _ConnectorColumns(_Row):
    project_id: Named[int] = Column(BigInteger, _to("identity.project"))
    name: Named[str] = Column(Text)
    type: Named[str] = Column(Text)
    credentials_id: Named[int] = Column(BigInteger, _to(f"{SCHEMA}.credentials"), index=True)
    configuration: Named[Mapping[str, str]] = Column(JSONB)
    status: Named[str] = Column(Text)
    error_message: Named[str] = Column(Text, server_default="")
    check_number: Named[int] = Column(Integer, server_default=text("0"))


connector = Table(
    "connector",
    metadata,
    _ConnectorColumns,
    UniqueConstraint("project_id", "name"),
    CheckConstraint(_VERIFICATION, name="status"),
    schema=SCHEMA,
)


class _ConnectorFieldColumns(TypedColumns):
    connector_id: Named[int] = Column(BigInteger, _to(f"{SCHEMA}.connector"), primary_key=True)
    position: Named[int] = Column(Integer, primary_key=True)
    name: Named[str] = Column(Text)
    type: Named[str] = Column(Text)


connector_field = Table(
    "connector_field", metadata, _ConnectorFieldColumns, UniqueConstraint("connector_id", "name"), schema=SCHEMA
)


class _PipelineColumns(_Row):
    project_id: Named[int] = Column(BigInteger, _to("identity.project"))
    name: Named[str] = Column(Text)
    description: Named[str] = Column(Text, server_default="")
    input_kind: Named[str] = Column(Text)


pipeline = Table(
    "pipeline",
    metadata,
    _PipelineColumns,
    UniqueConstraint("project_id", "name"),
    CheckConstraint("input_kind IN ('structured', 'plain')", name="input_kind"),
    schema=SCHEMA,
)


class _PipelineFieldColumns(TypedColumns):
    pipeline_id: Named[int] = Column(BigInteger, _to(f"{SCHEMA}.pipeline"), primary_key=True)
    position: Named[int] = Column(Integer, primary_key=True)
    name: Named[str] = Column(Text)
    type: Named[str] = Column(Text)


pipeline_field = Table(
    "pipeline_field", metadata, _PipelineFieldColumns, UniqueConstraint("pipeline_id", "name"), schema=SCHEMA
)


class _PipelineObjectColumns(TypedColumns):
    id: Named[int] = Column(BigInteger, Identity(always=True), primary_key=True)
    uuid: Named[UUID] = Column(Uuid, unique=True)
    pipeline_id: Named[int] = Column(BigInteger, _to(f"{SCHEMA}.pipeline"))
    name: Named[str] = Column(Text)
    # What is in a pipeline is not deleted by actions; only its whole project takes it away.
    version_id: Named[int | None] = Column(BigInteger, _to(f"{SCHEMA}.version"), index=True)
    connector_id: Named[int | None] = Column(BigInteger, _to(f"{SCHEMA}.connector"), index=True)


pipeline_object = Table(
    "pipeline_object",
    metadata,
    _PipelineObjectColumns,
    UniqueConstraint("pipeline_id", "name"),
    CheckConstraint("(version_id IS NULL) <> (connector_id IS NULL)", name="reference"),
    schema=SCHEMA,
)


class _AttachmentColumns(TypedColumns):
    id: Named[int] = Column(BigInteger, Identity(always=True), primary_key=True)
    uuid: Named[UUID] = Column(Uuid, unique=True)
    pipeline_id: Named[int] = Column(BigInteger, _to(f"{SCHEMA}.pipeline"), index=True)
    # None for the start of the pipeline.
    source_id: Named[int | None] = Column(BigInteger, _to(f"{SCHEMA}.pipeline_object"))
    destination_id: Named[int] = Column(BigInteger, _to(f"{SCHEMA}.pipeline_object"), index=True)


attachment = Table(
    "attachment", metadata, _AttachmentColumns, UniqueConstraint("source_id", "destination_id"), schema=SCHEMA
)


class _AttachmentFieldColumns(TypedColumns):
    attachment_id: Named[int] = Column(BigInteger, _to(f"{SCHEMA}.attachment"), primary_key=True)
    position: Named[int] = Column(Integer, primary_key=True)
    source_field: Named[str] = Column(Text)
    destination_field: Named[str] = Column(Text)


attachment_field = Table("attachment_field", metadata, _AttachmentFieldColumns, schema=SCHEMA)


class _PipelineRequestColumns(QueueColumns):
    pipeline_id: Named[int] = Column(BigInteger, _to(f"{SCHEMA}.pipeline"))


pipeline_request = Table(
    "pipeline_request",
    metadata,
    _PipelineRequestColumns,
    CheckConstraint("state IN ('pending', 'processing', 'completed', 'failed')", name="state"),
    CheckConstraint("(state = 'processing') = (lease_owner IS NOT NULL)", name="lease"),
    Index("ix_pipeline_request_pipeline_id_created_at", "pipeline_id", "created_at", "id"),
    Index("ix_pipeline_request_pending", "pipeline_id", "id", postgresql_where=text("state = 'pending'")),
    Index("ix_pipeline_request_finished_at", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
    Index("ix_pipeline_request_leased", "lease_expires_at", postgresql_where=text("state = 'processing'")),
    schema=SCHEMA,
)


class _PipelineRunColumns(TypedColumns):
    pipeline_request_id: Named[UUID] = Column(Uuid, _to(f"{SCHEMA}.pipeline_request"), primary_key=True)
    path: Named[str] = Column(Text, primary_key=True)
    object_name: Named[str] = Column(Text)
    is_model: Named[bool] = Column(Boolean)
    request_id: Named[UUID | None] = Column(Uuid)
    success: Named[bool] = Column(Boolean)
    data: Named[bytes | None] = Column(LargeBinary)
    result: Named[bytes | None] = Column(LargeBinary)
    data_payload_id: Named[UUID | None] = Column(Uuid)
    result_payload_id: Named[UUID | None] = Column(Uuid)
    error_message: Named[str | None] = Column(Text)
    started_at: Named[datetime] = Column(DateTime(timezone=True))
    finished_at: Named[datetime] = Column(DateTime(timezone=True))


pipeline_run = Table("pipeline_run", metadata, _PipelineRunColumns, schema=SCHEMA)


class _DeliveryColumns(TypedColumns):
    id: Named[UUID] = Column(Uuid, primary_key=True)
    connector_id: Named[int] = Column(BigInteger, _to(f"{SCHEMA}.connector"))
    # No foreign keys: a message that was accepted is delivered although its pipeline has gone.
    pipeline_id: Named[int | None] = Column(BigInteger)
    object_id: Named[int | None] = Column(BigInteger)
    object_name: Named[str] = Column(Text)
    pipeline_request_id: Named[UUID] = Column(Uuid)
    data: Named[bytes] = Column(LargeBinary)
    created_at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())
    due_at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())
    lease_owner: Named[UUID | None] = Column(Uuid)
    attempt: Named[int] = Column(Integer, server_default=text("0"))


delivery = Table(
    "delivery",
    metadata,
    _DeliveryColumns,
    Index("ix_delivery_connector_id_due_at", "connector_id", "due_at", "id"),
    Index("ix_delivery_leased", "lease_owner", postgresql_where=text("lease_owner IS NOT NULL")),
    schema=SCHEMA,
)


class _ScheduleColumns(_Row):
    project_id: Named[int] = Column(BigInteger, _to("identity.project"))
    name: Named[str] = Column(Text)
    version_id: Named[int | None] = Column(BigInteger, _to(f"{SCHEMA}.version"), index=True)
    pipeline_id: Named[int | None] = Column(BigInteger, _to(f"{SCHEMA}.pipeline"), index=True)
    cron: Named[str] = Column(Text)
    data: Named[bytes | None] = Column(LargeBinary)
    is_batch: Named[bool] = Column(Boolean)
    timeout_s: Named[int] = Column(Integer)
    is_enabled: Named[bool] = Column(Boolean)


schedule = Table(
    "schedule",
    metadata,
    _ScheduleColumns,
    UniqueConstraint("project_id", "name"),
    CheckConstraint("(version_id IS NULL) <> (pipeline_id IS NULL)", name="object"),
    schema=SCHEMA,
)


class _FiredColumns(TypedColumns):
    schedule_id: Named[int] = Column(BigInteger, _to(f"{SCHEMA}.schedule"), primary_key=True)
    minute: Named[datetime] = Column(DateTime(timezone=True), primary_key=True)


fired = Table("fired", metadata, _FiredColumns, schema=SCHEMA)
