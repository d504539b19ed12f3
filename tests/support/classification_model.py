"""Classification as simply as it can be said: one dictionary per object, one rule after the other.

Written from the description of the interface alone, for comparison with the transition function and with the SQL.
"""

from dataclasses import dataclass, field
from typing import Any

EMPTY = {"qual": None, "id": None, "who": None, "when": None, "auto_id": None, "auto_score": None, "auto_when": None}


@dataclass
class Model:
    """Objects with their histories; times are whatever the caller says."""

    objects: dict[int, dict[str, Any]] = field(default_factory=dict)
    history: dict[int, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, object_id: int) -> None:
        self.objects[object_id] = dict(EMPTY)
        self.history[object_id] = []

    def _log(self, object_id: int) -> None:
        o = self.objects[object_id]
        if o["qual"] is None:
            return
        human = o["qual"] in ("V", "D")
        self.history[object_id].append(
            {
                "qual": o["qual"],
                "id": o["id"],
                "who": o["who"] if human else None,
                "when": o["when"] if human else o["auto_when"],
                "score": None if human else o["auto_score"],
            }
        )

    def classify(self, pairs: dict[int, int], qual: str, who: int, when: Any) -> int:
        n = 0
        for object_id, given in pairs.items():
            o = self.objects[object_id]
            category = o["id"] if given == -1 else given
            wanted = o["qual"] if qual == "=" else qual
            if category is None or wanted is None:
                continue
            if o["id"] == category and o["qual"] == wanted and (wanted == "P" or o["who"] == who):
                continue
            self._log(object_id)
            n += 1
            if wanted == "P":
                o.update(qual="P", id=category, who=None, when=None, auto_id=category, auto_when=when)
            else:
                o.update(qual=wanted, id=category, who=who, when=when)
        return n

    def classify_auto(self, guesses: dict[int, tuple[int, float]], keep_log: bool, when: Any) -> None:
        for object_id, (category, score) in guesses.items():
            o = self.objects[object_id]
            if o["qual"] not in ("V", "D"):
                if keep_log:
                    self._log(object_id)
                o.update(qual="P", id=category)
            o.update(auto_id=category, auto_score=score, auto_when=when)

    def reset(self, ids: list[int], when: Any) -> None:
        for object_id in ids:
            o = self.objects[object_id]
            if o["qual"] in ("V", "D"):
                self._log(object_id)
                o.update(qual="P", who=None, when=None, auto_id=o["id"], auto_score=1.0, auto_when=when)

    def revert(self, ids: list[int], target: int | None, not_by: int | None) -> list[int]:
        listed = []
        for object_id in ids:
            o, lines = self.objects[object_id], self.history[object_id]
            if target is not None and (o["who"] is None or o["who"] == target):
                continue
            usable = [
                line
                for line in lines
                if (target is None or line["who"] == target) and (not_by is None or line["who"] != not_by)
            ]
            if not usable:
                if target is None:
                    listed.append(object_id)
                    o.update(qual=None, id=None, who=None, when=None)
                    lines.clear()
                continue
            listed.append(object_id)
            line = usable[-1]
            while lines[-1] is not line:
                lines.pop()
            lines.pop()
            if line["qual"] == "P":
                o.update(qual="P", id=line["id"], who=None, when=None)
                o.update(auto_id=line["id"], auto_score=line["score"], auto_when=line["when"])
            else:
                o.update(qual=line["qual"], id=line["id"], who=line["who"], when=line["when"])
        return listed

    def erase(self, object_id: int) -> None:
        del self.objects[object_id], self.history[object_id]
