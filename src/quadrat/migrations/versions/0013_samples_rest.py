"""Tags, embeddings, links, and what the server finds in images."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"

_ID = sa.Text(collation="C")
_TIME = sa.DateTime(timezone=True)
_SCHEMA = "samples"


def upgrade() -> None:
    op.drop_constraint("ck_image_rendition", "image", schema=_SCHEMA)
    op.create_check_constraint(
        op.f("ck_image_rendition"), "image", "rendition IN ('full', 'thumb', 'auto')", schema=_SCHEMA
    )
    _create_facts()
    _create_tags()
    _create_embeddings()
    _create_settings()
    # Looked into like those that come from now on.
    op.execute(
        "INSERT INTO samples.unread (sample_id, dataset_id, at) SELECT s.id, s.dataset_id, i.uploaded_at "
        "FROM samples.image i JOIN samples.sample s ON s.id = i.sample_id WHERE i.rendition = 'full'"
    )


def _of_sample(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["sample_id"], ["samples.sample.id"], name=op.f(f"fk_{table}_sample_id"), ondelete="CASCADE"
    )


def _of_dataset(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["dataset_id"], ["samples.dataset.id"], name=op.f(f"fk_{table}_dataset_id"), ondelete="CASCADE"
    )


def _create_facts() -> None:
    op.create_table(
        "unread",
        sa.Column("sample_id", _ID, nullable=False),
        sa.Column("dataset_id", _ID, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        _of_sample("unread"),
        _of_dataset("unread"),
        sa.PrimaryKeyConstraint("sample_id", name=op.f("pk_unread")),
        schema=_SCHEMA,
    )
    op.create_index(op.f("ix_unread_dataset_id_at"), "unread", ["dataset_id", "at"], schema=_SCHEMA)
    op.create_table(
        "fact",
        sa.Column("sample_id", _ID, nullable=False),
        sa.Column("dataset_id", _ID, nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("sha256", sa.LargeBinary(), nullable=True),
        sa.Column("perceptual_hash", sa.BigInteger(), nullable=True),
        sa.Column("width_px", sa.Integer(), nullable=True),
        sa.Column("height_px", sa.Integer(), nullable=True),
        sa.Column("format", sa.Text(), nullable=True),
        sa.Column("bit_depth", sa.Integer(), nullable=True),
        sa.Column("channels", sa.Integer(), nullable=True),
        sa.Column("metadata", postgresql.JSONB(), nullable=True),
        sa.Column("exif", postgresql.JSONB(), nullable=True),
        sa.Column("made_at", _TIME, nullable=False),
        _of_sample("fact"),
        _of_dataset("fact"),
        sa.PrimaryKeyConstraint("sample_id", name=op.f("pk_fact")),
        schema=_SCHEMA,
    )
    op.create_index(op.f("ix_fact_dataset_id_sha256"), "fact", ["dataset_id", "sha256"], schema=_SCHEMA)
    op.create_index(
        op.f("ix_fact_dataset_id_perceptual_hash"), "fact", ["dataset_id", "perceptual_hash"], schema=_SCHEMA
    )
    op.create_table(
        "reference",
        sa.Column("sample_id", _ID, nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        _of_sample("reference"),
        sa.PrimaryKeyConstraint("sample_id", name=op.f("pk_reference")),
        schema=_SCHEMA,
    )


def _create_tags() -> None:
    op.create_table(
        "tag",
        sa.Column("id", _ID, nullable=False),
        sa.Column("dataset_id", _ID, nullable=False),
        sa.Column("previous_id", _ID, nullable=True),
        sa.Column("query_id", _ID, nullable=True),
        sa.Column("preselected_id", _ID, nullable=True),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("mask", sa.LargeBinary(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("creator", sa.Text(), nullable=True),
        sa.Column("changes", postgresql.JSONB(), nullable=True),
        sa.Column("run_id", _ID, nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("last_modified_at", _TIME, nullable=False),
        _of_dataset("tag"),
        sa.ForeignKeyConstraint(["previous_id"], ["samples.tag.id"], name=op.f("fk_tag_previous_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tag")),
        sa.UniqueConstraint("dataset_id", "name", name=op.f("uq_tag_dataset_id_name")),
        schema=_SCHEMA,
    )
    op.create_index(op.f("ix_tag_previous_id"), "tag", ["previous_id"], schema=_SCHEMA)
    op.create_table(
        "public_token",
        sa.Column("id", _ID, nullable=False),
        sa.Column("dataset_id", _ID, nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=True),
        _of_dataset("public_token"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["identity.user.id"], name=op.f("fk_public_token_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_public_token")),
        sa.UniqueConstraint("hash", name=op.f("uq_public_token_hash")),
        schema=_SCHEMA,
    )
    op.create_index(op.f("ix_public_token_user_id"), "public_token", ["user_id"], schema=_SCHEMA)
    op.create_index(
        op.f("ix_public_token_dataset_id_user_id"), "public_token", ["dataset_id", "user_id"], schema=_SCHEMA
    )


def _create_embeddings() -> None:
    op.create_table(
        "embedding",
        sa.Column("id", _ID, nullable=False),
        sa.Column("dataset_id", _ID, nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("is_processed", sa.Boolean(), nullable=False),
        sa.Column("dimensions", sa.Integer(), nullable=True),
        sa.Column("n_rows", sa.Integer(), nullable=True),
        sa.Column("is_searchable", sa.Boolean(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        _of_dataset("embedding"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_embedding")),
        sa.UniqueConstraint("dataset_id", "name", name=op.f("uq_embedding_dataset_id_name")),
        schema=_SCHEMA,
    )
    op.create_table(
        "projection",
        sa.Column("id", _ID, nullable=False),
        sa.Column("embedding_id", _ID, nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("x", postgresql.ARRAY(sa.REAL()), nullable=False),
        sa.Column("y", postgresql.ARRAY(sa.REAL()), nullable=False),
        sa.Column("sample_indexes", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.CheckConstraint("method IN ('pca', 'tsne', 'umap')", name=op.f("ck_projection_method")),
        sa.ForeignKeyConstraint(
            ["embedding_id"], ["samples.embedding.id"], name=op.f("fk_projection_embedding_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projection")),
        sa.UniqueConstraint("embedding_id", "method", name=op.f("uq_projection_embedding_id_method")),
        schema=_SCHEMA,
    )


def _create_settings() -> None:
    op.create_table(
        "metadata_configuration",
        sa.Column("id", _ID, nullable=False),
        sa.Column("dataset_id", _ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("entries", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("last_modified_at", _TIME, nullable=False),
        _of_dataset("metadata_configuration"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_metadata_configuration")),
        schema=_SCHEMA,
    )
    op.create_index(
        op.f("ix_metadata_configuration_dataset_id"), "metadata_configuration", ["dataset_id"], schema=_SCHEMA
    )
    op.create_table(
        "datasource",
        sa.Column("dataset_id", _ID, nullable=False),
        sa.Column("id", _ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("full_path", sa.Text(), nullable=False),
        sa.Column("settings", postgresql.JSONB(), nullable=False),
        _of_dataset("datasource"),
        sa.PrimaryKeyConstraint("dataset_id", name=op.f("pk_datasource")),
        schema=_SCHEMA,
    )
