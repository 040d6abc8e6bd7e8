"""Accounts that the operator disables."""

import sqlalchemy as sa
from alembic import op

revision = "pre_0010_on_0001"
down_revision = "pre_0009_on_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "users",
        sa.Column(
            "disabled_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="nothing of theirs is accepted since",
        ),
    )


def downgrade() -> None:
    op.drop_column("users", "disabled_at")
