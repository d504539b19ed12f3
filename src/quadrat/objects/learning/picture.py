"""The report of a prediction as a picture: SVG, which is text, and so needs no library. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

_CELL, _LABEL, _GAP, _LINE = 18, 150, 40, 16
_BARS, _CURVE_W, _CURVE_H = 20, 320, 160
_MOST_CLASSES = 60
_STYLE = (
    "text{font:11px system-ui,sans-serif;fill:#222}.h{font-size:14px;font-weight:600}.n{font-size:8px}"
    ".r{text-anchor:end}.m{text-anchor:middle}"
)


def draw(report: Mapping[str, Any]) -> str:
    """An SVG with the confusion matrix, recall and precision of each taxon, importances, and the learning curve."""
    classes = [(i, each) for i, each in enumerate(report["classes"])]
    # The most frequent ones, where there are more than can be read.
    shown = sorted(sorted(classes, key=lambda pair: -pair[1]["n_learned"])[:_MOST_CLASSES], key=lambda pair: pair[0])
    n = len(shown)
    matrix_w = _LABEL + n * _CELL
    matrix_h = _LABEL + n * _CELL
    right_x = matrix_w + 3 * 60 + _GAP
    height = max(matrix_h, (min(_BARS, len(report["importances"])) + 3) * _LINE + _CURVE_H + 90) + 70
    width = right_x + _LABEL + 240
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        _text(10, 22, _headline(report), "h"),
        '<g transform="translate(10,50)">',
        *_matrix(report["confusion"], shown),
        "</g>",
        f'<g transform="translate({matrix_w + 20},50)">',
        *_rates(shown),
        "</g>",
        f'<g transform="translate({right_x},50)">',
        *_importances(report["importances"]),
        "</g>",
        f'<g transform="translate({right_x},{70 + (min(_BARS, len(report["importances"])) + 2) * _LINE})">',
        *_curve(report["learning_curve"]),
        "</g></svg>",
    ]
    return "\n".join(parts)


def _headline(report: Mapping[str, Any]) -> str:
    learned = f"{report['classifier']}: learned from {report['n_learned']} objects"
    if report["accuracy"] is None:
        return f"{learned}; too few to test"
    return (
        f"{learned}; {report['accuracy']:.1%} of {report['n_tested']} right in {report['folds']}-fold cross-validation"
    )


def _matrix(confusion: Sequence[Sequence[int]], shown: Sequence[tuple[int, Mapping[str, Any]]]) -> Iterator[str]:
    yield _text(0, 0, "Rows: validated. Columns: predicted.")
    for place, (_, each) in enumerate(shown):
        y = _LABEL + place * _CELL
        yield _text(_LABEL - 4, y + 13, _short(each["name"]), "r")
        yield (
            f'<text transform="translate({_LABEL + place * _CELL + 13},{_LABEL - 4}) rotate(-90)">'
            f"{escape(_short(each['name']))}</text>"
        )
    if not confusion:
        return
    for row, (i, _) in enumerate(shown):
        total = sum(confusion[i]) or 1
        for column, (j, _) in enumerate(shown):
            count = confusion[i][j]
            x, y = _LABEL + column * _CELL, _LABEL + row * _CELL
            colour = "#1b7f5c" if i == j else "#c2452d"
            yield (
                f'<rect x="{x}" y="{y}" width="{_CELL - 1}" height="{_CELL - 1}" fill="{colour}" '
                f'fill-opacity="{0.04 + 0.9 * count / total:.2f}"/>'
            )
            if count:
                yield _text(x + _CELL // 2, y + 12, str(count), "n m")


def _rates(shown: Sequence[tuple[int, Mapping[str, Any]]]) -> Iterator[str]:
    for place, title in enumerate(("learned", "recall", "precision")):
        yield _text(50 + place * 60, _LABEL - 4, title, "r")
    for row, (_, each) in enumerate(shown):
        y = _LABEL + row * _CELL + 13
        yield _text(50, y, str(each["n_learned"]), "r")
        for place, name in enumerate(("recall", "precision")):
            value = each[name]
            yield _text(110 + place * 60, y, "-" if value is None else f"{value:.0%}", "r")


def _importances(importances: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield _text(0, 0, "Importance of features")
    largest = max((each["importance"] for each in importances), default=0) or 1
    for place, each in enumerate(importances[:_BARS]):
        y = (place + 1) * _LINE
        yield _text(_LABEL - 4, y + 10, _short(each["feature"]), "r")
        length = 180 * each["importance"] / largest
        yield f'<rect x="{_LABEL}" y="{y}" width="{length:.1f}" height="{_LINE - 4}" fill="#2f6db3"/>'
        yield _text(_LABEL + round(length) + 4, y + 10, f"{each['importance']:.1%}")


def _curve(points: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield _text(0, 0, "Accuracy by number of learned objects")
    if not points:
        return
    most = max(point["n_objects"] for point in points)
    places = [
        (30 + (_CURVE_W - 40) * point["n_objects"] / most, 10 + (_CURVE_H - 10) * (1 - point["accuracy"]))
        for point in points
    ]
    for share in (0.0, 0.5, 1.0):
        y = 10 + (_CURVE_H - 10) * (1 - share)
        yield f'<line x1="30" x2="{_CURVE_W}" y1="{y:.0f}" y2="{y:.0f}" stroke="#ddd"/>'
        yield _text(26, round(y) + 4, f"{share:.0%}", "r")
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    yield f'<polyline points="{path}" fill="none" stroke="#2f6db3" stroke-width="2"/>'
    for (x, y), point in zip(places, points, strict=True):
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#2f6db3"/>'
        yield _text(round(x), _CURVE_H + 14, str(point["n_objects"]), "n m")


def _text(x: float, y: float, words: str, kind: str = "") -> str:
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(words)}</text>'


def _short(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:23]}…"
