"""The model as Cog serves it when it may run several requests at once."""

import json

from cog import BasePredictor, Input


class Predictor(BasePredictor):
    """``output = 2 * input``."""

    async def predict(self, number: float = Input(default=0.0), text: str = Input(default="")) -> str:
        if text:
            return json.dumps([item * 2 for item in json.loads(text)])
        return str(number * 2)
