"""Paths of users' files on the server, as the wire API shows and takes them back. Pure."""

from typing import NamedTuple

from quadrat.errors import ErrorKind, QuadratError

USER_FOLDER = "my_files"
_MAX_PATH = 1000


class UserPath(NamedTuple):
    """A file or folder of a user.

    Args:
        tag: The group; made up for a file that was sent without one.
        path: Within the group; empty for all of it.
    """

    tag: str
    path: str

    @property
    def shown(self) -> str:
        """What the wire API calls it."""
        return "/".join(part for part in (USER_FOLDER, self.tag, self.path) if part)


def clean_path(text: str, field: str) -> str:
    """A relative path with ``/`` between its parts.

    Raises:
        QuadratError: invalid for a path that leads elsewhere.
    """
    parts = [part for part in text.replace("\\", "/").split("/") if part not in {"", "."}]
    if ".." in parts or "\0" in text or len(text) > _MAX_PATH:
        raise QuadratError(
            ErrorKind.INVALID, f"The {field} may not hold '..' and has at most {_MAX_PATH} characters.", field=field
        )
    return "/".join(parts)


def read_user_path(text: str) -> UserPath | None:
    """The file or folder that a shown path means; None for a path of another place.

    Raises:
        QuadratError: invalid.
    """
    head, _, rest = clean_path(text, "source_path").partition("/")
    if head != USER_FOLDER or not rest:
        return None
    tag, _, path = rest.partition("/")
    return UserPath(tag, path)


def upload_path(file_name: str, client_path: str | None) -> str:
    """Where an upload goes within its group.

    Args:
        file_name: As it was sent.
        client_path: Its path on the client, to build the same tree again; ends with the file name.

    Raises:
        QuadratError: invalid.
    """
    if ".." in file_name.replace("\\", "/").split("/"):
        raise QuadratError(ErrorKind.INVALID, "The file name may not hold '..'.", field="file")
    name = clean_path(file_name, "file").rpartition("/")[2]
    if not name:
        raise QuadratError(ErrorKind.INVALID, "The file needs a name.", field="file")
    if client_path is None or not client_path:
        return name
    path = clean_path(client_path, "path")
    if path.rpartition("/")[2] != name:
        raise QuadratError(ErrorKind.INVALID, f"The path has to end with the file name, {name}.", field="path")
    return path


def clean_tag(text: str | None) -> str | None:
    """The name of a group; None for none.

    Raises:
        QuadratError: invalid.
    """
    if text is None or not text.strip():
        return None
    tag = text.strip()
    if "/" in tag or "\\" in tag or ".." in tag or "\0" in tag or len(tag) > 255:
        raise QuadratError(ErrorKind.INVALID, "A tag may not hold '/', '\\' or '..'.", field="tag")
    return tag
