"""Labels over areas and recordings."""

from quadrat.api.guard import new_router
from quadrat.api.pupilcloud.auth import SignedIn
from quadrat.api.pupilcloud.convert import aois as convert
from quadrat.api.pupilcloud.paths import IN_WORKSPACE, InWorkspace, to_uuid
from quadrat.api.pupilcloud.schemas.aois import Label, LabelPatch, LabelPost, LabelsDelete
from quadrat.api.pupilcloud.schemas.envelope import Deleted, Success, success
from quadrat.api.wire import Tx
from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.actions import labels

router = new_router("Labels")

_ALL = IN_WORKSPACE + "/labels/"
_ONE = _ALL + "{label_id}"


@router.get(_ALL, operation_id="get_labels")
async def get_labels(tx: Tx, caller: SignedIn, workspace: InWorkspace) -> Success[list[Label]]:
    """All labels of a workspace."""
    return success([convert.label(found) for found in await labels.list_labels(tx, caller, workspace)])


@router.post(_ALL, operation_id="post_label")
async def post_label(tx: Tx, caller: SignedIn, workspace: InWorkspace, body: LabelPost) -> Success[Label]:
    """Make a label."""
    return success(convert.label(await labels.create_label(tx, caller, workspace, convert.label_content(body))))


@router.delete(_ALL, operation_id="delete_labels")
async def delete_labels(tx: Tx, caller: SignedIn, workspace: InWorkspace, body: LabelsDelete) -> Success[Deleted]:
    """Remove several labels; those that are not there are named."""
    uuids, strange = convert.known_ids(body.label_ids)
    gone, missing = await labels.delete_labels(tx, caller, workspace, uuids)
    return success(Deleted(deleted=[str(one) for one in gone], not_found=[*map(str, missing), *strange]))


@router.get(_ONE, operation_id="get_label")
async def get_label(tx: Tx, caller: SignedIn, workspace: InWorkspace, label_id: str) -> Success[Label]:
    """One label."""
    return success(convert.label(await labels.get_label(tx, caller, workspace, to_uuid(label_id, "Label"))))


@router.post(_ONE, operation_id="post_label_0")
async def post_label_0(
    tx: Tx, caller: SignedIn, workspace: InWorkspace, label_id: str, body: LabelPost
) -> Success[Label]:
    """Make a label whose id is in the path."""
    content = convert.label_content(body, label_id)
    return success(convert.label(await labels.create_label(tx, caller, workspace, content)))


@router.patch(_ONE, operation_id="patch_label")
async def patch_label(
    tx: Tx, caller: SignedIn, workspace: InWorkspace, label_id: str, body: LabelPatch
) -> Success[Label]:
    """Change a label."""
    content = convert.label_content(body, label_id)
    return success(convert.label(await labels.update_label(tx, caller, workspace, to_uuid(label_id, "Label"), content)))


@router.delete(_ONE, operation_id="delete_label")
async def delete_label(tx: Tx, caller: SignedIn, workspace: InWorkspace, label_id: str) -> Success[dict[str, str]]:
    """Remove a label."""
    gone, _ = await labels.delete_labels(tx, caller, workspace, [to_uuid(label_id, "Label")])
    if not gone:
        raise QuadratError(ErrorKind.NOT_FOUND, f"Label {label_id} does not exist.")
    return success({"id": label_id})
