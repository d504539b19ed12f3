"""`make screenshots`: run the demo, look at what it leaves behind in a real browser, keep the pictures of the README.

Usage: python demo/screenshots.py [--into docs/pictures] [--url ADDRESS --token TOKEN]

With --url and --token the server of `make demo KEEP=1` is looked at instead of a new one.
"""

import argparse
import base64
import io
import json
import os
import secrets
import shutil
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright
from sklearn.datasets import load_digits

from run import ACTS, make_table, run_act, start_server, stop_server

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
SIZE = {"width": 1280, "height": 800}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def demo_server() -> Iterator[tuple[str, str]]:
    """Address and token of a server on which all acts of the demo have run; stopped and removed at the end."""
    data_dir = Path(tempfile.mkdtemp(prefix="quadrat-demo-"))
    token = secrets.token_hex(20)
    process, address = start_server(data_dir, token)
    try:
        target = make_table(data_dir)
        for act, *options in ACTS:
            if run_act(act, *options, address=address, token=token, target=target):
                sys.exit(f"The demo's {act} has failed; the server's log is in {data_dir}.")
        yield address, token
    finally:
        stop_server(process)
    shutil.rmtree(data_dir)


class Site:
    """The demo's server as a signed-in person sees it.

    Args:
        page: A page of a browser.
        address: The server.
        token: The administrator's.
    """

    def __init__(self, page: Page, address: str, token: str) -> None:
        self.page = page
        self._address = address
        self._headers = {"Authorization": f"Bearer {token}"}
        answer = page.request.post(f"{address}/ui/api/session", data={"token": token})
        if not answer.ok:
            sys.exit(f"The server does not take the token: {answer.text()}")

    def ask(self, path: str) -> Any:
        """What an API answers."""
        with urllib.request.urlopen(urllib.request.Request(self._address + path, headers=self._headers)) as answer:
            return json.load(answer)

    def project(self, name: str) -> dict[str, Any]:
        """A project by its name."""
        [card] = [one for one in self.ask("/ui/api/projects") if one["name"] == name]
        found: dict[str, Any] = self.ask(f"/ui/api/projects/{card['id']}")
        return found

    def open(self, path: str, *, dark: bool = False) -> None:
        """A page in a theme, once all of it is there."""
        self.page.emulate_media(color_scheme="dark" if dark else "light", reduced_motion="reduce")
        self.page.goto("about:blank")
        self.page.goto(f"{self._address}/ui/#{path}")


def sort_page(site: Site) -> None:
    """Objects that were predicted, some of them chosen."""
    site.open(f"/p/{site.project('handwritten-digits')['id']}/sort?statusfilter=P&zoom=500")
    site.page.wait_for_function(
        "(images => images.length > 100 && images.every((image) => image.complete))"
        "([...document.querySelectorAll('[role=listbox][aria-label=Objects] img')])"
    )
    for key in ("ArrowDown", "ArrowRight", "Space", *["Shift+ArrowRight"] * 3, "ArrowDown", "Space"):
        site.page.keyboard.press(key)
    site.page.get_by_text("5 selected").wait_for()
    site.page.get_by_text("symmetry").wait_for()


def areas_page(site: Site) -> None:
    """Areas on a picture, what they measured, and where somebody looked."""
    project = site.project("looking-at-a-grid")
    base = f"/v2/workspaces/{project['organization_uuid']}/projects/{project['uuid']}/enrichments"
    [enrichment] = site.ask(base)["result"]
    site.open(f"/p/{project['id']}/areas/{enrichment['id']}?heat=1&fixations=1&map=Viridis")
    with site.page.expect_response(lambda answer: "table=fixations" in answer.url):
        site.page.reload()
    site.page.get_by_role("row").nth(3).wait_for()
    site.page.wait_for_load_state("networkidle")


def pipeline_page(site: Site) -> None:
    """A pipeline as a graph, after it has run on one of the images."""
    project = site.project("digits")
    name = site.ask(f"/v2.1/projects/{project['name']}/pipelines")[0]["name"]
    image = load_digits().images[7] * (255 / 16)
    png = io.BytesIO()
    Image.fromarray(image.astype("uint8")).save(png, "PNG")
    site.open(f"/p/{project['id']}/pipelines/{name}?tab=run", dark=True)
    site.page.get_by_label("image").fill(base64.b64encode(png.getvalue()).decode())
    site.page.keyboard.press("Enter")
    site.page.get_by_text("completed").first.wait_for(timeout=60_000)
    site.page.get_by_role("tab", name="Graph").click()
    site.page.get_by_text("last run").wait_for()


SHOTS = {"sort.png": sort_page, "areas.png": areas_page, "pipeline.png": pipeline_page}


def keep(png: bytes, path: Path) -> None:
    """Packed as well as can be, without a change of its colours."""
    with Image.open(io.BytesIO(png)) as whole:
        whole.convert("RGB").save(path, "PNG", optimize=True)


def shoot(address: str, token: str, into: Path) -> None:
    """Every picture."""
    browser_path = os.environ.get("QUADRAT_TEST_BROWSER") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser_path is None:
        sys.exit("Chromium is missing: run `make browser`")
    into.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        # Waiting for a condition evaluates text, which the pages do not allow.
        site = Site(browser.new_page(viewport=SIZE, bypass_csp=True), address, token)
        for name, prepare in SHOTS.items():
            prepare(site)
            site.page.evaluate("document.fonts.ready")
            keep(site.page.screenshot(), into / name)
            print(f"{into / name}: {(into / name).stat().st_size / 1000:.0f} kB")
        browser.close()


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=PICTURES)
    parser.add_argument("--url")
    parser.add_argument("--token")
    options = parser.parse_args()
    if options.url and options.token:
        shoot(options.url, options.token, options.into)
        return
    with demo_server() as (address, token):
        shoot(address, token, options.into)


if __name__ == "__main__":
    main()
