"""The model as Cog serves it; its inputs have fixed types, so large data goes as text."""

import json
import os
import time

from cog import BasePredictor, Input

SLEEP_S = float(os.environ.get("BENCH_SLEEP_S", "0"))


class Predictor(BasePredictor):
    """``output = 2 * input``."""

    def predict(self, number: float = Input(default=0.0), text: str = Input(default="")) -> str:
        if SLEEP_S:
            time.sleep(SLEEP_S)
        if text:
            return json.dumps([item * 2 for item in json.loads(text)])
        return str(number * 2)
