"""Invitations, and people whom a sign-in provider knows; events that happen often are counted."""

import sqlalchemy as sa
from alembic import op

revision = "pre_0008_on_0001"
down_revision = "pre_0007_on_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "security_events",
        sa.Column(
            "times", sa.Integer(), server_default=sa.text("1"), nullable=False, comment="on one day; the last is told"
        ),
    )
    op.add_column(
        "sessions",
        sa.Column(
            "proven_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when the provider was asked to let the person sign in anew",
        ),
    )
    op.create_table(
        "invitations",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True, comment="whom it is for; null for anybody"),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_invitations")),
    )
    op.create_table(
        "identities",
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_identities_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("issuer", "subject", name=op.f("pk_identities")),
        sa.Index(op.f("ix_identities_user_id"), "user_id"),
        comment="People as a sign-in provider knows them.",
    )
    op.create_table(
        "pending_sign_ins",
        sa.Column(
            "hash",
            sa.LargeBinary(),
            nullable=False,
            comment="of a word that the browser brings back, and its own secret",
        ),
        sa.Column(
            "destination",
            sa.LargeBinary(),
            nullable=False,
            comment="the page to go on to, readable by that browser only",
        ),
        sa.Column("invitation_hash", sa.LargeBinary(), nullable=True),
        sa.Column(
            "again",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="the person has to sign in anew",
        ),
        sa.Column(
            "issuer", sa.Text(), nullable=True, comment="with subject and email: what the provider has said already"
        ),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_pending_sign_ins")),
        sa.Index(op.f("ix_pending_sign_ins_expires_at"), "expires_at"),
        comment="Sign-ins through a provider that are under way.",
    )


def downgrade() -> None:
    for table in ("pending_sign_ins", "identities", "invitations"):
        op.drop_table(table)
    op.drop_column("sessions", "proven_at")
    op.drop_column("security_events", "times")
