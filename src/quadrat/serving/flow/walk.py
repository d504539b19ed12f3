"""The way of one request through a pipeline."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from quadrat.serving.pipeline_types import Step, StepRun
from quadrat.serving.types import Content

Execute = Callable[[Step, Content], Awaitable[StepRun]]


async def walk(steps: Sequence[Step], given: Content, execute: Execute) -> None:
    """Run steps and all that follows them: each as soon as its source has succeeded, branches beside each other.

    Args:
        steps: Those that take the same data.
        given: That data.
        execute: Runs one step on what its source gave, which it has to map; a failure is in what it returns, and ends
            only the branch behind it.
    """
    if len(steps) == 1:
        await _follow(steps[0], given, execute)
        return
    branches = [asyncio.create_task(_follow(step, given, execute)) for step in steps]
    try:
        await asyncio.gather(*branches)
    except BaseException:
        for branch in branches:
            branch.cancel()
        await asyncio.gather(*branches, return_exceptions=True)
        raise


async def _follow(step: Step, given: Content, execute: Execute) -> None:
    done = await execute(step, given)
    if done.success and step.following:
        assert done.result is not None  # noqa: S101 - it has succeeded, and is no connector, behind which nothing is
        await walk(step.following, done.result, execute)
