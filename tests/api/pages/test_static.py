import re

import pytest

from support.pages import Browser

pytestmark = pytest.mark.anyio


async def test_front_page_leads_to_the_app(browser: Browser) -> None:
    answer = await browser.client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/ui/")


async def test_app_is_served_with_a_policy_that_lets_nothing_foreign_in(browser: Browser) -> None:
    answer = await browser.client.get("/ui/")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-cache"
    unchanged = await browser.client.get("/ui/", headers={"If-None-Match": answer.headers["etag"]})
    assert unchanged.status_code == 304
    [script] = re.findall(r'src="(/ui/assets/[^"]+\.js)"', answer.text)
    asset = await browser.client.get(script)
    assert asset.status_code == 200
    assert "immutable" in asset.headers["cache-control"]
    assert asset.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize("path", ["nothing.js", "../app.py", "%2e%2e/app.py", "assets/../../settings.py", "assets"])
async def test_path_that_is_no_file_of_the_app_is_404(browser: Browser, path) -> None:
    assert (await browser.client.get(f"/ui/{path}")).status_code == 404
