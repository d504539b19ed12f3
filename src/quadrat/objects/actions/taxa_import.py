"""Taking in a tree of taxa from a file, for who runs the server."""

import asyncio
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.objects.importing.copying import text_cell
from quadrat.objects.rules.taxa_file import FileTaxon, TaxaFile, display_names, read_taxa
from quadrat.objects.store import taxa as store


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What came of it.

    Args:
        n_made: New taxa.
        n_known: Taxa that were there already, and were left alone.
        n_renumbered: Taxa whose number belonged to another one here.
    """

    n_made: int
    n_known: int
    n_renumbered: int


async def import_taxa(tx: AsyncConnection, path: Path, *, under: int | None = None) -> TakenIn:
    """Add the taxa of a file to the tree; those that an earlier file of the source has brought stay as they are.

    Args:
        tx: The transaction.
        path: The file, with tabs between columns.
        under: The taxon below which the file's roots go; None leaves them roots.

    Raises:
        QuadratError: invalid.
    """
    await store.lock_names(tx)
    paths = await store.all_ids(tx)
    if under is not None and under not in paths:
        raise QuadratError(ErrorKind.INVALID, f"Taxon {under} does not exist.")
    sources = await store.all_sources(tx)
    file = await asyncio.to_thread(_read, path, sources)
    new = [taxon for taxon in file.taxa if taxon.key not in sources]
    ids = await _numbers(tx, file, new, paths)
    planting = _Planting(paths, {**sources, **ids}, under, await store.names_by_id(tx))
    taken = await store.all_display_names(tx)
    lines = await asyncio.to_thread(planting.lines, new, taken)
    await store.copy_taxa(tx, lines)
    both = {**sources, **ids}
    await store.set_renamed(
        tx, [(ids[taxon.key], both[taxon.accepted]) for taxon in new if taxon.accepted and taxon.accepted in both]
    )
    kept = sum(str(ids[taxon.key]) == taxon.key for taxon in new) if file.keeps_numbers else len(new)
    return TakenIn(len(new), len(file.taxa) - len(new), len(new) - kept)


def _read(path: Path, known: dict[str, int]) -> TaxaFile:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return read_taxa(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE), known)
    except UnicodeDecodeError as error:
        raise QuadratError(ErrorKind.INVALID, "The file is not UTF-8 text.") from error


async def _numbers(
    tx: AsyncConnection, file: TaxaFile, new: Sequence[FileTaxon], paths: dict[int, list[int]]
) -> dict[str, int]:
    """A number for each new taxon: that of the file where archives may refer to it and it is free here."""
    ids: dict[str, int] = {}
    if file.keeps_numbers:
        ids = {
            taxon.key: int(taxon.key)
            for taxon in new
            if taxon.key.isdecimal() and 0 < int(taxon.key) < 2**31 and int(taxon.key) not in paths
        }
        await store.keep_numbers_above(tx, max(ids.values(), default=0))
    others = [taxon.key for taxon in new if taxon.key not in ids]
    first = await store.take_numbers(tx, len(others)) if others else 0
    return ids | {key: first + place for place, key in enumerate(others)}


class _Planting:
    def __init__(
        self, paths: dict[int, list[int]], ids: dict[str, int], under: int | None, names: dict[int, str]
    ) -> None:
        self._paths = paths
        self._ids = ids
        self._under = under
        self._names = names

    def lines(self, taxa: Sequence[FileTaxon], taken: set[str]) -> list[str]:
        """Lines to COPY: parents before their children."""
        for taxon in taxa:
            id_ = self._ids[taxon.key]
            parent = self._parent(taxon)
            self._paths[id_] = [*(self._paths[parent] if parent is not None else ()), id_]
            self._names[id_] = taxon.name
        shown = display_names(taken, ((taxon.name, taxon.shown, self._ancestors(taxon)) for taxon in taxa))
        return [self._line(taxon, display) for taxon, display in zip(taxa, shown, strict=True)]

    def _parent(self, taxon: FileTaxon) -> int | None:
        return self._ids[taxon.parent] if taxon.parent else self._under

    def _ancestors(self, taxon: FileTaxon) -> list[str]:
        path = self._paths[self._ids[taxon.key]]
        return [self._names[id_] for id_ in reversed(path[:-1])]

    def _line(self, taxon: FileTaxon, display: str) -> str:
        id_ = self._ids[taxon.key]
        parent = self._parent(taxon)
        path = "{" + ",".join(map(str, self._paths[id_])) + "}"
        status = "deprecated" if taxon.is_deprecated or taxon.accepted else "active"
        kind = "morpho" if taxon.is_form else "phylo"
        cells = (
            str(id_),
            text_cell(None if parent is None else str(parent)),
            path,
            text_cell(taxon.name),
            text_cell(display),
            kind,
            status,
            text_cell(taxon.key),
            text_cell(taxon.url),
            text_cell(taxon.description),
        )
        return "\t".join(cells) + "\n"
