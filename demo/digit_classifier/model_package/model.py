"""A classifier of handwritten digits, as the demo deploys it: it trains itself when an instance starts."""

import base64
import csv
import io
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.svm import SVC


class Model:
    """One request: an image in, a label out."""

    def __init__(self, base_directory, context):
        """Train on the labelled images that the package carries."""
        folder = Path(base_directory) / "training"
        with (folder / "labels.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        images = np.stack([pixels((folder / row["image"]).read_bytes()) for row in rows])
        self.classifier = SVC(gamma=0.001).fit(images, [int(row["label"]) for row in rows])
        print(f"trained on {len(rows)} images for {context['model']}/{context['version']}")

    def request(self, data):
        """Classify one PNG, sent as base64 text."""
        image = pixels(base64.b64decode(data["image"]))
        margins = np.sort(self.classifier.decision_function([image])[0])
        return {
            "label": int(self.classifier.predict([image])[0]),
            "margin": float(margins[-1] - margins[-2]),
        }


def pixels(png):
    """The 64 grey values of an 8 x 8 image, 0 to 16 as in the data set."""
    return np.asarray(Image.open(io.BytesIO(png)), dtype=float).ravel() / 15
