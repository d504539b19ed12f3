import pytest

from support.pages import PASSWORD, Browser

pytestmark = pytest.mark.anyio


async def test_builds_of_a_version_are_for_who_may_see_it(browser: Browser) -> None:
    owner, stranger = [await browser.house.make_person(password=PASSWORD) for _ in range(2)]
    project = await browser.house.make_project(owner)
    headers = {"X-Quadrat-CSRF": await browser.sign_in(owner.caller.email)}
    models = f"/v2.1/projects/{project.name}/models"
    model = {"name": "echo", "input_type": "plain", "output_type": "plain"}
    assert (await browser.client.post(models, json=model, headers=headers)).status_code == 201
    made = await browser.client.post(f"{models}/echo/versions", json={"version": "v1"}, headers=headers)
    assert made.status_code == 201
    builds = f"/ui/api/projects/{project.id}/models/echo/versions/{{}}/builds"
    found = await browser.client.get(builds.format("v1"))
    assert (found.status_code, found.json()) == (200, [])
    assert (await browser.client.get(builds.format("v2"))).status_code == 404
    await browser.sign_in(stranger.caller.email)
    assert (await browser.client.get(builds.format("v1"))).status_code == 404
