"""Who may write SQL, who may commit, and that migrations stay one line."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

#: Statements of SQLAlchemy Core, however they are reached.
STATEMENTS = {"select", "insert", "update", "delete", "text", "exists", "union", "union_all", "values"}
SQL_TEXT = re.compile(
    r"\s*(SELECT\s.+\sFROM\s|SELECT\s+\w+\(|INSERT\s+INTO\s|UPDATE\s+\S+\s+SET\s|DELETE\s+FROM\s|TRUNCATE\s|"
    r"WITH\s+(RECURSIVE\s+)?\w+\s*(\(.*\)\s*)?AS\s*\(|COPY\s+\S+|LISTEN\s|NOTIFY\s|CREATE\s+(TABLE|INDEX)\s)",
    re.DOTALL,
)


def modules(root: Path) -> Iterator[tuple[Path, ast.Module]]:
    source = root / "src" / "quadrat"
    for path in sorted(source.rglob("*.py")):
        yield path.relative_to(source), ast.parse(path.read_text("utf-8"))


def may_write_sql(path: Path) -> bool:
    return path.name in {"store.py", "tables.py"} or "store" in path.parts[:-1] or path.parts[0] in {"db", "migrations"}


def may_commit(path: Path) -> bool:
    return path.parts[0] in {"db", "cli", "migrations"} or path in {Path("api/wire.py"), Path("jobs/worker.py")}


def sql_lines(tree: ast.Module) -> Iterator[int]:
    """Lines that import or build a statement, or hold one as text; docstrings are prose."""
    prose = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "sqlalchemy":
            if STATEMENTS & {alias.name for alias in node.names}:
                yield node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id in {"sa", "sqlalchemy"} and node.attr in STATEMENTS:
                yield node.lineno
        elif isinstance(node, ast.Constant) and isinstance(node.value, str | bytes) and id(node) not in prose:
            value = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
            if SQL_TEXT.match(value):
                yield node.lineno


def commit_lines(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit":
            yield node.lineno


def test_sql_stands_only_in_stores_tables_and_migrations(root: Path):
    strays = [f"{path}:{line}" for path, tree in modules(root) if not may_write_sql(path) for line in sql_lines(tree)]
    assert strays == []


def test_transactions_are_committed_only_where_they_begin(root: Path):
    strays = [f"{path}:{line}" for path, tree in modules(root) if not may_commit(path) for line in commit_lines(tree)]
    assert strays == []


@pytest.mark.parametrize(
    "source",
    [
        "from sqlalchemy import Table, select",
        "import sqlalchemy as sa\nsa.text('x')",
        "await c.execute('SELECT 1 FROM t')",
        "await c.copy(b'COPY t FROM STDIN')",
        "q = f'DELETE FROM {t}'",
    ],
)
def test_sql_rule_sees_every_way_to_write_a_statement(source: str):
    assert list(sql_lines(ast.parse(source)))


def test_sql_rule_leaves_prose_and_connections_alone():
    source = (
        '"""SELECT a FROM b is what this does not do."""\n'
        "from sqlalchemy.ext.asyncio import AsyncConnection\n"
        "d.update(x)\nm = 'Select a project'\n"
    )
    assert list(sql_lines(ast.parse(source))) == []


def test_migrations_have_one_head(root: Path):
    heads = ScriptDirectory(root / "src" / "quadrat" / "migrations").get_heads()
    assert len(heads) == 1
