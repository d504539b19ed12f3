"""Which graphs a pipeline may have, and how one is laid out for running. Pure.

Source: spec of the serving API, section 3.11.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

import msgspec

from quadrat.base.slugs import is_slug
from quadrat.errors import ErrorKind, QuadratError
from quadrat.serving.pipeline_types import (
    START,
    Attachment,
    Graph,
    Link,
    ObjectId,
    Pipeline,
    PipelineObject,
    Plan,
    ReferenceType,
    Step,
)
from quadrat.serving.types import DataKind, FieldType, Signature

MAX_STEPS = 1000
"""Most runs of objects that one request may lead to."""

_raw_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode = msgspec.json.Encoder().encode


def check_object_name(name: str) -> str:
    """A name for an object; ``pipeline_start`` is none.

    Raises:
        QuadratError: invalid.
    """
    if not is_slug(name):
        raise QuadratError(
            ErrorKind.INVALID,
            "The name of an object must be 1 to 64 lower-case letters, digits and dashes, and start with a letter"
            + (f"; {START} is the start of every pipeline." if name == START else "."),
            field="name",
        )
    return name


def check_attachment(
    pipeline: Pipeline, source: PipelineObject | None, destination: PipelineObject, mapping: Sequence[Link]
) -> None:
    """Refuse an attachment whose ends or mapping do not fit.

    Args:
        pipeline: Whose input is the source when `source` is None.
        source: The object from which data comes; None for the start.
        destination: The object to which it goes.
        mapping: One link for each input field of the destination.

    Raises:
        QuadratError: invalid, naming the field or object at fault.
    """
    if source is not None and source.output is None:
        raise _bad(f"{source.name} is a connector: data goes into it, and nothing comes out.", "source_name")
    if source is not None and source.id == destination.id:
        raise _bad(f"{source.name} cannot be attached to itself.", "destination_name")
    given = pipeline.input if source is None or source.output is None else source.output
    taken = destination.input
    if destination.reference_type is ReferenceType.CONNECTOR and _takes_only_blob(taken) and not mapping:
        _check_only_blob(given)
        return
    if given.kind is not taken.kind:
        raise _bad(f"The source gives {given.kind} data, and {destination.name} takes {taken.kind} data.", "mapping")
    if taken.kind is DataKind.PLAIN:
        if mapping:
            raise _bad("Between plain objects there is no mapping.", "mapping")
        return
    _check_mapping(given, taken, mapping)


def _check_mapping(given: Signature, taken: Signature, mapping: Sequence[Link]) -> None:
    sources = {field.name: field.type for field in given.fields}
    wanted = {field.name: field.type for field in taken.fields}
    seen: set[str] = set()
    for link in mapping:
        if link.source_field not in sources:
            raise _bad(f"The source has no field {link.source_field[:64]}.", "mapping")
        if link.destination_field not in wanted:
            raise _bad(f"The destination has no field {link.destination_field[:64]}.", "mapping")
        if link.destination_field in seen:
            raise _bad(f"The field {link.destination_field} of the destination is mapped more than once.", "mapping")
        seen.add(link.destination_field)
        if sources[link.source_field] is not wanted[link.destination_field]:
            raise _bad(
                f"The field {link.source_field} is {sources[link.source_field]}, and {link.destination_field} is "
                f"{wanted[link.destination_field]}.",
                "mapping",
            )
    missing = [name for name in wanted if name not in seen]
    if missing:
        raise _bad(f"The mapping leaves out the field {', '.join(missing[:5])} of the destination.", "mapping")


def _takes_only_blob(signature: Signature) -> bool:
    return [field.type for field in signature.fields] == [FieldType.BLOB]


def _check_only_blob(given: Signature) -> None:
    if sum(field.type is FieldType.BLOB for field in given.fields) != 1:
        raise _bad(
            "Without a mapping a blob connector takes the only blob of its source, which must have exactly one.",
            "mapping",
        )


def check_graph(graph: Graph) -> None:
    """Refuse a graph with a cycle, with an attachment that does not fit, or that would grow without bounds.

    Raises:
        QuadratError: invalid.
    """
    for attachment in graph.attachments:
        source = None if attachment.source_id is None else graph.objects[attachment.source_id]
        check_attachment(graph.pipeline, source, graph.objects[attachment.destination_id], attachment.mapping)
    steps = count_steps(graph.attachments)
    if steps > MAX_STEPS:
        raise _bad(f"One request would run {steps} objects, and at most {MAX_STEPS} are allowed.", "mapping")


def count_steps(attachments: Sequence[Attachment]) -> int:
    """How many runs of objects a request leads to: an object runs once for each way to it.

    Raises:
        QuadratError: invalid, when the attachments form a cycle.
    """
    sources: dict[ObjectId, list[ObjectId | None]] = defaultdict(list)
    for attachment in attachments:
        sources[attachment.destination_id].append(attachment.source_id)
    sorter = TopologicalSorter({node: [one for one in before if one is not None] for node, before in sources.items()})
    try:
        order = list(sorter.static_order())
    except CycleError as error:
        names = {item.destination_id: item.destination_name for item in attachments}
        way = " -> ".join(names[node] for node in error.args[1])
        raise _bad(f"The attachments would form a cycle: {way}.", "destination_name") from error
    ways: dict[ObjectId | None, int] = {None: 1}
    for node in order:
        ways[node] = sum(ways[before] for before in sources.get(node, ()))
    return sum(ways.values()) - 1


def lay_out(graph: Graph, project_name: str) -> Plan:
    """The runs of a request as a tree; the graph has been checked."""
    leaving: dict[ObjectId | None, list[Attachment]] = defaultdict(list)
    for attachment in graph.attachments:
        leaving[attachment.source_id].append(attachment)

    def steps_after(source_id: ObjectId | None, path: str) -> tuple[Step, ...]:
        return tuple(step_of(attachment, path) for attachment in leaving[source_id])

    def step_of(attachment: Attachment, before: str) -> Step:
        path = f"{before}/{attachment.id}" if before else str(attachment.id)
        target = graph.objects[attachment.destination_id]
        source = None if attachment.source_id is None else graph.objects[attachment.source_id]
        given = graph.pipeline.input if source is None or source.output is None else source.output
        return Step(path, target, _links(attachment, given, target), steps_after(target.id, path))

    return Plan(graph.pipeline, project_name, steps_after(None, ""))


def _links(attachment: Attachment, given: Signature, target: PipelineObject) -> tuple[Link, ...] | None:
    if attachment.mapping:
        return attachment.mapping
    if target.input.kind is DataKind.PLAIN:
        return None
    (blob,) = (field.name for field in given.fields if field.type is FieldType.BLOB)
    return (Link(blob, target.input.fields[0].name),)


def map_data(data: bytes, mapping: Sequence[Link] | None) -> bytes:
    """What a destination gets, made from what its source gave; values keep the text that they came as.

    Args:
        data: Checked data of the source, as JSON text.
        mapping: None to hand it on as it is.
    """
    if mapping is None:
        return data
    fields: Mapping[str, msgspec.Raw] = _raw_fields.decode(data)
    return _encode({link.destination_field: fields[link.source_field] for link in mapping})


def _bad(message: str, field: str) -> QuadratError:
    return QuadratError(ErrorKind.INVALID, message, field=field)
