"""The model as MLServer serves it. BENCH_SLEEP_S."""

import asyncio
import os
import time

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

SLEEP_S = float(os.environ.get("BENCH_SLEEP_S", "0"))


class Double(MLModel):
    """``output = 2 * input``."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        if SLEEP_S:
            # What blocks has to leave the loop, else everything waits.
            await asyncio.to_thread(time.sleep, SLEEP_S)
        given = NumpyCodec.decode_input(payload.inputs[0])
        return InferenceResponse(
            model_name=self.name, outputs=[NumpyCodec.encode_output(name="output", payload=given * 2)]
        )
