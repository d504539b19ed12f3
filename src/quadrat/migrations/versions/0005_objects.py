"""Object sets: settings, taxa, samples, objects with their history, and what caches follow."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"

_REMOVE_OBJECTS = """
CREATE FUNCTION objects.remove_objects() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM objects.history USING objects.object
        WHERE history.object_id = object.id AND object.project_id = OLD.project_id;
    DELETE FROM objects.prediction USING objects.object
        WHERE prediction.object_id = object.id AND object.project_id = OLD.project_id;
    DELETE FROM objects.fact WHERE project_id = OLD.project_id;
    DELETE FROM objects.feature WHERE project_id = OLD.project_id;
    DELETE FROM objects.image WHERE project_id = OLD.project_id;
    DELETE FROM objects.object WHERE project_id = OLD.project_id;
    RETURN NULL;
END $$
"""
_ON_CLOCK = """
CREATE TRIGGER clock_removes_objects AFTER DELETE ON objects.clock
FOR EACH ROW EXECUTE FUNCTION objects.remove_objects()
"""


def upgrade() -> None:
    op.execute("CREATE SCHEMA objects")
    _create_catalogue()
    _create_following()
    _create_objects()
    _create_the_rest()
    # Objects have no foreign key to their project, which would be checked for each of them: they end with its clock.
    op.execute(_REMOVE_OBJECTS)
    op.execute(_ON_CLOCK)


def _create_catalogue() -> None:
    op.create_table(
        "project",
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("visible", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("status", sa.Text(), server_default="annotate", nullable=False),
        sa.Column("license", sa.Text(), server_default="", nullable=False),
        sa.Column("contact_user_id", sa.BigInteger(), nullable=True),
        sa.Column("instrument", sa.Text(), nullable=True),
        sa.Column("instrument_url", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("comments", sa.Text(), nullable=True),
        sa.Column("classification_settings", sa.Text(), nullable=True),
        sa.Column("sorted_fields", sa.Text(), nullable=True),
        sa.Column("popover_fields", sa.Text(), nullable=True),
        sa.Column("models_used", sa.Text(), nullable=True),
        sa.Column("network", sa.Text(), nullable=True),
        sa.Column("preset_taxa", postgresql.ARRAY(sa.BigInteger()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("formulae", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column(
            "object_numbers", postgresql.ARRAY(sa.Text(collation="C")), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column(
            "object_texts", postgresql.ARRAY(sa.Text(collation="C")), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column(
            "sample_texts", postgresql.ARRAY(sa.Text(collation="C")), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column(
            "acquisition_texts",
            postgresql.ARRAY(sa.Text(collation="C")),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column(
            "process_texts", postgresql.ARRAY(sa.Text(collation="C")), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.CheckConstraint(
            "status IN ('annotate', 'annotate_without_prediction', 'explore')", name=op.f("ck_project_status")
        ),
        sa.ForeignKeyConstraint(
            ["contact_user_id"], ["identity.user.id"], name=op.f("fk_project_contact_user_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["identity.project.id"], name=op.f("fk_project_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_project")),
        schema="objects",
    )
    op.create_table(
        "taxon",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), nullable=True),
        sa.Column("path", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("display_name", sa.Text(collation="C"), nullable=False),
        sa.Column("kind", sa.Text(), server_default="phylo", nullable=False),
        sa.Column("status", sa.Text(), server_default="active", nullable=False),
        sa.Column("renamed_to_id", sa.BigInteger(), nullable=True),
        sa.Column("source_url", sa.Text(), nullable=True),
        sa.Column("source_description", sa.Text(), nullable=True),
        sa.Column("source_id", sa.Text(), nullable=True),
        sa.Column("creator_email", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("n_objects", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("n_objects_below", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("kind IN ('phylo', 'morpho')", name=op.f("ck_taxon_kind")),
        sa.CheckConstraint("status IN ('active', 'new', 'deprecated')", name=op.f("ck_taxon_status")),
        sa.ForeignKeyConstraint(["parent_id"], ["objects.taxon.id"], name=op.f("fk_taxon_parent_id")),
        sa.ForeignKeyConstraint(["renamed_to_id"], ["objects.taxon.id"], name=op.f("fk_taxon_renamed_to_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_taxon")),
        schema="objects",
    )
    op.create_index(
        "ix_taxon_display_name_lower",
        "taxon",
        [sa.literal_column("lower(display_name)")],
        unique=False,
        schema="objects",
    )
    op.create_index("ix_taxon_name_lower", "taxon", [sa.literal_column("lower(name)")], unique=False, schema="objects")
    op.create_index(op.f("ix_taxon_parent_id"), "taxon", ["parent_id"], unique=False, schema="objects")
    op.create_index(op.f("ix_taxon_renamed_to_id"), "taxon", ["renamed_to_id"], unique=False, schema="objects")
    op.create_table(
        "reclassification",
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("from_taxon_id", sa.BigInteger(), nullable=False),
        sa.Column("to_taxon_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.CHAR(length=1), nullable=False),
        sa.Column("n_objects", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["identity.project.id"], name=op.f("fk_reclassification_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_id", "from_taxon_id", "to_taxon_id", name=op.f("pk_reclassification")),
        schema="objects",
    )
    op.create_table(
        "net_sample",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("orig_id", sa.Text(collation="C"), nullable=False),
        sa.Column("latitude", sa.Double(), nullable=True),
        sa.Column("longitude", sa.Double(), nullable=True),
        sa.Column("descriptor", sa.Text(), nullable=True),
        sa.Column("free_texts", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["identity.project.id"], name=op.f("fk_net_sample_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_net_sample")),
        sa.UniqueConstraint("project_id", "orig_id", name=op.f("uq_net_sample_project_id_orig_id")),
        schema="objects",
    )
    op.create_table(
        "acquisition",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("sample_id", sa.BigInteger(), nullable=False),
        sa.Column("orig_id", sa.Text(collation="C"), nullable=False),
        sa.Column("instrument", sa.Text(), nullable=True),
        sa.Column("free_texts", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["identity.project.id"], name=op.f("fk_acquisition_project_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["sample_id"], ["objects.net_sample.id"], name=op.f("fk_acquisition_sample_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_acquisition")),
        sa.UniqueConstraint("project_id", "orig_id", name=op.f("uq_acquisition_project_id_orig_id")),
        schema="objects",
    )
    op.create_index(op.f("ix_acquisition_sample_id"), "acquisition", ["sample_id"], unique=False, schema="objects")
    op.create_table(
        "process",
        sa.Column("acquisition_id", sa.BigInteger(), nullable=False),
        sa.Column("orig_id", sa.Text(collation="C"), nullable=False),
        sa.Column("free_texts", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.ForeignKeyConstraint(
            ["acquisition_id"], ["objects.acquisition.id"], name=op.f("fk_process_acquisition_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("acquisition_id", name=op.f("pk_process")),
        schema="objects",
    )


def _create_following() -> None:
    op.create_table(
        "clock",
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("horizon", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["identity.project.id"], name=op.f("fk_clock_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_clock")),
        schema="objects",
        postgresql_with={"fillfactor": "10"},
    )
    op.create_table(
        "change",
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("object_ids", postgresql.ARRAY(sa.BigInteger()), nullable=True),
        sa.CheckConstraint("kind IN ('state', 'content', 'added', 'removed')", name=op.f("ck_change_kind")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["objects.clock.project_id"], name=op.f("fk_change_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_id", "number", name=op.f("pk_change")),
        schema="objects",
    )


def _create_objects() -> None:
    op.create_table(
        "object",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("sample_id", sa.BigInteger(), nullable=False),
        sa.Column("acquisition_id", sa.BigInteger(), nullable=False),
        sa.Column("author_id", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("predicted_taxon_id", sa.BigInteger(), nullable=True),
        sa.Column("predicted_score", sa.Double(), nullable=True),
        sa.Column("predicted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taxon_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.CHAR(length=1), server_default="U", nullable=False),
        sa.CheckConstraint("(state = 'U') = (taxon_id IS NULL)", name=op.f("ck_object_taxon")),
        sa.CheckConstraint("(state IN ('V', 'D')) = (author_id IS NOT NULL)", name=op.f("ck_object_author")),
        sa.CheckConstraint("state IN ('U', 'P', 'V', 'D')", name=op.f("ck_object_state")),
        sa.CheckConstraint("predicted_score BETWEEN 0 AND 1", name=op.f("ck_object_score")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_object")),
        schema="objects",
        postgresql_with={"fillfactor": "75"},
    )
    op.create_index(op.f("ix_object_acquisition_id"), "object", ["acquisition_id"], unique=False, schema="objects")
    op.create_index(op.f("ix_object_project_id_id"), "object", ["project_id", "id"], unique=False, schema="objects")
    op.create_table(
        "fact",
        sa.Column("object_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("orig_id", sa.Text(collation="C"), nullable=False),
        sa.Column("random_value", sa.Integer(), nullable=False),
        sa.Column("latitude", sa.Double(), nullable=True),
        sa.Column("longitude", sa.Double(), nullable=True),
        sa.Column("depth_min", sa.Double(), nullable=True),
        sa.Column("depth_max", sa.Double(), nullable=True),
        sa.Column("date", sa.Date(), nullable=True),
        sa.Column("time", sa.Time(), nullable=True),
        sa.Column("sun_position", sa.CHAR(length=1), nullable=True),
        sa.Column("link", sa.Text(), nullable=True),
        sa.Column("complement", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("object_id", name=op.f("pk_fact")),
        schema="objects",
    )
    op.create_index(
        op.f("ix_fact_project_id_orig_id"), "fact", ["project_id", "orig_id"], unique=False, schema="objects"
    )
    op.create_table(
        "feature",
        sa.Column("object_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("numbers", postgresql.ARRAY(sa.Double()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("texts", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.PrimaryKeyConstraint("object_id", name=op.f("pk_feature")),
        schema="objects",
    )
    op.create_index(op.f("ix_feature_project_id"), "feature", ["project_id"], unique=False, schema="objects")
    op.create_table(
        "history",
        sa.Column("object_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("change", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taxon_id", sa.BigInteger(), nullable=False),
        sa.Column("author_id", sa.BigInteger(), nullable=True),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("state", sa.CHAR(length=1), nullable=False),
        sa.CheckConstraint("state IN ('P', 'V', 'D')", name=op.f("ck_history_state")),
        sa.PrimaryKeyConstraint("object_id", "change", name=op.f("pk_history")),
        schema="objects",
    )
    op.create_table(
        "prediction",
        sa.Column("object_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("predicted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taxon_ids", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("scores", postgresql.ARRAY(sa.Double()), nullable=False),
        sa.Column("training_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("object_id", name=op.f("pk_prediction")),
        schema="objects",
    )
    op.create_table(
        "image",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("object_id", sa.BigInteger(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("rank", sa.SmallInteger(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("extension", sa.Text(), nullable=False),
        sa.Column("width_px", sa.Integer(), nullable=False),
        sa.Column("height_px", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("thumbnail_width_px", sa.Integer(), nullable=True),
        sa.Column("thumbnail_height_px", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_image")),
        sa.UniqueConstraint("object_id", "rank", name=op.f("uq_image_object_id_rank")),
        schema="objects",
    )
    op.create_index(op.f("ix_image_project_id"), "image", ["project_id"], unique=False, schema="objects")


def _create_the_rest() -> None:
    op.create_table(
        "project_taxon",
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("taxon_id", sa.BigInteger(), nullable=False),
        sa.Column("n_objects", sa.BigInteger(), nullable=False),
        sa.Column("n_predicted", sa.BigInteger(), nullable=False),
        sa.Column("n_validated", sa.BigInteger(), nullable=False),
        sa.Column("n_dubious", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["identity.project.id"], name=op.f("fk_project_taxon_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_id", "taxon_id", name=op.f("pk_project_taxon")),
        schema="objects",
    )
    op.create_index(op.f("ix_project_taxon_taxon_id"), "project_taxon", ["taxon_id"], unique=False, schema="objects")
    op.create_table(
        "user_project",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("recent_taxa", postgresql.ARRAY(sa.BigInteger()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("preferences", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["identity.project.id"], name=op.f("fk_user_project_project_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["identity.user.id"], name=op.f("fk_user_project_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "project_id", name=op.f("pk_user_project")),
        schema="objects",
    )
    op.create_index(op.f("ix_user_project_project_id"), "user_project", ["project_id"], unique=False, schema="objects")
    op.create_table(
        "training",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=True),
        sa.Column("author_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("facts", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.ForeignKeyConstraint(
            ["author_id"], ["identity.user.id"], name=op.f("fk_training_author_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.job.id"], name=op.f("fk_training_job_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["project_id"], ["identity.project.id"], name=op.f("fk_training_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training")),
        schema="objects",
    )
    op.create_index(op.f("ix_training_job_id"), "training", ["job_id"], unique=False, schema="objects")
    op.create_index(op.f("ix_training_project_id"), "training", ["project_id"], unique=False, schema="objects")
    op.create_table(
        "loaded_file",
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.job.id"], name=op.f("fk_loaded_file_job_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["project_id"], ["identity.project.id"], name=op.f("fk_loaded_file_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_id", "name", name=op.f("pk_loaded_file")),
        schema="objects",
    )
    op.create_index(op.f("ix_loaded_file_job_id"), "loaded_file", ["job_id"], unique=False, schema="objects")
    op.create_table(
        "user_file",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("tag", sa.Text(collation="C"), nullable=False),
        sa.Column("path", sa.Text(collation="C"), nullable=False),
        sa.Column("blob_key", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["identity.user.id"], name=op.f("fk_user_file_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_file")),
        sa.UniqueConstraint("blob_key", name=op.f("uq_user_file_blob_key")),
        sa.UniqueConstraint("user_id", "tag", "path", name=op.f("uq_user_file_user_id_tag_path")),
        schema="objects",
    )
