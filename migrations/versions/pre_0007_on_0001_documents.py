"""OAuth clients that describe themselves: when their document was read, and until when that is believed."""

import sqlalchemy as sa
from alembic import op

revision = "pre_0007_on_0001"
down_revision = "pre_0006_on_0001"
branch_labels = None
depends_on = None


_BEFORE = "command or registration; null for a client that is not registered"
_AFTER = "command, registration or document; null for a client that is not registered"


def upgrade() -> None:
    for name, comment in (
        ("read_at", "when its document was"),
        ("fresh_until", "until when that is believed"),
    ):
        op.add_column("clients", sa.Column(name, sa.DateTime(timezone=True), nullable=True, comment=comment))
    op.execute(f"comment on column clients.made_by is '{_AFTER}'")


def downgrade() -> None:
    for column in ("fresh_until", "read_at"):
        op.drop_column("clients", column)
    op.execute(f"comment on column clients.made_by is '{_BEFORE}'")
