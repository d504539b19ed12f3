"""The only reader of the environment. Built once in `cli`, handed down as plain values."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "QUADRAT_"


class SettingsError(Exception):
    """A setting that cannot be used; the message names it and says what it may be."""


class Settings(BaseSettings):
    """What an operator may set, each as ``QUADRAT_<NAME>`` in the environment or as an option of the command."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, env_ignore_empty=True, extra="forbid")

    data_dir: Path = Field(
        Path("quadrat-data"),
        description="Folder for the embedded database, stored bytes, environments and keys",
    )
    host: str = Field("127.0.0.1", description="Address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one")
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^/]+(/.*)?$",
        description="Address under which clients reach this server, for signed URLs; default: the Host of the request",
    )
    database_url: SecretStr | None = Field(
        None,
        description="A PostgreSQL 15 or newer to use instead of the embedded one: postgresql://user:password@host/name",
    )
    database_pool_size: int = Field(16, ge=1, le=500, description="Most database connections of the web process")
    store_url: str | None = Field(
        None,
        pattern=r"^(s3|gs|az)://.+$",
        description="Bucket for bytes instead of the data directory: s3://bucket/prefix, gs://... or az://...",
    )
    store_endpoint: str | None = Field(None, description="Endpoint of an S3-compatible service, e.g. http://minio:9000")
    admin_email: str | None = Field(None, description="E-mail address of the first administrator")
    admin_password: SecretStr | None = Field(None, description="Password of the first administrator")
    admin_token: SecretStr | None = Field(
        None, description="API token of the first administrator: 40 lower-case hex digits"
    )
    secret_key: SecretStr | None = Field(
        None,
        min_length=32,
        description="Signs URLs and protects secrets; every server of one installation needs the same. Default: a key "
        "generated once in the data directory",
    )
    previous_secret_key: SecretStr | None = Field(
        None,
        min_length=32,
        description="The key before `QUADRAT_SECRET_KEY` was changed, until `quadrat secrets rotate` has run",
    )
    smtp_url: SecretStr | None = Field(
        None,
        pattern=r"^smtps?://.+$",
        description="Server that takes mail: smtp://user:password@host:587 (TLS where offered) or smtps://...; without "
        "one, activation links go to the log",
    )
    mail_from: str = Field("quadrat@localhost", description="Address that mail comes from")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severity that is logged")
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="Log lines as JSON or as text; auto: text on a terminal, JSON elsewhere"
    )
    workers: int = Field(1, ge=0, le=64, description="Job worker processes that `quadrat serve` starts")
    worker_concurrency: int = Field(2, ge=1, le=64, description="Jobs that one worker process runs at a time")
    worker_niceness: int = Field(
        5,
        ge=0,
        le=19,
        description="How far jobs stand back while people and models want the processor; 0 for not at all",
    )
    max_upload_bytes: int = Field(2 * 1024**3, ge=1, description="Largest file that may be uploaded, in bytes")
    max_archive_bytes: int = Field(
        50 * 1024**3, ge=1, description="Largest archive of objects that may be uploaded to import it, in bytes"
    )
    common_dir: Path | None = Field(
        None,
        description="Folder of this machine that every user may import objects from; a worker elsewhere needs it too",
    )
    export_dir: Path | None = Field(
        None,
        description="Folder of this machine into which copies of exports are put on request (`out_to_ftp`); a worker "
        "elsewhere needs it too",
    )
    export_right: Literal["read", "annotate", "manage"] = Field(
        "read", description="Least right in a project that lets a user export its objects"
    )
    import_processes: int = Field(
        0, ge=0, le=64, description="Processes that one import reads images with; 0 for one for each core, at most 8"
    )
    max_body_bytes: int = Field(100 * 1024**2, ge=1024, description="Largest request body other than a file, in bytes")
    read_url_life: Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(days=7))] = Field(
        timedelta(hours=24), description="Life of a signed read URL, ISO 8601 duration or seconds"
    )
    write_url_life: Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(days=7))] = Field(
        timedelta(hours=1), description="Life of a signed write URL, ISO 8601 duration or seconds"
    )
    unused_upload_life: Annotated[timedelta, Field(gt=timedelta(0))] = Field(
        timedelta(days=7),
        description="How long a file uploaded for gaze is kept that nothing refers to, after its last byte; ISO 8601 "
        "duration or seconds",
    )
    session_life: Annotated[timedelta, Field(gt=timedelta(0))] = Field(
        timedelta(days=31), description="Life of a token that was given for a password"
    )
    sign_in_attempts: int = Field(
        10,
        ge=1,
        description="Failed sign-ins per account or address within 15 minutes before further ones are refused",
    )
    max_samples_per_dataset: int = Field(10_000_000, ge=1, description="Image samples that one dataset may hold")
    object_memory_bytes: int = Field(
        256 * 1024**2,
        ge=0,
        description="Memory of the web process for columns of objects, in bytes, and a quarter as much for what lists "
        "have shown of them; larger projects are queried in SQL",
    )
    max_image_pixels: int = Field(
        300_000_000, ge=1, description="Pixels of the largest image that is decoded; the bytes of larger ones are kept"
    )
    decoder_memory_bytes: int = Field(
        3 * 1024**3, ge=256 * 1024**2, description="Most memory of one process that decodes images, in bytes"
    )
    import_roots: list[str] = Field(
        [],
        description="Folders and buckets whose images may be imported over the API without a copy, as a JSON list; "
        "`quadrat samples import` takes any",
    )
    shutdown_grace_s: float = Field(
        30.0,
        ge=0,
        description="How long running requests and jobs may go on when the server is told to stop, in seconds",
    )
    model_user: str | None = Field(
        None,
        description="System user that runs model code when the server is root; default: one without a name each",
    )
    model_sandbox: bool = Field(
        True,
        description="Give each instance a file system of its own with bubblewrap, where that is installed and works",
    )
    model_memory_mb: int | None = Field(
        None,
        ge=256,
        description="Memory that the instances of all models may be given together, in MB; default: 80 % of the "
        "machine's",
    )
    instance_start_timeout_s: float = Field(
        300.0, gt=0, description="Longest time a model may take to load, in seconds"
    )

    connector_deny_private: bool = Field(
        False,
        description="Refuse connectors to private and loopback addresses; link-local ones are refused always",
    )

    @classmethod
    def load(cls, **overrides: Any) -> "Settings":
        """Read the environment; options of the command win over it.

        Raises:
            SettingsError: A value that cannot be used, or a ``QUADRAT_*`` variable that does not exist.
        """
        _refuse_unknown(cls)
        try:
            return cls(**{name: value for name, value in overrides.items() if value is not None})
        except ValidationError as error:
            problems = "; ".join(
                f"{PREFIX}{str(problem['loc'][0]).upper() if problem['loc'] else ''}: {problem['msg']}"
                for problem in error.errors(include_input=False)
            )
            raise SettingsError(problems) from None

    def with_options(self, **options: Any) -> "Settings":
        """The same settings, with the options of one command over them.

        Raises:
            SettingsError: An option that cannot be used.
        """
        chosen = {name: value for name, value in options.items() if value is not None}
        return Settings.load(**{**self.model_dump(exclude_unset=True), **chosen})


def _refuse_unknown(settings: type[Settings]) -> None:
    known = {PREFIX + name.upper() for name in settings.model_fields}
    # Read by the test suite and the benchmarks, never by the server.
    ignored = ("QUADRAT_TEST_", "QUADRAT_CONTRACT_", "QUADRAT_BENCH_")
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known and not name.startswith(ignored):
            message = f"{name} is not a setting of Quadrat; `quadrat serve --help` and docs/settings.md list them all"
            raise SettingsError(message)
