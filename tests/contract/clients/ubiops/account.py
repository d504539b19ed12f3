"""Who am I, and which organizations and projects do I see?"""

import ubiops
from session import connect, own_organization, refusal, report, unique

api = connect()
organization = own_organization(api)
created = api.projects_create(data=ubiops.ProjectCreate(name=unique("project"), organization_name=organization))
renamed = api.projects_update(project_name=created.name, data=ubiops.ProjectUpdate(name=unique("renamed")))
old_name = refusal(api.projects_get, project_name=created.name)
got = api.projects_get(project_name=renamed.name)
listed = [project.name for project in api.projects_list()]
taken = refusal(api.projects_create, data=ubiops.ProjectCreate(name=renamed.name, organization_name=organization))
bad_name = refusal(api.projects_create, data=ubiops.ProjectCreate(name="Not a Name", organization_name=organization))
api.projects_delete(project_name=renamed.name)

report(
    {
        "status": api.service_status().status,
        "user": api.user_get().to_dict(),
        "organization": organization,
        "organizations": [item.name for item in api.organizations_list()],
        "organization_detail": api.organizations_get(organization_name=organization).to_dict(),
        "created": created.to_dict(),
        "renamed": renamed.to_dict(),
        "got": got.to_dict(),
        "listed": listed,
        "old_name": old_name,
        "taken": taken,
        "bad_name": bad_name,
        "deleted": refusal(api.projects_get, project_name=renamed.name),
        "listed_after": [project.name for project in api.projects_list()],
    }
)
