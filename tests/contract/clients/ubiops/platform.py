"""Every operation about people, rights, variables, logs, metrics and usage: once as it should be, once refused."""

import json
import os

import ubiops
import urllib3
from session import connect, own_organization, refusal, report, unique

api = connect()
org = own_organization(api)
project = unique("project")
missing = "00000000-0000-4000-8000-000000000000"
done: dict[str, object] = {}
refused: dict[str, int] = {}


def good(name, by=api, **arguments):
    found = getattr(by, name)(**arguments)
    done[name] = [item.to_dict() for item in found] if isinstance(found, list) else found and found.to_dict()
    return found


def bad(name, by=api, **arguments):
    refused[name] = refusal(getattr(by, name), **arguments)["status"]


def token_client(token, scheme="Token"):
    configuration = ubiops.Configuration()
    configuration.host = os.environ["QUADRAT_CONTRACT_URL"] + "/v2.1"
    configuration.api_key["Authorization"] = f"{scheme} {token}"
    return ubiops.CoreApi(ubiops.ApiClient(configuration))


def sign_in(email, password):
    """What the program does with a password; the client has no operation for it."""
    address = os.environ["QUADRAT_CONTRACT_URL"] + "/v2.1/authorize"
    body = json.dumps({"email": email, "password": password})
    answer = urllib3.PoolManager().request("POST", address, body=body, headers={"Content-Type": "application/json"})
    return answer.status, json.loads(answer.data)


nobody = token_client("0" * 40)
good("service_status", by=nobody)
good(
    "organizations_create",
    data=ubiops.OrganizationCreate(name=unique("o"), subscription="free", subscription_agreed=True),
)
bad("organizations_create", data=ubiops.OrganizationCreate(name=org, subscription="free", subscription_agreed=True))
good("organizations_list")
bad("organizations_list", by=nobody)
good("organizations_get", organization_name=org)
bad("organizations_get", organization_name=unique("no"))
good("projects_create", data=ubiops.ProjectCreate(name=project, organization_name=org))
bad("projects_create", data=ubiops.ProjectCreate(name=project, organization_name=org))

email = f"{unique('p')}@client.example"
good("projects_list")
bad("projects_list", by=nobody)
good("projects_get", project_name=project)
bad("projects_get", project_name=unique("no"))
good("projects_update", project_name=project, data=ubiops.ProjectUpdate(name=project + "-2"))
bad("projects_update", project_name=project, data=ubiops.ProjectUpdate(name=project))
project = project + "-2"

person = {"email": email, "password": "Client-pass-1", "terms_conditions": True, "name": "A", "surname": "B"}
good("user_create", data=ubiops.UserPendingCreate(**person))
bad("user_create", data=ubiops.UserPendingCreate(**person))
good("organization_users_create", organization_name=org, data=ubiops.OrganizationUserCreate(email=email))
bad("organization_users_create", organization_name=org, data=ubiops.OrganizationUserCreate(email=email))
user = done["organization_users_create"]["id"]
good("organization_users_list", organization_name=org)
bad("organization_users_list", organization_name=unique("no"))
for name, more in (("get", {}), ("update", {"data": ubiops.OrganizationUserUpdate(admin=False)})):
    good(f"organization_users_{name}", organization_name=org, user_id=user, **more)
    bad(f"organization_users_{name}", organization_name=org, user_id=missing, **more)

plan = unique("plan")
limits = {"max_projects": 5, "max_users": 5, "logs_retention_days": 7, "gb_seconds": 10**6, "resources": 50}
good("subscriptions_create", data=ubiops.SubscriptionCreate(name=plan, **limits))
bad("subscriptions_create", data=ubiops.SubscriptionCreate(name=plan, **limits))
good("subscriptions_list")
good("subscriptions_get", subscription_name=plan)
bad("subscriptions_get", subscription_name=unique("no"))
good("subscriptions_update", subscription_name=plan, data={"max_projects": 6})
bad("subscriptions_update", subscription_name=plan, data={"max_projects": -1})
good("organizations_update", organization_name=org, data={"subscription": plan, "subscription_agreed": True})
bad("organizations_update", organization_name=org, data={"subscription": plan + "-x", "subscription_agreed": True})
good("organization_subscriptions_list", organization_name=org)
bad("organization_subscriptions_list", organization_name=unique("no"))
bad("subscriptions_delete", subscription_name=plan)
api.organizations_update(organization_name=org, data={"subscription": "free", "subscription_agreed": True})
good("subscriptions_delete", subscription_name=plan)

