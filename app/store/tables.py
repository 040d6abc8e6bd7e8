"""The schema. Migrations must equal it (a test compares them).

Rows that hold a person's content carry `feed_id` and are under forced row-level security: a transaction sees the feeds
it names in the setting `starling.feeds`, and nothing when it names none.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR

APP_ROLE = "starling_app"
FEEDS_SETTING = "starling.feeds"
ROW_SECURED = ("items", "replays", "devices", "files", "answers")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _created_at() -> Column[object]:
    return Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now())


users = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("email", Text, nullable=False, unique=True),
    Column("password_hash", Text),
    _created_at(),
    Column("disabled_at", DateTime(timezone=True), comment="nothing of theirs is accepted since"),
)

feeds = Table(
    "feeds",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("epoch", Text, nullable=False),
    Column("auth", BigInteger, nullable=False, server_default=text("0")),
    Column("floor", BigInteger, nullable=False, server_default=text("0")),
    Column("head", BigInteger, nullable=False, server_default=text("0")),
    Column("expires_next", DateTime(timezone=True), comment="no item of the feed expires earlier"),
    Column("deleted_first", DateTime(timezone=True), comment="no tombstone of the feed is older"),
    Column("replays_next", DateTime(timezone=True), comment="no replay of the feed expires earlier"),
    _created_at(),
    CheckConstraint("head >= 0 and floor >= 0 and floor <= head", name="counters"),
    Index(None, "expires_next", postgresql_where=text("expires_next is not null")),
    Index(None, "deleted_first", postgresql_where=text("deleted_first is not null")),
    Index(None, "replays_next", postgresql_where=text("replays_next is not null")),
    comment="The counters of a feed. head is raised in the transaction that changes items, under this lock.",
    postgresql_with={"fillfactor": "70"},
)

# Items and replays have no foreign key to their feed: every commit holds the feed's row locked already, and looking it
# up again for each row was a tenth of the commit. Who deletes a feed deletes them first.
items = Table(
    "items",
    metadata,
    Column("feed_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("collection", Text),
    Column("status", Text),
    Column("audience", ARRAY(Uuid)),
    Column("expires_at", DateTime(timezone=True)),
    Column("deleted_at", DateTime(timezone=True)),
    Column("field_seqs", JSONB, nullable=False, comment="writable field -> seq of its last change"),
    Column("search", TSVECTOR),
    Column("wire", LargeBinary, nullable=False, comment="the item as clients get it: UTF-8 JSON, encoded once"),
    Index(None, "feed_id", "seq", unique=True),
    Index("ix_items_expiry", "feed_id", "expires_at", postgresql_where=text("expires_at is not null")),
    Index("ix_items_tombstones", "feed_id", "deleted_at", postgresql_where=text("deleted_at is not null")),
    comment="The feed itself: each row carries the seq of its last change.",
)

replays = Table(
    "replays",
    metadata,
    Column("feed_id", Uuid, primary_key=True),
    Column("key", LargeBinary, primary_key=True, comment="SHA-256 over scope and key"),
    Column("fingerprint", LargeBinary, nullable=False, comment="SHA-256 of the canonical body"),
    Column("item_id", Uuid, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("wire", LargeBinary, comment="the first answer; null where it only counts while the item is unchanged"),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    comment="Writes that were carried out, so that a repeat has one effect.",
)

devices = Table(
    "devices",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("feed_id", ForeignKey("feeds.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("acked_seq", BigInteger, nullable=False, server_default=text("0")),
    Column("acked_epoch", Text, comment="the history that acked_seq is of"),
    Column("last_seen", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    _created_at(),
    postgresql_with={"fillfactor": "70"},
)

blobs = Table(
    "blobs",
    metadata,
    Column("sha256", LargeBinary, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("loose_at", DateTime(timezone=True), comment="from when on it may go, unless a file has it; null: one has"),
    Index("ix_blobs_loose", "loose_at", postgresql_where=text("loose_at is not null")),
    comment="Content that is stored, or is just being put into its place, whoever it is of.",
)

files = Table(
    "files",
    metadata,
    Column("feed_id", ForeignKey("feeds.id", ondelete="CASCADE"), primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("item_id", Uuid, nullable=False, comment="the item it is of, once that is committed"),
    Column("name", Text, nullable=False),
    Column("mime_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False, comment="bytes; what was announced while it arrives"),
    Column("sha256", ForeignKey("blobs.sha256"), index=True, comment="null while it arrives"),
    _created_at(),
    comment="Files of items. A trigger makes their blob loose when they go, whatever lets them go.",
)

shelves = Table(
    "shelves",
    metadata,
    Column("feed_id", ForeignKey("feeds.id", ondelete="CASCADE"), primary_key=True),
    Column("look_at", DateTime(timezone=True), nullable=False, index=True, comment="when to look for files of no item"),
    comment="Feeds that have files. Who adds one holds the row locked, so that the quota is counted by one at a time.",
)

clients = Table(
    "clients",
    metadata,
    Column("id", Text, primary_key=True),
    _created_at(),
    Column("name", Text, comment="what people are shown"),
    Column("secret_hash", LargeBinary, comment="null for a public client"),
    Column("redirect_uris", ARRAY(Text)),
    Column("scopes", ARRAY(Text), comment="the most it may be given"),
    Column("made_by", Text, comment="command, registration or document; null for a client that is not registered"),
    Column("read_at", DateTime(timezone=True), comment="when its document was"),
    Column("fresh_until", DateTime(timezone=True), comment="until when that is believed"),
    comment="OAuth clients: the GPT, an MCP client, an extension.",
)

tokens = Table(
    "tokens",
    metadata,
    Column("hash", LargeBinary, primary_key=True, comment="SHA-256; the token itself is nowhere"),
    Column("feed_id", ForeignKey("feeds.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("client_id", ForeignKey("clients.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("device_id", ForeignKey("devices.id", ondelete="CASCADE"), index=True),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column("revoked", Boolean, nullable=False, server_default=text("false")),
    _created_at(),
    Column("grant_id", Uuid, comment="what it is of; it has no foreign key, for both go with their feed"),
)

grants = Table(
    "grants",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("feed_id", ForeignKey("feeds.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("client_id", ForeignKey("clients.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("device_id", ForeignKey("devices.id", ondelete="CASCADE"), index=True),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("code_hash", LargeBinary, nullable=False, unique=True, comment="the code it was given for"),
    Column("used_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("revoked_at", DateTime(timezone=True)),
    _created_at(),
    comment="What a person let a client do: the family of all tokens that came from one code.",
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("grant_id", ForeignKey("grants.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("parent", LargeBinary, comment="the one it was given for", index=True),
    Column("uses", SmallInteger, nullable=False, server_default=text("0")),
    Column("used_at", DateTime(timezone=True), comment="its first use"),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    _created_at(),
)

authorization_codes = Table(
    "authorization_codes",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("client_id", ForeignKey("clients.id", ondelete="CASCADE"), nullable=False),
    Column("feed_id", ForeignKey("feeds.id", ondelete="CASCADE"), nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("challenge", Text, comment="PKCE, S256"),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
)

device_codes = Table(
    "device_codes",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("user_code_hash", LargeBinary, nullable=False, unique=True),
    Column("client_id", ForeignKey("clients.id", ondelete="CASCADE"), nullable=False),
    Column("feed_id", ForeignKey("feeds.id", ondelete="CASCADE"), comment="of who answered"),
    Column("approved", Boolean, comment="null until somebody answers"),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("device_name", Text, nullable=False),
    Column("device_kind", Text, nullable=False),
    Column("address", Text, comment="where the request came from"),
    Column("interval_s", SmallInteger, nullable=False),
    Column("polled_at", DateTime(timezone=True)),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
    _created_at(),
)

sessions = Table(
    "sessions",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    _created_at(),
    Column("proven_at", DateTime(timezone=True), comment="when the provider was asked to let the person sign in anew"),
    comment="People who are signed in to the pages.",
)

invitations = Table(
    "invitations",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("email", Text, comment="whom it is for; null for anybody"),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    _created_at(),
)

identities = Table(
    "identities",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    _created_at(),
    comment="People as a sign-in provider knows them.",
)

pending_sign_ins = Table(
    "pending_sign_ins",
    metadata,
    Column("hash", LargeBinary, primary_key=True, comment="of a word that the browser brings back, and its own secret"),
    Column("destination", LargeBinary, nullable=False, comment="the page to go on to, readable by that browser only"),
    Column("invitation_hash", LargeBinary),
    Column("again", Boolean, nullable=False, server_default=text("false"), comment="the person has to sign in anew"),
    Column("issuer", Text, comment="with subject and email: what the provider has said already"),
    Column("subject", Text),
    Column("email", Text),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
    comment="Sign-ins through a provider that are under way.",
)

throttles = Table(
    "throttles",
    metadata,
    Column("key", LargeBinary, primary_key=True, comment="SHA-256 of what is counted and for whom"),
    Column("hits", Integer, nullable=False),
    Column("ends_at", DateTime(timezone=True), nullable=False, index=True),
)

security_events = Table(
    "security_events",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("feed_id", ForeignKey("feeds.id", ondelete="CASCADE"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("client_id", Text),
    Column("device_id", Uuid),
    Column("address", Text),
    _created_at(),
    Column("times", Integer, nullable=False, server_default=text("1"), comment="on one day; the last is told"),
    Index(None, "feed_id", "created_at"),
    comment="What happened to an account's access; it outlives clients and devices.",
)

tickets = Table(
    "tickets",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("token_hash", ForeignKey("tokens.hash", ondelete="CASCADE"), nullable=False, index=True),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
    comment="Credentials for one purpose, opening a stream where no header can be sent.",
)

file_tickets = Table(
    "file_tickets",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("token_hash", ForeignKey("tokens.hash", ondelete="CASCADE"), nullable=False, index=True),
    Column("file_id", Uuid, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
    comment="Credentials for one file, where no header can be sent.",
)

answers = Table(
    "answers",
    metadata,
    Column("feed_id", ForeignKey("feeds.id", ondelete="CASCADE"), primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("origin", LargeBinary, nullable=False, comment="what the item will say of where it came from"),
    Column("text", Text, nullable=False, server_default=text("''"), comment="as of about a second ago"),
    Column("cancelled", Boolean, nullable=False, server_default=text("false")),
    _created_at(),
    comment="Answers that are being written. One that has ended is an item.",
    postgresql_with={"fillfactor": "50"},
)

answer_leases = Table(
    "answer_leases",
    metadata,
    Column("feed_id", Uuid, primary_key=True),
    Column("answer_id", Uuid, primary_key=True),
    Column("process", Uuid, nullable=False, index=True),
    Column("beat_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    ForeignKeyConstraint(["feed_id", "answer_id"], ["answers.feed_id", "answers.id"], ondelete="CASCADE"),
    comment="Which process writes an answer, and when it last said so; without content, so that all may look.",
    postgresql_with={"fillfactor": "50"},
)

push_subscriptions = Table(
    "push_subscriptions",
    metadata,
    Column("device_id", ForeignKey("devices.id", ondelete="CASCADE"), primary_key=True),
    Column("feed_id", ForeignKey("feeds.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("endpoint", Text, nullable=False, index=True),
    Column("p256dh", LargeBinary, nullable=False),
    Column("auth", LargeBinary, nullable=False),
    _created_at(),
    comment="Where devices can be woken.",
)

pushes = Table(
    "pushes",
    metadata,
    Column("feed_id", ForeignKey("feeds.id", ondelete="CASCADE"), primary_key=True),
    Column("item_id", Uuid, primary_key=True),
    Column("device_id", ForeignKey("devices.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
    comment="What devices were woken for, as long as it can be withdrawn.",
)

lineage = Table(
    "lineage",
    metadata,
    Column("one", Boolean, primary_key=True, server_default=text("true")),
    Column("identity", Text, nullable=False, comment="which database this history was written in"),
    CheckConstraint("one", name="single_row"),
)
