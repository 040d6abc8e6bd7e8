"""Noticing a restored database: new epochs exactly when history may have been rewritten."""

import asyncio
import re
import shutil
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from app.store.database import Database
from app.store.lineage import Lineage, Record
from tests.harness.people import Person
from tests.store.conftest import Sql

pytestmark = pytest.mark.usefixtures("feed_id")


@pytest.fixture
def record(own_dir: Path) -> Path:
    return own_dir / "lineage.json"


@pytest.fixture
def landmark(own_dir: Path) -> Path:
    file = own_dir / "PG_VERSION"
    file.write_text("18")
    return file


@pytest.fixture
def lineage(database: Database, record: Path, landmark: Path) -> Lineage:
    return Lineage(database, record, landmark)


async def epochs(sql: Sql) -> list[str]:
    return [row.epoch for row in await sql("select epoch from feeds order by id")]


def change(record: Path, **values: object) -> None:
    """Rewrites the record in place, so that its file stays the same one."""
    known = msgspec.json.decode(record.read_bytes(), type=Record)
    record.write_bytes(msgspec.json.encode(msgspec.structs.replace(known, **values)))


def forget(record: Path) -> None:
    record.unlink()


def replace_by_copy(file: Path) -> None:
    original = file.rename(file.with_suffix(".original"))
    shutil.copy2(original, file)


async def test_the_same_database_keeps_its_epochs(lineage: Lineage, database: Database, record: Path, sql: Sql) -> None:
    before = await epochs(sql)
    assert [await lineage.settle() for _ in range(3)] == [False] * 3
    assert not await Lineage(database, record, record.with_name("PG_VERSION")).settle()
    assert await epochs(sql) == before


async def test_a_lost_record_alone_is_no_restore(lineage: Lineage, record: Path, sql: Sql) -> None:
    await lineage.settle()
    forget(record)
    before = await epochs(sql)
    assert not await lineage.settle()
    assert await epochs(sql) == before
    assert not await lineage.settle()


async def test_data_written_in_another_database_gets_new_epochs_once(
    lineage: Lineage, database: Database, sql: Sql
) -> None:
    await Person.make(database)
    await lineage.settle()
    before = await epochs(sql)
    await sql("update lineage set identity = 'another/1/5/16384'")
    assert [await lineage.settle(), await lineage.settle()] == [True, False]
    after = await epochs(sql)
    assert not set(before) & set(after)
    assert len(set(after)) == 2


async def test_tables_that_were_made_anew_get_new_epochs(lineage: Lineage, sql: Sql) -> None:
    await lineage.settle()
    ((recorded,),) = await sql("select identity from lineage")
    assert recorded.split("/")[3] == str((await sql("select 'feeds'::regclass::oid::text as oid"))[0].oid)
    await sql("update lineage set identity = regexp_replace(identity, '[0-9]+$', '1')")
    assert await lineage.settle()


@pytest.mark.parametrize("values", [{"position": 2**62}, {"identity": "another/1/5/16384"}, {"landmark": "1/1"}])
async def test_a_database_that_is_not_the_one_the_data_directory_knows_gets_new_epochs_once(
    lineage: Lineage, record: Path, sql: Sql, values: dict[str, object]
) -> None:
    await lineage.settle()
    before = await epochs(sql)
    change(record, **values)
    assert [await lineage.settle(), await lineage.settle()] == [True, False]
    assert await epochs(sql) != before


@pytest.mark.parametrize("name", ["lineage.json", "PG_VERSION"])
async def test_a_copied_file_is_noticed(lineage: Lineage, own_dir: Path, name: str) -> None:
    await lineage.settle()
    replace_by_copy(own_dir / name)
    assert [await lineage.settle(), await lineage.settle()] == [True, False]


async def test_many_at_once_agree(lineage: Lineage, database: Database, record: Path, landmark: Path, sql: Sql) -> None:
    await lineage.settle()
    assert await asyncio.gather(*(Lineage(database, record, landmark).settle() for _ in range(8))) == [False] * 8
    await sql("update lineage set identity = 'another/1/5/16384'")
    assert sum(await asyncio.gather(*(Lineage(database, record, landmark).settle() for _ in range(8)))) == 1


async def test_renewal_names_every_history_anew(lineage: Lineage, database: Database, feed_id: UUID, sql: Sql) -> None:
    await Person.make(database)
    before = await epochs(sql)
    assert await lineage.renew() == 2
    after = await epochs(sql)
    assert not set(before) & set(after)
    assert all(re.fullmatch("[a-z0-9]{8}", epoch) for epoch in after)