good("permissions_list")
at = {"project_name": project}
good("roles_create", data=ubiops.RoleCreate(name="mine", permissions=["models.list", "models.get"]), **at)
bad("roles_create", data=ubiops.RoleCreate(name="other", permissions=["models.fly"]), **at)
good("roles_list", **at)
bad("roles_list", project_name=unique("no"))
good("roles_get", role_name="mine", **at)
bad("roles_get", role_name="other", **at)
good("roles_update", role_name="mine", data={"permissions": ["models.list"]}, **at)
bad("roles_update", role_name="model-viewer", data={"permissions": ["models.list"]}, **at)
assignment = good("role_assignments_create", data=ubiops.RoleAssignmentCreate(user_id=user, role="mine"), **at)
bad("role_assignments_create", data=ubiops.RoleAssignmentCreate(user_id=user, role="mine"), **at)
good("role_assignments_get", id=assignment.id, **at)
bad("role_assignments_get", id=missing, **at)
good("role_assignments_per_user_list", user_id=user, **at)
bad("role_assignments_per_user_list", project_name=unique("no"), user_id=user)
good("role_assignments_delete", id=assignment.id, **at)
bad("role_assignments_delete", id=assignment.id, **at)
good("roles_delete", role_name="mine", **at)
bad("roles_delete", role_name="model-viewer", **at)

robot = good("service_users_create", data=ubiops.ServiceUserCreate(name="robot"), **at)
bad("service_users_create", project_name=unique("no"), data=ubiops.ServiceUserCreate(name="robot"))
good("service_users_list", **at)
bad("service_users_list", project_name=unique("no"))
for name, more in (("get", {}), ("update", {"data": ubiops.ServiceUserCreate(name="r2")}), ("token", {"data": {}})):
    good(f"service_users_{name}", service_user_id=robot.id, **at, **more)
    bad(f"service_users_{name}", service_user_id=missing, **at, **more)
robot_api = token_client(done["service_users_token"]["token"])
robot_email = robot_api.user_get().email
bad("user_delete", by=robot_api)
good("service_users_delete", service_user_id=robot.id, **at)
bad("service_users_delete", service_user_id=robot.id, **at)

plain = {"input_type": "plain", "output_type": "plain"}
api.models_create(data=ubiops.ModelCreate(name="m", **plain), **at)
version = api.model_versions_create(model_name="m", data=ubiops.ModelVersionCreate(version="v1"), **at)
model, in_version = {**at, "model_name": "m"}, {**at, "model_name": "m", "version": "v1"}
for level, place in (("project", at), ("model", model), ("model_version", in_version)):
    name = f"{level}_environment_variables_"
    new = ubiops.EnvironmentVariableCreate(name="KEY", value=f"of {level}", secret=False)
    made = good(f"{name}create", data=new, **place)
    bad(f"{name}create", data=new, **place)
    good(f"{name}list", **place)
    bad(f"{name}list", **{**place, "project_name": unique("no")})
    good(f"{name}get", id=made.id, **place)
    bad(f"{name}get", id=missing, **place)
    hidden = ubiops.EnvironmentVariableCreate(name="KEY", value="hush", secret=True)
    good(f"{name}update", id=made.id, data=hidden, **place)
    bad(f"{name}update", id=made.id, data=new, **place)
inherited = [item.to_dict() for item in api.model_version_environment_variables_list(**in_version)]
for level, place in (("model_version", in_version), ("model", model), ("project", at)):
    id_ = done[f"{level}_environment_variables_create"]["id"]
    good(f"{level}_environment_variables_delete", id=id_, **place)
    bad(f"{level}_environment_variables_delete", id=id_, **place)

good("projects_log_list", data=ubiops.LogsCreate(filters={}), **at)
bad("projects_log_list", data=ubiops.LogsCreate(filters={"user": "me"}), **at)
span = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T03:00:00Z", "object_type": "model_version"}
good("metrics_get", metric="requests", object_id=version.id, **span, **at)
bad("metrics_get", metric="volume", **span, **at)
good("projects_resource_usage", **at)
bad("projects_resource_usage", project_name=unique("no"))
good("project_usage_get", **at)
bad("project_usage_get", start_month="soon", **at)
for name in ("organizations_resource_usage", "organization_usage_get", "organization_usage_details_get"):
    good(name, organization_name=org)
    bad(name, organization_name=unique("no"))
good("organization_users_delete", organization_name=org, user_id=user)
bad("organization_users_delete", organization_name=org, user_id=user)
good("projects_delete", **at)
bad("projects_delete", **at)

wrong_password = sign_in(email, "Wrong-pass-1")
own = token_client(sign_in(email, person["password"])[1]["access"], "Bearer")
good("user_get", by=own)
bad("user_get", by=nobody)
bad("user_update", by=own, data={"password": "Another-pass-1", "previous_password": "Wrong-pass-1"})
good("user_update", by=own, data={"name": "Ada", "password": "Another-pass-1", "previous_password": person["password"]})
old_session = refusal(own.user_get)["status"]
own = token_client(sign_in(email, "Another-pass-1")[1]["access"], "Bearer")
good("user_delete", by=own)
deleted = [refusal(own.user_get)["status"], sign_in(email, "Another-pass-1")[0]]

report(
    {
        "done": done,
        "refused": refused,
        "robot": robot_email,
        "inherited": inherited,
        "wrong_password": wrong_password,
        "old_session": old_session,
        "deleted": deleted,
    }
)
