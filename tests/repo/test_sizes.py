from pathlib import Path

CEILINGS = {"src": 600, "docs": 600, "bench": 600, "demo": 600, "tests": 800}


def test_modules_stay_below_their_ceiling(root: Path, committed: list[Path]):
    too_long = []
    for path in committed:
        ceiling = CEILINGS.get(path.relative_to(root).parts[0])
        if path.suffix == ".py" and ceiling is not None:
            lines = path.read_text("utf-8").count("\n")
            if lines > ceiling:
                too_long.append(f"{path.relative_to(root)}: {lines} lines, at most {ceiling}")
    assert too_long == []
