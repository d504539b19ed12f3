"""Objects of a project as dictionaries, filtered and sorted as simply as it can be said."""

import datetime as dt
import functools
import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.objects.types import FreeColumns

_ROWS = """
SELECT o.*, f.*, e.numbers, e.texts, p.instrument AS project_instrument, s.free_texts AS s_texts,
       a.free_texts AS a_texts, r.free_texts AS p_texts, t.path,
       ARRAY(SELECT author_id FROM objects.history h WHERE h.object_id = o.id) AS earlier,
       t.display_name AS txo_display_name, t.creator_email AS txo_creator_email, t.parent_id AS txp_id,
       t.created_at AS txo_creation_datetime, u.email AS usr_email, s.orig_id AS sam_orig_id,
       s.latitude AS sam_latitude, a.orig_id AS acq_orig_id, i.id AS image_id, i.width_px AS img_width,
       (SELECT count(*) FROM objects.image c WHERE c.object_id = o.id) AS imgcount
FROM objects.object o JOIN objects.fact f ON f.object_id = o.id JOIN objects.feature e ON e.object_id = o.id
JOIN objects.project p ON p.project_id = o.project_id JOIN objects.net_sample s ON s.id = o.sample_id
JOIN objects.acquisition a ON a.id = o.acquisition_id JOIN objects.process r ON r.acquisition_id = a.id
LEFT JOIN objects.taxon t ON t.id = o.taxon_id LEFT JOIN identity.user u ON u.id = o.author_id
LEFT JOIN LATERAL (SELECT * FROM objects.image i WHERE i.object_id = o.id ORDER BY rank LIMIT 1) i ON true
WHERE o.project_id = :p
"""
_OBJ = {
    "objid": "id", "acquisid": "acquisition_id", "orig_id": "orig_id", "objdate": "date", "objtime": "time",
    "latitude": "latitude", "depth_min": "depth_min", "depth_max": "depth_max", "longitude": "longitude",
    "sunpos": "sun_position", "classif_id": "taxon_id", "classif_who": "author_id", "classif_when": "decided_at",
    "classif_auto_id": "predicted_taxon_id", "classif_auto_score": "predicted_score",
    "classif_auto_when": "predicted_at", "complement_info": "complement", "random_value": "random_value",
    "object_link": "link", "imgcount": "imgcount",
}  # fmt: skip
_OTHERS = {
    "txo.display_name", "txo.creator_email", "txp.id", "txo.creation_datetime", "usr.email", "sam.orig_id",
    "sam.latitude", "acq.orig_id", "img.width",
}  # fmt: skip
_MOMENTS = {"obj.classif_when", "obj.classif_auto_when", "txo.creation_datetime"}


def element(values: list[Any] | None, position: int) -> Any:
    return values[position] if values is not None and position < len(values) else None


def like(value: str | None, wanted: str) -> bool:
    """Substring in any case; ^ and $ anchor, % and _ are wildcards."""
    if value is None:
        return False
    head, tail = wanted.startswith("^"), wanted.endswith("$")
    body = wanted.removeprefix("^").removesuffix("$").lower()
    pattern = "".join({"%": ".*", "_": "."}.get(char) or re.escape(char) for char in body)
    pattern = f"{'' if head else '.*'}{pattern}{'' if tail else '.*'}"
    return re.fullmatch(pattern, value.lower(), re.DOTALL) is not None


