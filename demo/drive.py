"""The main job, as a lab would script it: images in, a model deployed, answers out.

Speaks to the server through the unchanged clients `lightly==1.2.46` and `ubiops==2.1.0`, and over plain HTTP to the
object-set API, whose client is in no package index.
"""

import argparse
import base64
import csv
import importlib.util
import io
import json
import os
import sys
import time
import types
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import ubiops
import urllib3
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from sklearn.datasets import load_digits

from object_set import ObjectSet

PACKAGE = Path(__file__).parent / "digit_classifier"
PROJECT, MODEL, VERSION, DATASET = "digits", "digit-classifier", "v1", "handwritten-digits"
PIPELINE = "digit-to-table"
THREADS = 16
BATCH_ITEMS = 250
BUILD_TIMEOUT_S = 150
POLL_S = 0.25
FIRING_S = 25  # a schedule is looked at every few seconds, and its request takes a moment
MOST_WAIT_S = 10  # for the minute in which the schedule fires
Item = TypeVar("Item")
console = Console()
web = urllib3.PoolManager(maxsize=THREADS, block=True)


def lightly_client() -> Any:
    """The generated client of the package, without the package's top level, which would import torch."""
    spec = importlib.util.find_spec("lightly")
    assert spec is not None
    bare = types.ModuleType("lightly")
    bare.__path__ = list(spec.submodule_search_locations or [])
    sys.modules["lightly"] = bare
    from lightly.openapi_generated import swagger_client  # noqa: PLC0415 - needs the module made above

    return swagger_client


