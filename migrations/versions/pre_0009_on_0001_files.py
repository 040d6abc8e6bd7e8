"""Files of items, the blobs they are made of, and tickets to fetch them with."""

import sqlalchemy as sa
from alembic import op

revision = "pre_0009_on_0001"
down_revision = "pre_0008_on_0001"
branch_labels = None
depends_on = None

SETTING = "cast(nullif(current_setting('starling.feeds', true), '') as uuid[])"
VISIBLE = f"feed_id = any(cast((select {SETTING}) as uuid[]))"

# Files go in many ways: with their feed, their item, an upload that failed. None of them can forget the blob.
LOOSEN = """
create function loosen_blob() returns trigger language plpgsql as $function$
begin
    update blobs set loose_at = greatest(loose_at, now()) where sha256 = old.sha256;
    return null;
end $function$
"""
ON_LETTING_GO = """
create trigger let_go after delete on files for each row when (old.sha256 is not null) execute function loosen_blob()
"""


def upgrade() -> None:
    op.create_table(
        "blobs",
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column(
            "loose_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="from when on it may go, unless a file has it; null: one has",
        ),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_blobs")),
        sa.Index("ix_blobs_loose", "loose_at", postgresql_where=sa.text("loose_at is not null")),
        comment="Content that is stored, or is just being put into its place, whoever it is of.",
    )
    op.create_table(
        "files",
        sa.Column("feed_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=False, comment="the item it is of, once that is committed"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("mime_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="bytes; what was announced while it arrives"),
        sa.Column("sha256", sa.LargeBinary(), nullable=True, comment="null while it arrives"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_files_feed_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["sha256"], ["blobs.sha256"], name=op.f("fk_files_sha256")),
        sa.PrimaryKeyConstraint("feed_id", "id", name=op.f("pk_files")),
        sa.Index(op.f("ix_files_sha256"), "sha256"),
        comment="Files of items. A trigger makes their blob loose when they go, whatever lets them go.",
    )
    op.create_table(
        "shelves",
        sa.Column("feed_id", sa.Uuid(), nullable=False),
        sa.Column("look_at", sa.DateTime(timezone=True), nullable=False, comment="when to look for files of no item"),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_shelves_feed_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("feed_id", name=op.f("pk_shelves")),
        sa.Index(op.f("ix_shelves_look_at"), "look_at"),
        comment="Feeds that have files. Who adds one holds the row locked, so that the quota is counted by one at a "
        "time.",
    )
    op.create_table(
        "file_tickets",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["token_hash"], ["tokens.hash"], name=op.f("fk_file_tickets_token_hash"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_file_tickets")),
        sa.Index(op.f("ix_file_tickets_expires_at"), "expires_at"),
        sa.Index(op.f("ix_file_tickets_token_hash"), "token_hash"),
        comment="Credentials for one file, where no header can be sent.",
    )
    op.execute("alter table files enable row level security")
    op.execute("alter table files force row level security")
    op.execute(f"create policy named_feeds on files using ({VISIBLE}) with check ({VISIBLE})")
    op.execute(LOOSEN)
    op.execute(ON_LETTING_GO)


def downgrade() -> None:
    for table in ("file_tickets", "shelves", "files", "blobs"):
        op.drop_table(table)
    op.execute("drop function loosen_blob")
