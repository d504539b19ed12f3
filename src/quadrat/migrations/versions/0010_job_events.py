"""Every change of a job is announced, so that pages can follow it."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION jobs.announce_job() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_notify('quadrat_job', NEW.id || ' ' || coalesce(NEW.owner_id, 0));
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        "CREATE TRIGGER announce_job AFTER INSERT OR UPDATE ON jobs.job "
        "FOR EACH ROW EXECUTE FUNCTION jobs.announce_job()"
    )