def digit_images() -> list[tuple[str, bytes, int]]:
    """The 1,797 images of scikit-learn's digits (UCI, test set), each as name, PNG and label."""
    digits = load_digits()
    made = []
    for number, (grey, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        png = io.BytesIO()
        # 0..16 become 0..240, so that the pictures can be looked at and nothing is lost.
        Image.fromarray((grey * 15).astype("uint8")).save(png, "PNG")
        made.append((f"digit-{number:04d}.png", png.getvalue(), int(label)))
    return made


class Samples:
    """A dataset of image samples, through the samples API."""

    def __init__(self, url: str, token: str) -> None:
        self.client = lightly_client()
        configuration = self.client.Configuration()
        configuration.host = url
        configuration.api_key["token"] = token
        connection = self.client.ApiClient(configuration)
        connection.rest_client.pool_manager = web
        self.datasets = self.client.DatasetsApi(connection)
        self.samples = self.client.SamplesApi(connection)
        self.dataset_id = ""

    def create_dataset(self, name: str) -> None:
        """A new dataset for what `upload` brings."""
        request = self.client.DatasetCreateRequest(name=name, type="Images", creator="USER_PIP")
        self.dataset_id = self.datasets.create_dataset(request).id

    def upload(self, name: str, png: bytes) -> str:
        """One sample with its bytes; returns its id."""
        request = self.client.SampleCreateRequest(file_name=name)
        sample_id: str = self.samples.create_sample_by_dataset_id(request, self.dataset_id).id
        url = self.samples.get_sample_image_write_url_by_id(self.dataset_id, sample_id, is_thumbnail=False)
        answer = web.request("PUT", url, body=png)
        if answer.status != 200:
            raise RuntimeError(f"PUT of {name}: {answer.status} {answer.data!r}")
        return sample_id

    def download(self, sample_id: str) -> bytes:
        """The bytes of a sample, as the server holds them."""
        url = self.samples.get_sample_image_read_url_by_id(self.dataset_id, sample_id, type="full")
        answer = web.request("GET", url)
        if answer.status != 200:
            raise RuntimeError(f"GET of {sample_id}: {answer.status}")
        return bytes(answer.data)


class Serving:
    """A model version, through the serving API."""

    def __init__(self, url: str, token: str) -> None:
        configuration = ubiops.Configuration(host=f"{url}/v2.1", api_key={"Authorization": f"Token {token}"})
        self.api = ubiops.CoreApi(ubiops.ApiClient(configuration))
        self.version = {"project_name": PROJECT, "model_name": MODEL, "version": VERSION}

    def create_model(self) -> None:
        """A project with a model that takes a picture and returns a label."""
        organization = self.api.organizations_list()[0].name
        self.api.projects_create(data={"name": PROJECT, "organization_name": organization})
        fields = {
            "input_fields": [{"name": "image", "data_type": "string"}],
            "output_fields": [{"name": "label", "data_type": "int"}, {"name": "margin", "data_type": "double"}],
        }
        model = {"name": MODEL, "description": "Handwritten digits", "input_type": "structured"}
        self.api.models_create(PROJECT, data={**model, "output_type": "structured", **fields})
        limits = {"memory_allocation": 1024, "maximum_instances": 1, "maximum_idle_time": 300}
        self.api.model_versions_create(PROJECT, MODEL, data={"version": VERSION, "language": "python3.8", **limits})

    def deploy(self, package: Path) -> None:
        """Upload the package and wait until it is built and loaded."""
        self.api.model_versions_file_upload(**self.version, file=str(package))
        deadline = time.monotonic() + BUILD_TIMEOUT_S
        while True:
            version = self.api.model_versions_get(**self.version)
            if version.status == "available":
                return
            if "failed" in version.status:
                raise RuntimeError(f"The version is {version.status}: {version.error_message}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"The version is still {version.status} after {BUILD_TIMEOUT_S} s")
            time.sleep(POLL_S)

    def build_pipeline(self, target: dict[str, str], png: bytes) -> None:
        """Digit image -> classifier -> a table; and a schedule that classifies one image every minute."""
        names = {"project_name": PROJECT, "pipeline_name": PIPELINE}
        image = [{"name": "image", "data_type": "string"}]
        answer = [{"name": "label", "data_type": "int"}, {"name": "margin", "data_type": "double"}]
        self.api.credentials_create(PROJECT, data={"name": "table", "type": "postgresql", "configuration": target})
        place = {"database": "demo", "table": "predictions"}
        connector = {"name": "table", "type": "postgresql", "credentials": "table", "configuration": place}
        self.api.connectors_create(PROJECT, data={**connector, "input_fields": answer})
        self.api.pipelines_create(PROJECT, data={"name": PIPELINE, "input_type": "structured", "input_fields": image})
        model = {"reference_type": "model", "reference_name": MODEL, "version": VERSION}
        self.api.pipeline_objects_create(**names, data={"name": "classifier", **model})
        table = {"reference_type": "connector", "reference_name": "table"}
        self.api.pipeline_objects_create(**names, data={"name": "table", **table})
        for source, destination, fields in (
            ("pipeline_start", "classifier", image),
            ("classifier", "table", answer),
        ):
            links = [{"source_field_name": item["name"], "destination_field_name": item["name"]} for item in fields]
            ends = {"source_name": source, "destination_name": destination, "mapping": links}
            self.api.pipeline_object_attachments_create(**names, data=ends)
        schedule = {"object_type": "pipeline", "object_name": PIPELINE, "schedule": "* * * * *"}
        data = {"image": base64.b64encode(png).decode()}
        self.api.scheduled_requests_create(PROJECT, data={"name": "every-minute", "request_data": data, **schedule})

    def ask_pipeline(self, png: bytes) -> int:
        """The label of one image, which the pipeline also writes into the table."""
        data = {"image": base64.b64encode(png).decode()}
        answer = self.api.pipelines_request(PROJECT, PIPELINE, data=data)
        (request,) = answer.model_requests
        if not request.success:
            raise RuntimeError(f"The pipeline failed: {request.error_message}")
        status = self.api.connectors_get(PROJECT, "table")
        if status.status == "failed_verification":
            raise RuntimeError(f"The connector cannot be used: {status.error_message}")
        return int(request.result["label"])

    def scheduled(self) -> int:
        """How many requests the schedule has made that have completed."""
        return len(self.api.batch_pipeline_requests_list(PROJECT, PIPELINE, status="completed"))

    def send(self, items: list[dict[str, str]]) -> list[str]:
        """Queue items; returns their ids in the same order."""
        return [made.id for made in self.api.batch_model_requests_create(**self.version, data=items)]

    def collect(self, ids: list[str]) -> list[Any]:
        """State and result of queued items."""
        return list(self.api.batch_model_requests_batch_collect(**self.version, data=ids))


def write_package(path: Path, training: Iterable[tuple[str, bytes, int]]) -> None:
    """The model's code beside the labelled images that it trains on."""
    labels = io.StringIO()
    rows = csv.writer(labels)
    rows.writerow(["image", "label"])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(PACKAGE.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                archive.write(file, file.relative_to(PACKAGE))
        for name, png, label in training:
            archive.writestr(f"model_package/training/{name}", png)
            rows.writerow([name, label])
        archive.writestr("model_package/training/labels.csv", labels.getvalue())


def deploy(serving: Serving, package: Path, training: list[tuple[str, bytes, int]]) -> None:
    """A model that trains on these images, up to its first answer."""
    serving.create_model()
    write_package(package, training)
    serving.deploy(package)
    package.unlink()


def classify(serving: Serving, images: list[tuple[str, bytes, int]], progress: Progress) -> list[tuple[str, int, int]]:
    """Send all images as batch requests and wait for every answer: (name, label, prediction)."""
    items = [{"image": base64.b64encode(png).decode()} for _name, png, _label in images]
    ids: list[str] = []
    for start in range(0, len(items), BATCH_ITEMS):
        ids += serving.send(items[start : start + BATCH_ITEMS])
    known = {id_: (name, label) for id_, (name, _png, label) in zip(ids, images, strict=True)}
    task = progress.add_task("Classifying the second half", total=len(ids))
    answers: dict[str, int] = {}
    waiting = list(ids)
    while waiting:
        for start in range(0, len(waiting), BATCH_ITEMS):
            for item in serving.collect(waiting[start : start + BATCH_ITEMS]):
                if item.status == "failed":
                    raise RuntimeError(f"Request {item.id} failed: {item.error_message}")
                if item.status == "completed":
                    answers[item.id] = int(item.result["label"])
        progress.update(task, completed=len(answers))
        waiting = [id_ for id_ in waiting if id_ not in answers]
        if waiting:
            time.sleep(POLL_S)
    return [(*known[id_], answers[id_]) for id_ in ids]


def tell(results: list[tuple[str, int, int]], seconds: dict[str, float], url: str, file: Path) -> float:
    """Write the results, print what happened and where to look next; returns the accuracy."""
    with file.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["image", "label", "prediction"])
        rows.writerows(results)
    right = sum(label == prediction for _name, label, prediction in results)
    accuracy = right / len(results)
    table = Table(title="What happened", show_header=False)
    for step, took in seconds.items():
        table.add_row(step, f"{took:.1f} s")
    console.print(table)
    mistakes = Counter(f"{label} taken for {given}" for _name, label, given in results if label != given)
    console.print(f"Accuracy [bold]{accuracy:.3f}[/bold]: {right} of {len(results)} images right.")
    console.print("Most frequent mistakes: " + ", ".join(f"{what} ({n})" for what, n in mistakes.most_common(3)))
    console.print(f"Every answer: {file}")
    doors = {"v1": "samples", "api": "objects", "v2.1": "serving"}
    used = ", ".join(f"{url}/{door}/docs ({what})" for door, what in doors.items())
    console.print(f"The APIs that were used: {used}; make demo KEEP=1")
    return accuracy


def wait_for_schedule(serving: Serving) -> str:
    """What became of the schedule; one whose minute is far off is not waited for."""
    began = time.monotonic()
    left_s = 60 - time.time() % 60
    if left_s > MOST_WAIT_S and not serving.scheduled():
        return f"fires in {left_s:.0f} s; make demo KEEP=1 shows it"
    while not serving.scheduled():
        if time.monotonic() > began + left_s + FIRING_S:
            raise RuntimeError("The schedule has not fired")
        time.sleep(POLL_S)
    return "has fired, and its image is in the table too"


@contextmanager
def timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    """Note how long a step takes."""
    began = time.monotonic()
    yield
    seconds[step] = time.monotonic() - began


def progress_of(progress: Progress, task: TaskID, items: Iterable[Item]) -> Iterator[Item]:
    """The items, counted as they come."""
    for item in items:
        progress.advance(task)
        yield item


def main() -> None:
    """Run all steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--results", type=Path, required=True)
    options = parser.parse_args()
    token = os.environ["QUADRAT_DEMO_TOKEN"]
    samples, serving, objects = (made(options.url, token) for made in (Samples, Serving, ObjectSet))
    seconds: dict[str, float] = {}
    columns = (TextColumn("{task.description:<30}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress, ThreadPoolExecutor(THREADS) as threads:
        images = digit_images()
        half = len(images) // 2
        # First what others wait for: the schedule has a minute to fire in, while the images come.
        with timed(seconds, f"a classifier deployed that trains on {half} images"):
            task = progress.add_task("Building and loading the model", total=1)
            deploy(serving, options.results.with_name("digit_classifier.zip"), images[:half])
            progress.advance(task)
        with timed(seconds, "a pipeline built that writes into a table, asked once"):
            serving.build_pipeline(json.loads(os.environ["QUADRAT_DEMO_TARGET"]), images[half][1])
            asked = serving.ask_pipeline(images[half][1])
        with timed(seconds, f"{len(images)} images uploaded as samples"):
            samples.create_dataset(DATASET)
            task = progress.add_task("Uploading images as samples", total=len(images))
            ids = list(progress_of(progress, task, threads.map(lambda image: samples.upload(*image[:2]), images)))
        with timed(seconds, f"an object set of them, {half} validated"):
            objects.load_checked(images, half, progress)
        with timed(seconds, "the other half read back, byte for byte"):
            task = progress.add_task("Reading the other half back", total=len(images) - half)
            kept = list(progress_of(progress, task, threads.map(samples.download, ids[half:])))
            if kept != [png for _name, png, _label in images[half:]]:
                raise RuntimeError("An image came back changed")
        unseen = [(name, png, label) for (name, _png, label), png in zip(images[half:], kept, strict=True)]
        with timed(seconds, f"{len(unseen)} batch requests answered"):
            results = classify(serving, unseen, progress)
    if asked != results[0][2]:
        raise RuntimeError("The pipeline and the batch do not agree")
    with timed(seconds, "waited for the schedule of the pipeline"):
        scheduled = wait_for_schedule(serving)
    console.print(f"The schedule of the pipeline {scheduled}.")
    if tell(results, seconds, options.url, options.results) <= 0.93:
        sys.exit("The accuracy is lower than expected (0.93).")


if __name__ == "__main__":
    main()
