"""What happened to an account's access."""

import sqlalchemy as sa
from alembic import op

revision = "pre_0006_on_0001"
down_revision = "pre_0005_on_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "security_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("feed_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=True),
        sa.Column("device_id", sa.Uuid(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_security_events_feed_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_security_events")),
        sa.Index(op.f("ix_security_events_feed_id_created_at"), "feed_id", "created_at"),
        comment="What happened to an account's access; it outlives clients and devices.",
    )


def downgrade() -> None:
    op.drop_table("security_events")
