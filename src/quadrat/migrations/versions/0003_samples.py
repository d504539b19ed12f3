"""Datasets and image samples."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

_ID = sa.Text(collation="C")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.execute("CREATE SCHEMA samples")
    _create_dataset()
    _create_sample()
    _create_document()
    _create_image()


def _create_dataset() -> None:
    op.create_table(
        "dataset",
        sa.Column("id", _ID, nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("owner_uuid", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("image_kind", sa.Text(), nullable=True),
        sa.Column("parent_id", _ID, nullable=True),
        sa.Column("n_samples", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("last_modified_at", _TIME, nullable=False),
        sa.CheckConstraint("kind IN ('images', 'videos', 'crops')", name=op.f("ck_dataset_kind")),
        sa.CheckConstraint("image_kind IN ('full', 'thumbnail', 'meta')", name=op.f("ck_dataset_image_kind")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["identity.project.id"], name=op.f("fk_dataset_project_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["owner_uuid"], ["identity.user.uuid"], name=op.f("fk_dataset_owner_uuid"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["samples.dataset.id"], name=op.f("fk_dataset_parent_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset")),
        sa.UniqueConstraint("owner_uuid", "name", name=op.f("uq_dataset_owner_uuid_name")),
        schema="samples",
    )
    op.create_index(op.f("ix_dataset_project_id"), "dataset", ["project_id"], schema="samples")
    op.create_index(op.f("ix_dataset_parent_id"), "dataset", ["parent_id"], schema="samples")


def _create_sample() -> None:
    op.create_table(
        "sample",
        sa.Column("id", _ID, nullable=False),
        sa.Column("dataset_id", _ID, nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("file_name_digest", sa.LargeBinary(), nullable=False),
        sa.Column("thumb_name", sa.Text(), nullable=True),
        sa.Column("request_digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("last_modified_at", _TIME, nullable=False),
        sa.CheckConstraint("kind IN ('image', 'video_frame', 'crop')", name=op.f("ck_sample_kind")),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["samples.dataset.id"], name=op.f("fk_sample_dataset_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sample")),
        sa.UniqueConstraint("dataset_id", "file_name_digest", name=op.f("uq_sample_dataset_id_file_name_digest")),
        schema="samples",
    )
    op.create_index(
        "uq_sample_dataset_id_index",
        "sample",
        ["dataset_id", "index"],
        unique=True,
        schema="samples",
        postgresql_include=["id"],
    )


def _create_document() -> None:
    op.create_table(
        "document",
        sa.Column("sample_id", _ID, nullable=False),
        sa.Column("exif", postgresql.JSONB(), nullable=True),
        sa.Column("metadata", postgresql.JSONB(), nullable=True),
        sa.Column("custom_metadata", postgresql.JSONB(), nullable=True),
        sa.Column("video_frame", postgresql.JSONB(), nullable=True),
        sa.Column("crop", postgresql.JSONB(), nullable=True),
        sa.ForeignKeyConstraint(
            ["sample_id"], ["samples.sample.id"], name=op.f("fk_document_sample_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("sample_id", name=op.f("pk_document")),
        schema="samples",
    )


def _create_image() -> None:
    op.create_table(
        "image",
        sa.Column("sample_id", _ID, nullable=False),
        sa.Column("rendition", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("uploaded_at", _TIME, nullable=False),
        sa.CheckConstraint("rendition IN ('full', 'thumb')", name=op.f("ck_image_rendition")),
        sa.ForeignKeyConstraint(
            ["sample_id"], ["samples.sample.id"], name=op.f("fk_image_sample_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("sample_id", "rendition", name=op.f("pk_image")),
        schema="samples",
    )
