"""Answers that are being written, and which process writes them."""

import sqlalchemy as sa
from alembic import op

revision = "pre_0011_on_0001"
down_revision = "pre_0010_on_0001"
branch_labels = None
depends_on = None

SETTING = "cast(nullif(current_setting('starling.feeds', true), '') as uuid[])"
VISIBLE = f"feed_id = any(cast((select {SETTING}) as uuid[]))"


def upgrade() -> None:
    op.create_table(
        "answers",
        sa.Column("feed_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("origin", sa.LargeBinary(), nullable=False, comment="what the item will say of where it came from"),
        sa.Column("text", sa.Text(), server_default=sa.text("''"), nullable=False, comment="as of about a second ago"),
        sa.Column("cancelled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_answers_feed_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("feed_id", "id", name=op.f("pk_answers")),
        comment="Answers that are being written. One that has ended is an item.",
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "answer_leases",
        sa.Column("feed_id", sa.Uuid(), nullable=False),
        sa.Column("answer_id", sa.Uuid(), nullable=False),
        sa.Column("process", sa.Uuid(), nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["feed_id", "answer_id"],
            ["answers.feed_id", "answers.id"],
            name=op.f("fk_answer_leases_feed_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("feed_id", "answer_id", name=op.f("pk_answer_leases")),
        sa.Index(op.f("ix_answer_leases_process"), "process"),
        comment="Which process writes an answer, and when it last said so; without content, so that all may look.",
        postgresql_with={"fillfactor": "50"},
    )
    op.execute("alter table answers enable row level security")
    op.execute("alter table answers force row level security")
    op.execute(f"create policy named_feeds on answers using ({VISIBLE}) with check ({VISIBLE})")


def downgrade() -> None:
    op.drop_table("answer_leases")
    op.drop_table("answers")
