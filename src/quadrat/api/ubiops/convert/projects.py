"""Projects between the wire and the house."""

from quadrat.api.ubiops.convert.times import to_utc_date
from quadrat.api.ubiops.schemas.projects import ProjectList
from quadrat.identity.types import Project


def to_project_list(project: Project) -> ProjectList:
    """A project, alone and in a list; its creation date is a day."""
    return ProjectList(
        id=str(project.uuid),
        name=project.name,
        creation_date=to_utc_date(project.created_at),
        organization_name=project.organization_name,
    )
