"""Projects: the same through every API."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.slugs import slugify
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity import rules
from quadrat.identity.actions.access import ProjectRef, access_to, open_project, unauthenticated
from quadrat.identity.actions.naming import make_named
from quadrat.identity.actions.subscriptions import claim_project
from quadrat.identity.audit import record
from quadrat.identity.changes import announce_change
from quadrat.identity.store import access as access_store
from quadrat.identity.store import organizations as organization_store
from quadrat.identity.store import projects as store
from quadrat.identity.store.unique import refuse_taken
from quadrat.identity.types import Caller, Organization, Project, ProjectId

_NAME_TAKEN = "There is a project with this name already; names are unique on the server."


async def create_project(
    tx: AsyncConnection,
    caller: Caller,
    *,
    organization: str | None = None,
    name: str | None = None,
    title: str | None = None,
) -> Project:
    """Make a project in an organization that the caller administers.

    Args:
        tx: The transaction.
        caller: Who asks.
        organization: Its name; None for the caller's personal one.
        name: Slug; None derives a free one from the title.
        title: As people write it; None for the name.

    Raises:
        QuadratError: invalid, also for an unknown organization; forbidden; already_exists.
    """
    home = await _administered(tx, caller, organization)
    await claim_project(tx, home.id)
    shown = rules.check_text(title, "title") if title is not None else None
    if name is not None:
        made = await store.insert_project(tx, home.id, rules.check_name(name, "name"), shown or name)
        if made is None:
            raise QuadratError(ErrorKind.ALREADY_EXISTS, _NAME_TAKEN, field="name")
    elif shown:
        made = await make_named(
            slugify(shown, fallback="project"),
            lambda stem: store.list_taken_names(tx, stem),
            lambda free: store.insert_project(tx, home.id, free, shown),
        )
    else:
        raise QuadratError(ErrorKind.INVALID, "A project needs a name or a title.", field="title")
    await store.assign_admins(tx, made)
    await record(tx, "project.created", made.name, project=made)
    return made


async def personal_project(tx: AsyncConnection, caller: Caller) -> Project:
    """Where the caller's things go when an API names no project; made on first use. A service user's is its own.

    Raises:
        QuadratError: unauthenticated, when the user was removed a moment ago.
    """
    if caller.service_project_id is not None:
        return (await access_to(tx, caller, caller.service_project_id)).project
    found = await store.find_personal_project(tx, caller.user_id)
    return found if found is not None else await _make_personal_project(tx, caller)


async def get_project(tx: AsyncConnection, caller: Caller, ref: ProjectRef) -> Project:
    """One project that the caller may look into.

    Raises:
        QuadratError: not_found, forbidden.
    """
    return await open_project(tx, caller, ref, "projects.get")


async def list_projects(tx: AsyncConnection, caller: Caller) -> Sequence[Project]:
    """Every project that the caller may know of, by name; seeing one gives no permission in it."""
    return await access_store.list_projects(tx, caller)


async def update_project(
    tx: AsyncConnection, caller: Caller, ref: ProjectRef, *, name: str | None = None, title: str | None = None
) -> Project:
    """Rename a project; its old name is free at once. A title that only repeated the name follows it.

    Raises:
        QuadratError: not_found, forbidden, invalid, already_exists.
    """
    project = await open_project(tx, caller, ref, "projects.update")
    values: dict[str, str] = {}
    if name is not None and name != project.name:
        values["name"] = rules.check_name(name, "name")
        if project.title == project.name:
            values["title"] = name
    if title is not None:
        values["title"] = rules.check_text(title, "title") or values.get("name", project.name)
    if not values:
        return project
    async with refuse_taken(tx, _NAME_TAKEN, field="name"):
        await store.update_project(tx, project.id, values)
    await record(tx, "project.changed", values.get("name", project.name), project=project)
    await announce_change(tx)
    return await store.get_project(tx, project.id)


async def delete_project(tx: AsyncConnection, caller: Caller, ref: ProjectRef) -> None:
    """Remove a project and all that is in it.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await remove_project(tx, (await open_project(tx, caller, ref, "projects.delete")).id)


async def remove_project(tx: AsyncConnection, project_id: ProjectId) -> None:
    """The same, when the caller has been allowed to in another way."""
    project = await store.get_project(tx, project_id)
    await store.delete_project(tx, project.id)
    await record(tx, "project.deleted", project.name, project=project)
    await announce_change(tx)


async def _administered(tx: AsyncConnection, caller: Caller, name: str | None) -> Organization:
    if caller.is_service:
        raise QuadratError(ErrorKind.FORBIDDEN, "A service user can do nothing outside its project.")
    if name is None:
        return await _personal_organization(tx, caller)
    found = await organization_store.find_organization(tx, caller, name)
    if found is None:
        raise QuadratError(ErrorKind.INVALID, f"Organization {name} does not exist.", field="organization")
    organization, level = found
    if not rules.administers(caller, level):
        raise QuadratError(ErrorKind.FORBIDDEN, f"Only administrators of {name} can create projects in it.")
    return organization


async def _personal_organization(tx: AsyncConnection, caller: Caller) -> Organization:
    organization = await organization_store.find_personal_organization(tx, caller.user_id)
    if organization is None:
        raise unauthenticated()
    return organization


async def _make_personal_project(tx: AsyncConnection, caller: Caller) -> Project:
    organization = await _personal_organization(tx, caller)

    async def insert(name: str) -> Project | None:
        made = await store.insert_project(tx, organization.id, name, "Personal", caller.user_id)
        if made is not None:
            await store.assign_admins(tx, made)
            return made
        # Either the name is taken, or another request of the same user was faster.
        return await store.find_personal_project(tx, caller.user_id)

    return await make_named(organization.name, lambda stem: store.list_taken_names(tx, stem), insert)
