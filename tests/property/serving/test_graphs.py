"""Graphs of pipelines against a naive model: a list of ways, walked one by one."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quadrat.errors import QuadratError
from quadrat.identity.types import ProjectId
from quadrat.serving.pipeline_types import (
    START,
    Attachment,
    AttachmentId,
    Graph,
    ObjectId,
    Pipeline,
    PipelineId,
    PipelineObject,
    ReferenceType,
    Step,
)
from quadrat.serving.rules.pipelines import count_steps, lay_out
from quadrat.serving.types import DataKind, Signature, VersionId

NOBODY = UUID(int=0)
PLAIN = Signature(DataKind.PLAIN)
NODES = st.integers(0, 6)
EDGES = st.lists(st.tuples(NODES, st.integers(1, 6)), max_size=12, unique=True)


def graph_of(edges: list[tuple[int, int]]) -> Graph:
    """Node 0 is the start."""
    at = datetime.now(UTC)
    objects = {
        ObjectId(number): PipelineObject(
            ObjectId(number),
            NOBODY,
            f"n{number}",
            ReferenceType.MODEL,
            "m",
            "v",
            VersionId(1),
            None,
            PLAIN,
            PLAIN,
        )
        for number in range(1, 7)
    }
    attachments = tuple(
        Attachment(
            AttachmentId(number),
            NOBODY,
            ObjectId(source) if source else None,
            f"n{source}" if source else START,
            ObjectId(destination),
            f"n{destination}",
            (),
        )
        for number, (source, destination) in enumerate(edges)
    )
    return Graph(Pipeline(PipelineId(1), NOBODY, ProjectId(1), "p", "", PLAIN, at, at), objects, attachments)


def has_cycle(edges: list[tuple[int, int]]) -> bool:
    """Whether a walk of more edges than there are nodes is possible."""
    reached = {source for source, _ in edges}
    for _ in range(8):
        reached = {destination for source, destination in edges if source in reached}
    return bool(reached)


def ways(edges: list[tuple[int, int]], node: int = 0, before: str = "") -> list[str]:
    found = []
    for number, (source, destination) in enumerate(edges):
        if source == node:
            path = f"{before}/{number}" if before else str(number)
            found += [path, *ways(edges, destination, path)]
    return found


def paths(steps: tuple[Step, ...]) -> list[str]:
    return [path for step in steps for path in (step.path, *paths(step.following))]


@given(EDGES)
def test_steps_are_the_ways_from_the_start(edges: list[tuple[int, int]]):
    graph = graph_of(edges)
    if has_cycle(edges):
        with pytest.raises(QuadratError, match="cycle"):
            count_steps(graph.attachments)
        return
    expected = ways(edges)
    assert count_steps(graph.attachments) == len(expected)
    assert paths(lay_out(graph, "project").steps) == expected
