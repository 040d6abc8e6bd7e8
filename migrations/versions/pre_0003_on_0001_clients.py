"""OAuth clients: what people are shown, secrets, redirect addresses."""

import sqlalchemy as sa
from alembic import op

revision = "pre_0003_on_0001"
down_revision = "pre_0002_on_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("clients", sa.Column("name", sa.Text(), nullable=True, comment="what people are shown"))
    op.add_column(
        "clients", sa.Column("secret_hash", sa.LargeBinary(), nullable=True, comment="null for a public client")
    )
    op.add_column("clients", sa.Column("redirect_uris", sa.ARRAY(sa.Text()), nullable=True))
    op.add_column(
        "clients", sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=True, comment="the most it may be given")
    )
    op.add_column(
        "clients",
        sa.Column(
            "made_by",
            sa.Text(),
            nullable=True,
            comment="command or registration; null for a client that is not registered",
        ),
    )


def downgrade() -> None:
    for column in ("made_by", "scopes", "redirect_uris", "secret_hash", "name"):
        op.drop_column("clients", column)
