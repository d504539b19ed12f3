"""How quickly the sorting page comes, marks, decides and scrolls, in a real browser over a real server.

Usage: python bench/web/run.py [--objects 500] [--runs 5]

Ends with 1 when a budget is missed. Needs Chromium (`make browser`) and the developers' requirements.
"""

import argparse
import csv
import gzip
import io
import os
import platform
import re
import secrets
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import httpx2
from PIL import Image, ImageDraw
from playwright.sync_api import Page, sync_playwright

EMAIL, PASSWORD, TOKEN = "bench@example.org", "Correct-horse-1", secrets.token_hex(20)
BUILT = Path(__file__).parents[2] / "src" / "quadrat" / "webui"
SIZE_KB, CLICK_MS, CLASSIFY_MS, SCROLL_FPS = 60, 60, 150, 55
# From the event to the frame that shows it, as the browser's own clock tells.
CLICK = """async (place) => {
  const tile = document.querySelectorAll('[role=listbox][aria-label=Objects] [role=option]')[place];
  const began = performance.now();
  tile.dispatchEvent(new MouseEvent('click', { bubbles: true }));
  while (tile.getAttribute('aria-selected') !== 'true') await new Promise(requestAnimationFrame);
  await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  const took = performance.now() - began;
  tile.dispatchEvent(new MouseEvent('click', { bubbles: true }));
  return took;
}"""
CLASSIFY = """async (key) => {
  const list = document.querySelector('[role=listbox][aria-label=Objects]');
  const press = (key, ctrlKey) => list.dispatchEvent(new KeyboardEvent('keydown', { key, ctrlKey, bubbles: true }));
  list.focus();
  press('a', true);
  await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  const before = list.innerHTML;
  const began = performance.now();
  press(key, false);
  while (list.innerHTML === before) await new Promise(requestAnimationFrame);
  await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  return performance.now() - began;
}"""
SCROLL = """async () => {
  const list = document.querySelector('[role=listbox][aria-label=Objects]');
  const far = list.scrollHeight - list.clientHeight;
  let frames = 0, began = 0;
  return new Promise((resolve) => {
    const step = (now) => {
      began ||= now;
      const share = (now - began) / 2000;
      list.scrollTop = far * Math.min(1, share);
      frames++;
      if (share < 1) requestAnimationFrame(step);
      else resolve({ fps: (1000 * (frames - 1)) / (now - began), far });
    };
    requestAnimationFrame(step);
  });
}"""


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure beside its budget.

    Args:
        name: What was measured.
        value: What came of it.
        budget: What it should be.
        unit: Of both.
        at_least: The budget is a lower bound.
    """

    name: str
    value: float
    budget: float
    unit: str
    at_least: bool = False

    @property
    def holds(self) -> bool:
        """Whether the budget is kept."""
        return self.value >= self.budget if self.at_least else self.value <= self.budget


def serve(data_dir: Path) -> tuple[subprocess.Popen[str], str]:
    """A real server, once it answers."""
    process = subprocess.Popen(
        [sys.executable, "-m", "quadrat.cli.main", "--data-dir", str(data_dir), "serve", "--port", "0"],
        env={
            **os.environ,
            "QUADRAT_ADMIN_EMAIL": EMAIL,
            "QUADRAT_ADMIN_PASSWORD": PASSWORD,
            "QUADRAT_ADMIN_TOKEN": TOKEN,
            "QUADRAT_LOG_LEVEL": "error",
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"http://\S+", line):
            return process, found.group()
    raise SystemExit("The server did not start.")


def objects(count: int) -> bytes:
    """An archive of predicted objects with pictures of their own."""
    content, table = io.BytesIO(), io.StringIO()
    names = ["object_id", "img_file_name", "sample_id", "acq_id", "process_id", "object_annotation_status"]
    writer = csv.writer(table, delimiter="\t", lineterminator="\n")
    writer.writerow([*names, "object_annotation_category"])
    writer.writerow(["[t]"] * (len(names) + 1))
    with zipfile.ZipFile(content, "w") as archive:
        for number in range(count):
            side = 40 + number * 37 % 80
            picture = Image.new("L", (side, side), 240)
            ImageDraw.Draw(picture).ellipse((4, 4, side - 5, side - 9), fill=60 + number % 120)
            drawn = io.BytesIO()
            picture.save(drawn, "PNG")
            archive.writestr(f"o{number}.png", drawn.getvalue())
            writer.writerow([f"o{number}", f"o{number}.png", "s", "a", "p", "predicted", "Copepoda"])
        archive.writestr("ecotaxa_bench.tsv", table.getvalue())
    return content.getvalue()


def import_objects(url: str, count: int) -> int:
    """A project with so many objects; its number."""
    with httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=120) as client:
        project = int(client.post("/api/projects/create", json={"title": "bench"}).json())
        sent = client.post("/api/my_files/", files={"file": ("bench.zip", objects(count))}, data={"path": "bench.zip"})
        job = client.post(f"/api/file_import/{project}", json={"source_path": sent.json()}).json()["job_id"]
        while (found := client.get(f"/api/jobs/{job}/").json())["state"] not in {"F", "E"}:
            time.sleep(0.2)
        assert found["state"] == "F", found
    return project


def first_load(page: Page, address: str) -> float:
    """Kilobytes of scripts and styles that the page asks for until it shows objects, as gzip sends them."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    page.locator("[role=listbox][aria-label=Objects] [role=option]").first.wait_for()
    found = (re.search(r"/ui/(assets/[^?]*\.(?:js|css))", url) for url in list(asked))
    names = {match.group(1) for match in found if match}
    return sum(len(gzip.compress((BUILT / name).read_bytes(), 9)) for name in names) / 1000


