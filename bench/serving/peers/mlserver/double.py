"""The model as MLServer serves it. BENCH_SLEEP_S."""

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

SLEEP_S = float(os.environ.get("BENCH_SLEEP_S", "0"))
# What blocks has to leave the loop, else everything waits. A worker is one instance: it works on one at a time, as
# everywhere in this comparison, and not on the six that asyncio's own threads would take on.
ONE = ThreadPoolExecutor(1)


class Double(MLModel):
    """``output = 2 * input``."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        if SLEEP_S:
            await asyncio.get_running_loop().run_in_executor(ONE, time.sleep, SLEEP_S)
        given = NumpyCodec.decode_input(payload.inputs[0])
        return InferenceResponse(
            model_name=self.name, outputs=[NumpyCodec.encode_output(name="output", payload=given * 2)]
        )
