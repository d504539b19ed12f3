"""The last act: predict the objects that nobody has looked at, review the 50 that help most, export what is there."""

import argparse
import os
import time

from rich.console import Console
from sklearn.datasets import load_digits

from object_set import FEATURES, ObjectSet

REVIEWED = 50
console = Console()


def truth_of(objects: ObjectSet) -> dict[int, str]:
    """What each object really is, by its number: the image's name says which digit it was."""
    found = objects.post(f"/object_set/{objects.project_id}/query?fields=obj.orig_id", {})
    labels = load_digits().target
    rows = zip(found["object_ids"], found["details"], strict=True)
    return {id_: str(labels[int(name.rpartition("-")[2])]) for id_, (name,) in rows}


def predicted(objects: ObjectSet) -> dict[int, str]:
    """What is predicted of each object that nobody has decided on."""
    found = objects.post(f"/object_set/{objects.project_id}/query?fields=txo.name", {"statusfilter": "P"})
    return {id_: name for id_, (name,) in zip(found["object_ids"], found["details"], strict=True)}


def predict(objects: ObjectSet, taxa: dict[str, int]) -> int:
    """Have everything predicted that nobody has decided on; the job."""
    request = {
        "project_id": objects.project_id,
        "source_project_ids": [objects.project_id],
        "features": [f"fre.{name}" for name in FEATURES],
        "categories": sorted(taxa.values()),
        "pre_mapping": {},
        "classifier": "extra_trees",
    }
    asked = objects.post("/object_set/predict", {"filters": {}, "request": request})
    return int(objects.done(asked["job_id"])["id"])


def review(objects: ObjectSet, truth: dict[int, str], taxa: dict[str, int]) -> int:
    """Decide on the objects that the server suggests, as a person would; how many predictions were right."""
    chosen = objects.post(f"/object_set/{objects.project_id}/suggest?n={REVIEWED}", {})
    guesses = predicted(objects)
    decisions = {"target_ids": chosen, "classifications": [taxa[truth[id_]] for id_ in chosen]}
    objects.post("/object_set/classify", {**decisions, "wanted_qualification": "V"})
    return sum(guesses[id_] == truth[id_] for id_ in chosen)


def export(objects: ObjectSet) -> str:
    """How many objects there are of each kind, as the table that a colleague would get."""
    request = {"project_id": objects.project_id, "quantity": "abundance", "summarise_by": "sample"}
    asked = objects.post("/object_set/export/summary", {"filters": {}, "request": request})
    job = objects.done(asked["job_id"])
    answer = objects.web.request("GET", f"{objects.address}/jobs/{job['id']}/file", headers=objects.headers)
    if answer.status != 200:
        raise RuntimeError(f"The export cannot be read: {answer.status}")
    return answer.data.decode()


def main() -> None:
    """Run all steps on the object set that the first act has made."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    objects = ObjectSet(parser.parse_args().url, os.environ["QUADRAT_DEMO_TOKEN"])
    began = time.monotonic()
    [project] = objects.ask("GET", "/projects/search?title_filter=Handwritten%20digits")
    objects.project_id = project["projid"]
    found = objects.post(
        f"/object_set/{objects.project_id}/query?fields=txo.name,obj.classif_id", {"statusfilter": "V"}
    )
    taxa = dict(found["details"])
    truth = truth_of(objects)
    job = predict(objects, taxa)
    guesses = predicted(objects)
    right = sum(truth[id_] == guess for id_, guess in guesses.items())
    tested = objects.ask("GET", f"/jobs/{job}/report")["accuracy"]
    console.print(
        f"{len(guesses)} objects predicted from {len(FEATURES)} measures: [bold]{right / len(guesses):.3f}[/bold] "
        f"right, as cross-validation had said ({tested:.3f}).\nThe learning in a picture: "
        f"{objects.address}/jobs/{job}/report.svg"
    )
    right = review(objects, truth, taxa)
    console.print(f"{REVIEWED} objects reviewed that the server suggested: {right} of those predictions were right.")
    console.print("What is there now, exported:")
    console.print(export(objects).rstrip(), highlight=False)
    console.print(f"Predicted, reviewed and exported in {time.monotonic() - began:.1f} s.")


if __name__ == "__main__":
    main()
