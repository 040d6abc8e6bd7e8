"""Web Push: where devices can be woken, and what they were woken for."""

import sqlalchemy as sa
from alembic import op

revision = "pre_0012_on_0001"
down_revision = "pre_0011_on_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "push_subscriptions",
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("feed_id", sa.Uuid(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("p256dh", sa.LargeBinary(), nullable=False),
        sa.Column("auth", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"], ["devices.id"], name=op.f("fk_push_subscriptions_device_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["feed_id"], ["feeds.id"], name=op.f("fk_push_subscriptions_feed_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("device_id", name=op.f("pk_push_subscriptions")),
        sa.Index(op.f("ix_push_subscriptions_feed_id"), "feed_id"),
        sa.Index(op.f("ix_push_subscriptions_endpoint"), "endpoint"),
        comment="Where devices can be woken.",
    )
    op.create_table(
        "pushes",
        sa.Column("feed_id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_pushes_feed_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name=op.f("fk_pushes_device_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("feed_id", "item_id", "device_id", name=op.f("pk_pushes")),
        sa.Index(op.f("ix_pushes_device_id"), "device_id"),
        sa.Index(op.f("ix_pushes_expires_at"), "expires_at"),
        comment="What devices were woken for, as long as it can be withdrawn.",
    )


def downgrade() -> None:
    op.drop_table("pushes")
    op.drop_table("push_subscriptions")
