"""Every migration keeps the rules of docs/upgrades.md, so that a live upgrade can rely on their names."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.store.revisions import MIGRATIONS, Revisions

ADDITIVE = {"add_column", "create_table", "create_index", "drop_index", "execute", "f", "get_context"}
TAKES_AWAY = re.compile(r"\b(drop|rename|truncate|delete|set\s+not\s+null|type|revoke)\b", re.IGNORECASE)
FILES = sorted((MIGRATIONS / "versions").glob("*.py"))


def faults(name: str, source: str, ids: list[str]) -> list[str]:
    """What is wrong with the migration in a file of that name; `ids` are all revisions up to it, oldest first."""
    base = next((known for known in reversed(ids[:-1]) if not known.startswith("pre_")), "")
    number = f"{len(ids):04}"
    wanted = {f"pre_{number}_on_{base[-4:]}", f"post_{number}"} if len(ids) > 1 else {number}
    found = [] if ids[-1] in wanted else [f"its id is none of {sorted(wanted)}"]
    if not name.startswith(f"{ids[-1]}_"):
        found.append("its file is not named for its id")
    return found + list(_takes_away(source)) if ids[-1].startswith("pre_") else found


def _takes_away(source: str) -> Iterator[str]:
    """What code of the version before would stumble over, or wait for."""
    upgrade = next(node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
    calls = [node for node in ast.walk(upgrade) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    for call in calls:
        assert isinstance(call.func, ast.Attribute)
        given, name = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}, call.func.attr
        of_op = ast.unparse(call.func.value) == "op"
        if of_op and name not in ADDITIVE:
            yield f"op.{name} does more than add"
        elif of_op and name in ("create_index", "drop_index") and given.get("postgresql_concurrently") != "True":
            yield f"op.{name} without postgresql_concurrently holds up every write"
        elif of_op and name == "drop_index" and given.get("if_exists") != "True":
            yield "op.drop_index is for the rest of a failed attempt only: if_exists=True"
        elif of_op and name == "execute" and TAKES_AWAY.search(ast.unparse(call)):
            yield f"it executes {TAKES_AWAY.findall(ast.unparse(call))}"
        elif of_op and name == "add_column":
            column = call.args[1]
            assert isinstance(column, ast.Call)
            options = {keyword.arg: ast.unparse(keyword.value) for keyword in column.keywords}
            if options.get("nullable") == "False" and "server_default" not in options:
                yield "older code cannot insert rows: a column that is not null has no server_default"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_migration_keeps_the_rules(path: Path) -> None:
    ids = Revisions.of(MIGRATIONS).ids
    revision = re.search(r'^revision = "(.+)"$', path.read_text(), re.MULTILINE)
    assert revision is not None
    assert faults(path.name, path.read_text(), ids[: ids.index(revision[1]) + 1]) == []
    assert len(revision[1]) <= 32, "alembic_version cannot hold it"


def test_every_file_is_in_the_one_line_of_revisions() -> None:
    assert len(Revisions.of(MIGRATIONS).ids) == len(FILES)


PRE = ["0001", "pre_0002_on_0001"]
AFTER_POST = ["0001", "post_0002", "pre_0003_on_0002"]


@pytest.mark.parametrize(
    ("name", "ids", "body", "fault"),
    [
        ("0001_core.py", ["0001"], "op.drop_table('x')", None),
        ("pre_0002_on_0001_x.py", PRE, "op.add_column('items', sa.Column('x', sa.Text()))", None),
        (
            "pre_0002_on_0001_x.py",
            PRE,
            "op.add_column('items', sa.Column('x', sa.Text(), nullable=False, server_default='x'))",
            None,
        ),
        ("pre_0003_on_0002_x.py", AFTER_POST, "op.create_index('x', 'y', ['z'], postgresql_concurrently=True)", None),
        ("post_0002_x.py", ["0001", "post_0002"], "op.drop_table('x')", None),
        ("0002_x.py", ["0001", "0002"], "pass", "its id is none of"),
        ("pre_0003_on_0001_x.py", ["0001", "post_0002", "pre_0003_on_0001"], "pass", "its id is none of"),
        ("pre_0003_on_0001_x.py", ["0001", "pre_0003_on_0001"], "pass", "its id is none of"),
        ("0002_x.py", PRE, "pass", "not named for its id"),
        ("pre_0002_on_0001_x.py", PRE, "op.drop_column('items', 'x')", "more than add"),
        ("pre_0002_on_0001_x.py", PRE, "op.alter_column('items', 'x', new_column_name='y')", "more than add"),
        ("pre_0002_on_0001_x.py", PRE, "op.execute('alter table x Rename to y')", "Rename"),
        ("pre_0002_on_0001_x.py", PRE, "op.execute('alter table x alter y set  not null')", "not null"),
        ("pre_0002_on_0001_x.py", PRE, "op.create_index('x', 'y', ['z'])", "holds up every write"),
        ("pre_0002_on_0001_x.py", PRE, "op.drop_index('x', postgresql_concurrently=True)", "failed attempt only"),
        (
            "pre_0002_on_0001_x.py",
            PRE,
            "op.add_column('items', sa.Column('x', sa.Text(), nullable=False))",
            "no server_default",
        ),
    ],
)
def test_what_breaks_a_rule_is_found(name: str, ids: list[str], body: str, fault: str | None) -> None:
    found = faults(name, f"def upgrade():\n    {body}\n", ids)
    assert (fault in " ".join(found)) if fault else found == []
