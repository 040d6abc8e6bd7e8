"""Tokens know the grant that they are of."""

import sqlalchemy as sa
from alembic import op

revision = "pre_0004_on_0001"
down_revision = "pre_0003_on_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "tokens",
        sa.Column(
            "grant_id",
            sa.Uuid(),
            nullable=True,
            comment="what it is of; it has no foreign key, for both go with their feed",
        ),
    )


def downgrade() -> None:
    op.drop_column("tokens", "grant_id")