@dataclass
class Naive:
    """What the tables hold, row by row."""

    rows: dict[int, dict[str, Any]]

    @classmethod
    async def read(cls, tx: AsyncConnection, project_id: int) -> "Naive":
        rows = (await tx.execute(text(_ROWS), {"p": project_id})).mappings()
        return cls({row["id"]: dict(row) for row in rows})

    def select(self, filters: dict[str, str], me: int | None) -> list[int]:
        return [id_ for id_, row in self.rows.items() if self._fits(row, filters, me)]

    def _fits(self, row: dict[str, Any], f: dict[str, str], me: int | None) -> bool:
        return all(
            [
                self._taxo(row, f),
                self._status(row, f.get("statusfilter"), me),
                self._place(row, f),
                self._when(row, f),
                self._decided(row, f),
                self._free(row, f),
                "samples" not in f or str(row["sample_id"]) in f["samples"].split(","),
                "instrum" not in f or f["instrum"].lower() in row["project_instrument"].lower(),
                self._people(row, f),
            ]
        )

    def _taxo(self, row: dict[str, Any], f: dict[str, str]) -> bool:
        if "taxo" not in f:
            return True
        wanted = {int(part) for part in f["taxo"].split(",")}
        if row["taxon_id"] in wanted:
            return True
        return f.get("taxochild") == "Y" and bool(wanted & set(row["path"] or []))

    def _status(self, row: dict[str, Any], wanted: str | None, me: int | None) -> bool:
        state, mine = row["state"], row["author_id"] == me
        return {
            None: True, "NV": state != "V", "PV": state in "PV", "PVD": state != "U", "NVM": state == "V" and not mine,
            "VM": state == "V" and mine, "U": state == "U", "UP": state in "UP",
        }.get(wanted, state == wanted)  # fmt: skip

    def _place(self, row: dict[str, Any], f: dict[str, str]) -> bool:
        def between(value: float | None, least: str, most: str) -> bool:
            return value is not None and float(least) <= value <= float(most)

        if {"MapN", "MapS", "MapE", "MapW"} <= set(f) and not (
            between(row["latitude"], f["MapS"], f["MapN"]) and between(row["longitude"], f["MapW"], f["MapE"])
        ):
            return False
        if {"depthmin", "depthmax"} <= set(f):
            return all(between(row[name], f["depthmin"], f["depthmax"]) for name in ("depth_min", "depth_max"))
        return True

    def _when(self, row: dict[str, Any], f: dict[str, str]) -> bool:
        day, at = row["date"], row["time"]
        if "daytime" in f and row["sun_position"] not in f["daytime"].split(","):
            return False
        if {"month", "fromdate", "todate"} & set(f) and day is None:
            return False
        if "month" in f and str(day.month) not in f["month"].split(","):
            return False
        if "fromdate" in f and str(day) < f["fromdate"]:
            return False
        if "todate" in f and str(day) > f["todate"]:
            return False
        start, end = f.get("fromtime"), f.get("totime")
        if f.get("inverttime") == "1":
            return start is None or end is None or (at is not None and (str(at) <= start or str(at) >= end))
        if start is None and end is None:
            return True
        return at is not None and (start is None or str(at) >= start) and (end is None or str(at) <= end)

    def _decided(self, row: dict[str, Any], f: dict[str, str]) -> bool:
        def moment(text_: str) -> dt.datetime:
            return dt.datetime.fromisoformat(text_).replace(tzinfo=dt.UTC)

        at = row["decided_at"]
        if "validfromdate" in f:
            changed = (at or row["predicted_at"]) if f.get("statusfilter") == "PVD" else at
            if changed is None or changed < moment(f["validfromdate"]):
                return False
        return "validtodate" not in f or (at is not None and at <= moment(f["validtodate"]))

    def _free(self, row: dict[str, Any], f: dict[str, str]) -> bool:
        if "freenum" in f and {"freenumst", "freenumend"} & set(f):
            column = f["freenum"]
            if column == "oscore":
                value = row["predicted_score"]
            else:
                digits = column.lstrip("on")
                value = element(row["numbers"], int(digits) - 1) if digits.isdigit() else None
            if value is None:
                return False
            if not float(f.get("freenumst", "-inf")) <= value <= float(f.get("freenumend", "inf")):
                return False
        if "freetxt" in f:
            texts = {"o": "texts", "s": "s_texts", "a": "a_texts", "p": "p_texts"}.get(f["freetxt"][0])
            if texts is None:
                return False
            return like(element(row[texts], int(f["freetxt"][2:]) - 1), f["freetxtval"])
        return True

    def _people(self, row: dict[str, Any], f: dict[str, str]) -> bool:
        if "filt_annot" in f:
            wanted = {int(part) for part in f["filt_annot"].split(",")}
            return row["author_id"] in wanted or bool(wanted & set(row["earlier"]))
        if "filt_last_annot" in f:
            return row["author_id"] in {int(part) for part in f["filt_last_annot"].split(",")}
        return True

    def sort(self, ids: list[int], order: str | None, free: FreeColumns) -> list[int]:
        name = (order or "").removeprefix("-")
        values = {id_: self._value(self.rows[id_], name, free) for id_ in ids}
        nulls_first = name in _MOMENTS

        def compare(left: int, right: int) -> int:
            a, b = values[left], values[right]
            if a == b:
                return left - right
            if a is None or b is None:
                return -1 if (a is None) == nulls_first else 1
            return -1 if a < b else 1

        return sorted(
            ids, key=functools.cmp_to_key(compare), reverse=(order or "").startswith("-") and self._known(name, free)
        )

    def _known(self, name: str, free: FreeColumns) -> bool:
        return (
            True
            if name.startswith(("obj.", "fre.")) and name != "obj.nothing"
            else name not in ("nothing", "obj.nothing", "usr.password")
        )

    def _value(self, row: dict[str, Any], name: str, free: FreeColumns) -> Any:
        prefix, _, column = name.partition(".")
        value: Any = None
        if name == "obj.classif_qual":
            value = None if row["state"] == "U" else row["state"]
        elif prefix == "obj" and column in _OBJ:
            value = row[_OBJ[column]]
        elif prefix == "fre" and column in free.object_numbers:
            value = element(row["numbers"], free.object_numbers.index(column))
        elif prefix == "fre" and column in free.object_texts:
            value = element(row["texts"], free.object_texts.index(column))
        elif name in _OTHERS:
            value = row[name.replace(".", "_")]
        elif name in ("sam.t01", "acq.t01"):
            value = element(row[f"{name[0]}_texts"], 0)
        elif name == "img.file_name":
            value = None if row["image_id"] is None else f"{row['image_id'] // 10000:04d}/{row['image_id'] % 10000:04d}"
        return value.encode() if isinstance(value, str) else value
