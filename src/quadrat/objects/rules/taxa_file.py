"""A tree of taxa in a file: of WoRMS or GBIF (Darwin Core), or as the object-set API's original writes it. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from quadrat.errors import ErrorKind, QuadratError

# The names of one thing in the files of different sources, in lower case; the first that is there counts.
_COLUMNS = {
    "id": ("id", "taxonid", "aphiaid", "taxon_id"),
    "parent": ("parent_id", "parentnameusageid", "parentid", "parent_aphiaid", "parenttaxonid"),
    "name": ("canonicalname", "scientificname", "name", "taxon_name"),
    "shown": ("display_name",),
    "accepted": ("rename_to", "acceptednameusageid", "valid_aphiaid", "accepted_id"),
    "status": ("taxostatus", "taxonomicstatus", "status"),
    "kind": ("taxotype", "type"),
    "url": ("source_url", "references", "url"),
    "description": ("source_desc", "description"),
}
_NUMBERED_BY_US = "taxotype"
_DEPRECATED = frozenset({"d", "deprecated", "unaccepted", "synonym", "invalid"})
_MAX_NAME = 200
_MAX_SHOWN = 1000


@dataclass(frozen=True, slots=True)
class FileTaxon:
    """One line.

    Args:
        key: Its number in the file.
        parent: Number of its parent; empty for a root.
        name: Its own.
        shown: The display name that it has in its source; empty when the file does not say.
        accepted: Number of the taxon to use instead; empty for an accepted one.
        is_form: A form or thing, no group of organisms.
        is_deprecated: Not to be used any more.
        url: Where it is described.
        description: How.
    """

    key: str
    parent: str
    name: str
    shown: str
    accepted: str
    is_form: bool
    is_deprecated: bool
    url: str | None
    description: str | None


@dataclass(frozen=True, slots=True)
class TaxaFile:
    """A whole file.

    Args:
        taxa: Parents before their children.
        keeps_numbers: Whether the file's numbers are those of an object-set server, which archives refer to.
    """

    taxa: Sequence[FileTaxon]
    keeps_numbers: bool


def read_taxa(rows: Iterable[Sequence[str]], known: Iterable[str] = ()) -> TaxaFile:
    """The taxa of a file.

    Args:
        rows: Cells, the names of the columns first.
        known: Numbers in the source of taxa that are there already: parents may be among them.

    Raises:
        QuadratError: invalid, and which line or taxon it is.
    """
    lines = iter(rows)
    header = [name.strip().lower() for name in next(lines, ())]
    at = {what: header.index(name) for what, names in _COLUMNS.items() for name in reversed(names) if name in header}
    missing = [what for what in ("id", "parent", "name") if what not in at]
    if missing:
        wanted = " or ".join(_COLUMNS[missing[0]])
        raise _invalid(f"The file has no column {wanted}. The first line names the columns, with tabs between them.")
    taxa: dict[str, FileTaxon] = {}
    for number, cells in enumerate(lines, start=2):
        if any(cells):
            taxon = _read_line(cells, at, number)
            if taxon.key in taxa:
                raise _invalid(f"Line {number}: {taxon.key} is there twice.")
            taxa[taxon.key] = taxon
    return TaxaFile(list(_parents_first(taxa, frozenset(known))), _NUMBERED_BY_US in header)


def _read_line(cells: Sequence[str], at: Mapping[str, int], number: int) -> FileTaxon:
    def cell(what: str) -> str:
        index = at.get(what)
        return cells[index].strip() if index is not None and index < len(cells) else ""

    key, name, accepted = cell("id"), cell("name"), cell("accepted")
    if not key or not name or len(name) > _MAX_NAME or not name.isprintable():
        raise _invalid(f"Line {number}: a taxon needs an id, and a name of at most {_MAX_NAME} characters.")
    parent, shown = cell("parent"), cell("shown")
    if len(shown) > _MAX_SHOWN or not shown.isprintable():
        raise _invalid(f"Line {number}: a display name has at most {_MAX_SHOWN} characters.")
    return FileTaxon(
        key=key,
        parent="" if parent == key else parent,
        name=name,
        shown=shown,
        accepted="" if accepted == key else accepted,
        is_form=cell("kind").upper() == "M",
        is_deprecated=cell("status").lower() in _DEPRECATED,
        url=cell("url") or None,
        description=cell("description") or None,
    )


def _parents_first(taxa: Mapping[str, FileTaxon], known: frozenset[str]) -> Iterator[FileTaxon]:
    done: set[str] = set()
    for start in taxa.values():
        path: list[FileTaxon] = []
        taxon: FileTaxon | None = start
        under_way: set[str] = set()
        while taxon is not None and taxon.key not in done:
            if taxon.key in under_way:
                raise _invalid(f"{taxon.name} ({taxon.key}) is its own ancestor.")
            under_way.add(taxon.key)
            path.append(taxon)
            above = taxa.get(taxon.parent) if taxon.parent else None
            if taxon.parent and above is None and taxon.parent not in known:
                raise _invalid(f"The parent {taxon.parent} of {taxon.name} ({taxon.key}) is not there.")
            taxon = above
        for ready in reversed(path):
            done.add(ready.key)
            yield ready


def display_names(taken: set[str], named: Iterable[tuple[str, str, Sequence[str]]]) -> Iterator[str]:
    """A display name for each taxon that no other has: that of its source, else its name with its nearest ancestors.

    Args:
        taken: In lower case; those given are added.
        named: Name, the source's display name or nothing, and names of the ancestors from the parent up.
    """
    for name, wanted, ancestors in named:
        if wanted and wanted.lower() not in taken:
            taken.add(wanted.lower())
            yield wanted
            continue
        shown = name
        for ancestor in ancestors:
            if shown.lower() not in taken:
                break
            shown = f"{shown}<{ancestor}"
        number = 2
        unique = shown
        while unique.lower() in taken:
            unique = f"{shown} {number}"
            number += 1
        taken.add(unique.lower())
        yield unique


def _invalid(message: str) -> QuadratError:
    return QuadratError(ErrorKind.INVALID, message)
