"""Recordings, enrichments, areas of interest."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.execute("CREATE SCHEMA gaze")
    _create_dead_blob()
    _create_file()
    _create_label()
    _create_wearer()
    _create_recording()
    _create_reference()
    _create_enrichment()
    _create_event()
    _create_label_recording()
    _create_project_recording()
    _create_recording_fixation()
    _create_aoi()
    _create_mapping()
    _create_fixation()
    _create_label_aoi()
    _create_section()
    _bury_blobs()


def _bury_blobs() -> None:
    """Rows go by cascades too; their bytes are noted for the sweep by triggers, so that none is forgotten."""
    op.execute(
        "CREATE FUNCTION gaze.bury_blob() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "INSERT INTO gaze.dead_blob (prefix) SELECT OLD.blob WHERE OLD.blob IS NOT NULL; RETURN NULL; END $$"
    )
    op.execute(
        "CREATE FUNCTION gaze.bury_file() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "INSERT INTO gaze.dead_blob (prefix) VALUES ('gaze/files/' || replace(OLD.uuid::text, '-', '')); "
        "RETURN NULL; END $$"
    )
    for table in ("mapping", "recording"):
        op.execute(
            f"CREATE TRIGGER bury_blob AFTER DELETE ON gaze.{table} FOR EACH ROW EXECUTE FUNCTION gaze.bury_blob()"
        )
        op.execute(
            f"CREATE TRIGGER bury_old_blob AFTER UPDATE OF blob ON gaze.{table} FOR EACH ROW "
            "WHEN (OLD.blob IS DISTINCT FROM NEW.blob) EXECUTE FUNCTION gaze.bury_blob()"
        )
    op.execute("CREATE TRIGGER bury_file AFTER DELETE ON gaze.file FOR EACH ROW EXECUTE FUNCTION gaze.bury_file()")


def _create_dead_blob() -> None:
    op.create_table(
        "dead_blob",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_blob")),
        schema="gaze",
    )


def _create_file() -> None:
    op.create_table(
        "file",
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("offset_bytes", sa.BigInteger(), nullable=False),
        sa.Column("parts", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["identity.organization.id"], name=op.f("fk_file_organization_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_file")),
        schema="gaze",
    )
    op.create_index(op.f("ix_file_organization_id"), "file", ["organization_id"], unique=False, schema="gaze")


def _create_label() -> None:
    op.create_table(
        "label",
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["identity.organization.id"], name=op.f("fk_label_organization_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label")),
        sa.UniqueConstraint("organization_id", "uuid", name=op.f("uq_label_organization_id_uuid")),
        schema="gaze",
    )


def _create_wearer() -> None:
    op.create_table(
        "wearer",
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["identity.organization.id"],
            name=op.f("fk_wearer_organization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wearer")),
        sa.UniqueConstraint("organization_id", "uuid", name=op.f("uq_wearer_organization_id_uuid")),
        schema="gaze",
    )
    op.create_index(
        op.f("ix_wearer_organization_id_name"), "wearer", ["organization_id", "name"], unique=False, schema="gaze"
    )


def _create_recording() -> None:
    op.create_table(
        "recording",
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("wearer_id", sa.BigInteger(), nullable=True),
        sa.Column("start_ns", sa.BigInteger(), nullable=False),
        sa.Column("duration_ns", sa.BigInteger(), nullable=False),
        sa.Column("blob", sa.Text(), nullable=True),
        sa.Column("n_samples", sa.BigInteger(), nullable=False),
        sa.Column("period_ns", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["identity.organization.id"],
            name=op.f("fk_recording_organization_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["wearer_id"], ["gaze.wearer.id"], name=op.f("fk_recording_wearer_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording")),
        sa.UniqueConstraint("organization_id", "uuid", name=op.f("uq_recording_organization_id_uuid")),
        schema="gaze",
    )
    op.create_index(op.f("ix_recording_wearer_id"), "recording", ["wearer_id"], unique=False, schema="gaze")


def _create_reference() -> None:
    op.create_table(
        "reference",
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("file_uuid", sa.Uuid(), nullable=True),
        sa.Column("scanning_recording", sa.Text(), nullable=False),
        sa.Column("markers", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.CheckConstraint("kind IN ('markerless', 'surface', 'static-image')", name=op.f("ck_reference_kind")),
        sa.ForeignKeyConstraint(
            ["file_uuid"], ["gaze.file.uuid"], name=op.f("fk_reference_file_uuid"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["identity.organization.id"],
            name=op.f("fk_reference_organization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_reference")),
        schema="gaze",
    )
    op.create_index(op.f("ix_reference_file_uuid"), "reference", ["file_uuid"], unique=False, schema="gaze")
    op.create_index(op.f("ix_reference_organization_id"), "reference", ["organization_id"], unique=False, schema="gaze")


def _create_enrichment() -> None:
    op.create_table(
        "enrichment",
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("from_event_name", sa.Text(), nullable=False),
        sa.Column("to_event_name", sa.Text(), nullable=False),
        sa.Column("reference_uuid", sa.Uuid(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["identity.project.id"], name=op.f("fk_enrichment_project_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["reference_uuid"], ["gaze.reference.uuid"], name=op.f("fk_enrichment_reference_uuid"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrichment")),
        sa.UniqueConstraint("uuid", name=op.f("uq_enrichment_uuid")),
        schema="gaze",
    )
    op.create_index(op.f("ix_enrichment_project_id"), "enrichment", ["project_id"], unique=False, schema="gaze")
    op.create_index(op.f("ix_enrichment_reference_uuid"), "enrichment", ["reference_uuid"], unique=False, schema="gaze")


def _create_event() -> None:
    op.create_table(
        "event",
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("recording_id", sa.BigInteger(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("offset_ns", sa.BigInteger(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.CheckConstraint("origin IN ('recording', 'project', 'cloud')", name=op.f("ck_event_origin")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["identity.project.id"], name=op.f("fk_event_project_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["recording_id"], ["gaze.recording.id"], name=op.f("fk_event_recording_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        sa.UniqueConstraint("recording_id", "uuid", name=op.f("uq_event_recording_id_uuid")),
        schema="gaze",
    )
    op.create_index(op.f("ix_event_project_id"), "event", ["project_id"], unique=False, schema="gaze")


def _create_label_recording() -> None:
    op.create_table(
        "label_recording",
        sa.Column("label_id", sa.BigInteger(), nullable=False),
        sa.Column("recording_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["label_id"], ["gaze.label.id"], name=op.f("fk_label_recording_label_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["recording_id"], ["gaze.recording.id"], name=op.f("fk_label_recording_recording_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("label_id", "recording_id", name=op.f("pk_label_recording")),
        schema="gaze",
    )
    op.create_index(
        op.f("ix_label_recording_recording_id"), "label_recording", ["recording_id"], unique=False, schema="gaze"
    )


def _create_project_recording() -> None:
    op.create_table(
        "project_recording",
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("recording_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["identity.project.id"], name=op.f("fk_project_recording_project_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["recording_id"], ["gaze.recording.id"], name=op.f("fk_project_recording_recording_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_id", "recording_id", name=op.f("pk_project_recording")),
        schema="gaze",
    )
    op.create_index(
        op.f("ix_project_recording_recording_id"), "project_recording", ["recording_id"], unique=False, schema="gaze"
    )


def _create_recording_fixation() -> None:
    op.create_table(
        "recording_fixation",
        sa.Column("recording_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("fixation_id", sa.Integer(), nullable=False),
        sa.Column("start_ns", sa.BigInteger(), nullable=False),
        sa.Column("end_ns", sa.BigInteger(), nullable=False),
        sa.Column("x", sa.Float(precision=53), nullable=False),
        sa.Column("y", sa.Float(precision=53), nullable=False),
        sa.ForeignKeyConstraint(
            ["recording_id"], ["gaze.recording.id"], name=op.f("fk_recording_fixation_recording_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("recording_id", "number", name=op.f("pk_recording_fixation")),
        schema="gaze",
    )


def _create_aoi() -> None:
    op.create_table(
        "aoi",
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("enrichment_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("color", sa.Text(), nullable=True),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("png", sa.LargeBinary(), nullable=False),
        sa.Column("bits", sa.LargeBinary(), nullable=False),
        sa.Column("box", postgresql.ARRAY(sa.Float(precision=53)), nullable=False),
        sa.Column("centroid", postgresql.ARRAY(sa.Float(precision=53)), nullable=False),
        sa.Column("area_px", sa.BigInteger(), nullable=False),
        sa.Column("proposed_by", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["enrichment_id"], ["gaze.enrichment.id"], name=op.f("fk_aoi_enrichment_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_aoi")),
        sa.UniqueConstraint("enrichment_id", "uuid", name=op.f("uq_aoi_enrichment_id_uuid")),
        schema="gaze",
    )


def _create_mapping() -> None:
    op.create_table(
        "mapping",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("enrichment_id", sa.BigInteger(), nullable=False),
        sa.Column("recording_id", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Uuid(), nullable=False),
        sa.Column("blob", sa.Text(), nullable=True),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("n_samples", sa.BigInteger(), nullable=False),
        sa.Column("n_mapped", sa.BigInteger(), nullable=False),
        sa.Column("period_ns", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("unit IN ('px', 'norm')", name=op.f("ck_mapping_unit")),
        sa.ForeignKeyConstraint(
            ["enrichment_id"], ["gaze.enrichment.id"], name=op.f("fk_mapping_enrichment_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["recording_id"], ["gaze.recording.id"], name=op.f("fk_mapping_recording_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mapping")),
        sa.UniqueConstraint("enrichment_id", "recording_id", name=op.f("uq_mapping_enrichment_id_recording_id")),
        schema="gaze",
    )
    op.create_index(op.f("ix_mapping_recording_id"), "mapping", ["recording_id"], unique=False, schema="gaze")


def _create_fixation() -> None:
    op.create_table(
        "fixation",
        sa.Column("mapping_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("section", sa.Integer(), nullable=False),
        sa.Column("fixation_id", sa.Integer(), nullable=False),
        sa.Column("start_ns", sa.BigInteger(), nullable=False),
        sa.Column("end_ns", sa.BigInteger(), nullable=False),
        sa.Column("x", sa.Float(precision=53), nullable=False),
        sa.Column("y", sa.Float(precision=53), nullable=False),
        sa.Column("detected", sa.SmallInteger(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["mapping_id"], ["gaze.mapping.id"], name=op.f("fk_fixation_mapping_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("mapping_id", "number", name=op.f("pk_fixation")),
        schema="gaze",
    )
    op.create_index(
        op.f("ix_fixation_mapping_id_fixation_id"),
        "fixation",
        ["mapping_id", "fixation_id"],
        unique=False,
        schema="gaze",
    )


def _create_label_aoi() -> None:
    op.create_table(
        "label_aoi",
        sa.Column("label_id", sa.BigInteger(), nullable=False),
        sa.Column("aoi_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["aoi_id"], ["gaze.aoi.id"], name=op.f("fk_label_aoi_aoi_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["label_id"], ["gaze.label.id"], name=op.f("fk_label_aoi_label_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("label_id", "aoi_id", name=op.f("pk_label_aoi")),
        schema="gaze",
    )
    op.create_index(op.f("ix_label_aoi_aoi_id"), "label_aoi", ["aoi_id"], unique=False, schema="gaze")


def _create_section() -> None:
    op.create_table(
        "section",
        sa.Column("mapping_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("start_ns", sa.BigInteger(), nullable=False),
        sa.Column("end_ns", sa.BigInteger(), nullable=False),
        sa.Column("start_event", sa.Text(), nullable=False),
        sa.Column("end_event", sa.Text(), nullable=False),
        sa.Column("first_sample", sa.BigInteger(), nullable=False),
        sa.Column("n_samples", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["mapping_id"], ["gaze.mapping.id"], name=op.f("fk_section_mapping_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("mapping_id", "number", name=op.f("pk_section")),
        schema="gaze",
    )
