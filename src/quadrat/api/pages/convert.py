"""From domain values to what the pages read."""

from collections.abc import Iterable
from uuid import UUID

from quadrat.api.pages.schemas import (
    AskedCard,
    AuditRow,
    BuildCard,
    HeldRole,
    JobCard,
    Person,
    Points,
    ProjectCard,
    ProjectPerson,
    ProjectRights,
    TokenCard,
)
from quadrat.identity.types import Access, AuditEntry, MemberLevel, Project, Token, User
from quadrat.jobs.types import Job
from quadrat.samples.types import Projection
from quadrat.serving.actions.rights import NamedAssignment
from quadrat.serving.actions.usage import Asked
from quadrat.serving.types import BuildRun


def to_person(user: User) -> Person:
    """Who is signed in."""
    return Person(
        id=user.id,
        uuid=user.uuid,
        email=user.email,
        name=user.name,
        surname=user.surname,
        is_platform_admin=user.is_platform_admin,
    )


def to_project_card(project: Project, organization_uuid: UUID | None, level: MemberLevel | None) -> ProjectCard:
    """A project in a list."""
    return ProjectCard.model_validate(_project(project, organization_uuid, level))


def to_project_rights(access: Access, organization_uuid: UUID | None, permissions: frozenset[str]) -> ProjectRights:
    """A project with the caller's rights in it."""
    facts = _project(access.project, organization_uuid, access.level)
    return ProjectRights.model_validate({**facts, "permissions": sorted(permissions)})


def _project(project: Project, organization_uuid: UUID | None, level: MemberLevel | None) -> dict[str, object]:
    return {
        "id": project.id,
        "uuid": project.uuid,
        "name": project.name,
        "title": project.title,
        "organization": project.organization_name,
        "organization_uuid": organization_uuid,
        "level": None if level is None else level.value,
        "created_at": project.created_at,
    }


def to_job_card(job: Job, owner: str | None = None) -> JobCard:
    """A job, whichever API asked for it."""
    return JobCard(
        id=job.id,
        uuid=job.uuid,
        kind=job.kind,
        project_id=job.project_id,
        owner=owner,
        state=job.state,
        progress_percent=job.progress_percent,
        message=job.progress_message,
        errors=list(job.errors),
        question=dict(job.question),
        result=dict(job.result),
        has_file=job.result_file is not None,
        attempt=job.attempt,
        created_at=job.created_at,
        updated_at=job.updated_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
    )


def to_build_card(run: BuildRun) -> BuildCard:
    """A build with what its job has come to know."""
    job, told = run.job, run.job.result
    return BuildCard(
        number=run.number,
        job=job.id,
        state=job.state,
        outcome=told.get("outcome"),
        message=told.get("message", "") or " ".join(job.errors),
        package=told.get("package"),
        size_bytes=told.get("size_bytes"),
        language=told.get("language"),
        requirements=told.get("requirements"),
        environment=told.get("environment"),
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
    )


def to_points(made: Projection) -> Points:
    """A projection with the samples that it is of."""
    return Points(
        method=made.method,
        indexes=list(made.sample_indexes),
        x=list(made.x),
        y=list(made.y),
        created_at=made.created_at,
    )


def to_project_person(user: User, level: MemberLevel | None, assignments: Iterable[NamedAssignment]) -> ProjectPerson:
    """Someone in a project, with those of its assignments that are the person's."""
    return ProjectPerson(
        id=user.uuid,
        email=user.email,
        name=user.name,
        surname=user.surname,
        status=user.status,
        is_service=user.service_project_id is not None,
        level=level,
        roles=[_to_held_role(item) for item in assignments if item.assignment.user_uuid == user.uuid],
    )


def _to_held_role(item: NamedAssignment) -> HeldRole:
    target = item.assignment.target
    return HeldRole(
        id=item.assignment.uuid,
        role=item.assignment.role_name,
        object_type="project" if target is None else target.type.value,
        object_name=item.object_name,
    )


def to_audit_row(entry: AuditEntry) -> AuditRow:
    """An entry of the audit trail."""
    return AuditRow(
        id=entry.id,
        at=entry.at,
        action=entry.action,
        actor=entry.actor,
        organization=entry.organization,
        project=entry.project,
        subject=entry.subject,
        detail=dict(entry.detail),
        door=entry.door,
        address=entry.address,
        request_id=entry.request_id,
    )


def to_token_card(token: Token) -> TokenCard:
    """A token without its secret."""
    return TokenCard(
        id=token.id,
        name=token.name,
        created_at=token.created_at,
        expires_at=token.expires_at,
        last_used_at=token.last_used_at,
    )


def to_asked_card(asked: Asked) -> AskedCard:
    """How often a version was asked."""
    return AskedCard(
        version_id=asked.version_id,
        model=asked.model,
        version=asked.version,
        requests=asked.requests,
        failed=asked.failed,
    )