def measure(page: Page, url: str, project: int, count: int, runs: int) -> list[Measured]:
    """Everything, on a page of so many objects."""
    page.goto(f"{url}/ui/")
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Good to see you").wait_for()
    page.goto("about:blank")
    size = first_load(page, f"{url}/ui/#/p/{project}/sort?size={count}")
    page.wait_for_function(
        "n => document.querySelectorAll('[role=listbox][aria-label=Objects] [role=option]').length === n", arg=count
    )
    page.wait_for_function(
        "[...document.querySelectorAll('[role=listbox][aria-label=Objects] img')].every((image) => image.complete)"
    )
    page.wait_for_timeout(3000)  # whatever else the page fetches while idle
    clicks = [page.evaluate(CLICK, 3 + run) for run in range(2 * runs)]
    decided = [page.evaluate(CLASSIFY, "vd"[run % 2]) for run in range(runs)]
    page.wait_for_timeout(1000)
    page.evaluate(SCROLL)
    scrolled = [page.evaluate(SCROLL) for _ in range(runs)]
    assert scrolled[0]["far"] > 1000, "there is nothing to scroll"
    return [
        Measured("first load of Sort, JavaScript and CSS, gzip", size, SIZE_KB, "kB"),
        Measured("click to marked, median", statistics.median(clicks), CLICK_MS, "ms"),
        Measured(f"decide on {count} objects to painted, median", statistics.median(decided), CLASSIFY_MS, "ms"),
        Measured(
            f"scroll {count} tiles, median", statistics.median(one["fps"] for one in scrolled), SCROLL_FPS, "fps", True
        ),
    ]


def main() -> int:
    """Measure and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=500)
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    names = ("chromium", "chromium-browser", "google-chrome")
    browser_path = os.environ.get("QUADRAT_TEST_BROWSER") or next(filter(None, map(shutil.which, names)), None)
    if browser_path is None:
        sys.exit("Chromium is missing: run `make browser`")
    with tempfile.TemporaryDirectory(prefix="quadrat-bench-") as folder:
        process, url = serve(Path(folder))
        try:
            project = import_objects(url, asked.objects)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"]
                )
                # Waiting for a condition evaluates text, which the pages do not allow.
                page = browser.new_page(viewport={"width": 1280, "height": 800}, bypass_csp=True)
                found = measure(page, url, project, asked.objects, asked.runs)
                version = browser.version
                browser.close()
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
    print(f"Chromium {version} without a GPU, {os.cpu_count()} cores, {platform.machine()}\n")
    print("| | measured | budget | |\n|---|---:|---:|---|")
    for one in found:
        bound = "≥" if one.at_least else "≤"
        mark = "✓" if one.holds else "✕"
        print(f"| {one.name} | {one.value:.1f} {one.unit} | {bound} {one.budget} {one.unit} | {mark} |")
    return 0 if all(one.holds for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
