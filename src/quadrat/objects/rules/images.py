"""Where the bytes of images are, in the store and in the wire API. Pure."""

import re
from dataclasses import dataclass

from quadrat.identity.types import ProjectId
from quadrat.objects.types import ImageId

_PER_FOLDER = 10_000
THUMBNAIL = "_mini.jpg"
_TIFF = (".tif", ".tiff")
_VAULT = re.compile(r"([0-9]{4,12})/([0-9]{4})(_mini)?(\.[a-z0-9]{2,5})")


def project_folder(project_id: ProjectId) -> str:
    """Prefix of the keys of all images of a project."""
    return f"objects/{project_id}/images/"


def image_key(project_id: ProjectId, image_id: ImageId, extension: str) -> str:
    """Key of an image's bytes; `extension` has its dot."""
    return f"{project_folder(project_id)}{image_id}{extension}"


def thumbnail_key(project_id: ProjectId, image_id: ImageId) -> str:
    """Key of an image's thumbnail, a JPEG."""
    return f"{project_folder(project_id)}{image_id}{THUMBNAIL}"


def vault_name(image_id: ImageId, extension: str) -> str:
    """The wire API's name of an image file."""
    return f"{image_id // _PER_FOLDER:04d}/{image_id % _PER_FOLDER:04d}{extension}"


def vault_thumbnail_name(image_id: ImageId) -> str:
    """The wire API's name of a thumbnail file."""
    return vault_name(image_id, THUMBNAIL)


def file_name_of(name: str, extension: str) -> str:
    """What to call an image outside: its name, which says so where a TIFF has become a PNG."""
    return name + extension if name.lower().endswith(_TIFF) and extension not in _TIFF else name


@dataclass(frozen=True, slots=True)
class VaultFile:
    """What a name of the wire API stands for."""

    image_id: ImageId
    is_thumbnail: bool
    extension: str


def read_vault_name(name: str) -> VaultFile | None:
    """The opposite of the two above; None for a name that they never make."""
    match = _VAULT.fullmatch(name)
    if match is None:
        return None
    return VaultFile(ImageId(int(match[1]) * _PER_FOLDER + int(match[2])), match[3] is not None, match[4])
