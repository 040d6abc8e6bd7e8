"""The core: people, feeds, items, devices, clients, tokens; the role that the server acts as, and what it may see."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROW_SECURED = ("items", "replays", "devices")
# An unset custom setting reads as null before its first use in a session and as "" after, and "" is no uuid[]. The
# subquery makes Postgres read the setting once per statement, not once per row.
SETTING = "cast(nullif(current_setting('starling.feeds', true), '') as uuid[])"
VISIBLE = f"feed_id = any(cast((select {SETTING}) as uuid[]))"

# New items touch no row but their feed's, so they need one round trip: lock the feeds, number the items, write. A key
# that is known, or a feed that is gone, takes a closer look: then nothing is written and no row comes back.
COMMIT_NEW_ITEMS = """
create function commit_new_items(
    visible text, feeds_of uuid[], ids uuid[], kinds text[], collections text[], statuses text[], audiences text[],
    expiries timestamptz[], searches text[], bodies bytea[], ends bytea[],
    keys bytea[], fingerprints bytea[], lives interval[], keeps boolean[]
) returns table (
    feed uuid, feed_epoch text, feed_auth bigint, first_seq bigint, moment text, receivers text
) language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $function$
#variable_conflict use_column
declare
    locked uuid[];
    heads bigint[];
    stamp text := replace(to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z');
begin
    perform set_config('starling.feeds', visible, true);
    select array_agg(id), array_agg(head) into locked, heads
    from (select id, head from feeds where id = any(cast(visible as uuid[])) order by id for update) as rows;
    if cardinality(locked) is distinct from cardinality(cast(visible as uuid[])) then
        return;
    end if;
    if exists (
        select from unnest(feeds_of, keys) as wanted(feed_id, key)
        cross join lateral (
            select 1 from replays where feed_id = wanted.feed_id and key = wanted.key limit 1
        ) as known
    ) then
        return;
    end if;
    return query
    with numbered as (
        select sent.*, start.head + row_number() over (partition by sent.feed_id order by place) as seq
        from unnest(feeds_of, ids, kinds, collections, statuses, audiences, expiries, searches, bodies, ends,
                    keys, fingerprints, lives, keeps) with ordinality
            as sent(feed_id, id, kind, collection, status, audience, expires_at, search, body, rest,
                    key, fingerprint, life, keep, place)
        join unnest(locked, heads) as start(feed_id, head) on start.feed_id = sent.feed_id
    ), new as materialized (
        select *, convert_to('{"id":"' || id || '","seq":' || seq || ',', 'UTF8') || body
            || convert_to(',"created_at":"' || stamp || '","updated_at":"' || stamp || '",', 'UTF8') || rest || '}'
            as wire
        from numbered
    ), written as (
        insert into items (feed_id, id, seq, kind, collection, status, audience, expires_at, field_seqs, search, wire)
        select feed_id, id, seq, kind, collection, status, cast(audience as uuid[]), expires_at,
               jsonb_build_object('created', seq), to_tsvector('simple', search), wire
        from new order by place
    ), remembered as (
        insert into replays (feed_id, key, fingerprint, item_id, seq, wire, expires_at)
        select feed_id, key, fingerprint, id, seq, case when keep then wire end, now() + life
        from new where key is not null
    ), grown as (
        select feed_id, count(*) as number, min(expires_at) as expires_at, min(now() + life) as forget_at
        from new group by feed_id
    ), raised as (
        update feeds set
            head = feeds.head + grown.number,
            expires_next = least(feeds.expires_next, grown.expires_at),
            replays_next = least(feeds.replays_next, grown.forget_at)
        from grown where feeds.id = grown.feed_id
        returning feeds.id, feeds.epoch, feeds.auth, feeds.head - grown.number + 1 as first_seq
    )
    select raised.id, raised.epoch, raised.auth, raised.first_seq, stamp, coalesce(known.devices, '[]')
    from raised left join lateral (
        select cast(json_agg(named) as text) as devices
        from (
            select id, name, kind, case when acked_epoch = raised.epoch then acked_seq else 0 end as acked_seq
            from devices where feed_id = raised.id and revoked_at is null order by created_at, id
        ) as named
    ) as known on true;
end $function$
"""


def upgrade() -> None:
    op.create_table(
        "clients",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clients")),
        comment="OAuth clients: the GPT, an MCP client, an extension.",
    )
    op.create_table(
        "lineage",
        sa.Column("one", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False, comment="which database this history was written in"),
        sa.CheckConstraint("one", name=op.f("ck_lineage_single_row")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_lineage")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
    )
    op.create_table(
        "feeds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("auth", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("floor", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("head", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "expires_next", sa.DateTime(timezone=True), nullable=True, comment="no item of the feed expires earlier"
        ),
        sa.Column(
            "deleted_first", sa.DateTime(timezone=True), nullable=True, comment="no tombstone of the feed is older"
        ),
        sa.Column(
            "replays_next", sa.DateTime(timezone=True), nullable=True, comment="no replay of the feed expires earlier"
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("head >= 0 and floor >= 0 and floor <= head", name=op.f("ck_feeds_counters")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_feeds_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feeds")),
        comment="The counters of a feed. head is raised in the transaction that changes items, under this lock.",
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index(
        op.f("ix_feeds_deleted_first"),
        "feeds",
        ["deleted_first"],
        unique=False,
        postgresql_where=sa.text("deleted_first is not null"),
    )
    op.create_index(
        op.f("ix_feeds_expires_next"),
        "feeds",
        ["expires_next"],
        unique=False,
        postgresql_where=sa.text("expires_next is not null"),
    )
    op.create_index(
        op.f("ix_feeds_replays_next"),
        "feeds",
        ["replays_next"],
        unique=False,
        postgresql_where=sa.text("replays_next is not null"),
    )
    op.create_index(op.f("ix_feeds_user_id"), "feeds", ["user_id"], unique=False)
    op.create_table(
        "devices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("feed_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("acked_seq", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("acked_epoch", sa.Text(), nullable=True, comment="the history that acked_seq is of"),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_devices_feed_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_devices")),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index(op.f("ix_devices_feed_id"), "devices", ["feed_id"], unique=False)
    op.create_table(
        "items",
        sa.Column("feed_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("collection", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("audience", sa.ARRAY(sa.Uuid()), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "field_seqs",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="writable field -> seq of its last change",
        ),
        sa.Column("search", postgresql.TSVECTOR(), nullable=True),
        sa.Column(
            "wire", sa.LargeBinary(), nullable=False, comment="the item as clients get it: UTF-8 JSON, encoded once"
        ),
        sa.PrimaryKeyConstraint("feed_id", "id", name=op.f("pk_items")),
        comment="The feed itself: each row carries the seq of its last change.",
    )
    op.create_index(
        "ix_items_expiry",
        "items",
        ["feed_id", "expires_at"],
        unique=False,
        postgresql_where=sa.text("expires_at is not null"),
    )
    op.create_index(op.f("ix_items_feed_id_seq"), "items", ["feed_id", "seq"], unique=True)
    op.create_index(
        "ix_items_tombstones",
        "items",
        ["feed_id", "deleted_at"],
        unique=False,
        postgresql_where=sa.text("deleted_at is not null"),
    )
    op.create_table(
        "replays",
        sa.Column("feed_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False, comment="SHA-256 over scope and key"),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False, comment="SHA-256 of the canonical body"),
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column(
            "wire",
            sa.LargeBinary(),
            nullable=True,
            comment="the first answer; null where it only counts while the item is unchanged",
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("feed_id", "key", name=op.f("pk_replays")),
        comment="Writes that were carried out, so that a repeat has one effect.",
    )
    op.create_table(
        "tokens",
        sa.Column("hash", sa.LargeBinary(), nullable=False, comment="SHA-256; the token itself is nowhere"),
        sa.Column("feed_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=True),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_tokens_client_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name=op.f("fk_tokens_device_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_tokens_feed_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_tokens")),
    )
    op.create_index(op.f("ix_tokens_client_id"), "tokens", ["client_id"], unique=False)
    op.create_index(op.f("ix_tokens_device_id"), "tokens", ["device_id"], unique=False)
    op.create_index(op.f("ix_tokens_feed_id"), "tokens", ["feed_id"], unique=False)
    op.create_table(
        "tickets",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["token_hash"], ["tokens.hash"], name=op.f("fk_tickets_token_hash"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_tickets")),
        comment="Credentials for one purpose, opening a stream where no header can be sent.",
    )
    op.create_index(op.f("ix_tickets_expires_at"), "tickets", ["expires_at"], unique=False)
    op.create_index(op.f("ix_tickets_token_hash"), "tickets", ["token_hash"], unique=False)
    _let_the_server_in()
    for table in ROW_SECURED:
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
        op.execute(f"create policy named_feeds on {table} using ({VISIBLE}) with check ({VISIBLE})")
    op.execute(COMMIT_NEW_ITEMS)


def _let_the_server_in() -> None:
    # Roles belong to the whole cluster, so another database of it may have made this one already. From Postgres 16 on,
    # who makes a role is its member, but may not take it.
    op.execute(
        """
        do $$
        declare needed text := case when current_setting('server_version_num') < '160000' then 'member' else 'set' end;
        begin
            if not exists (select from pg_roles where rolname = 'starling_app') then
                create role starling_app nologin;
            end if;
            if not pg_has_role(current_user, 'starling_app', needed) then
                execute format('grant starling_app to %I', current_user);
            end if;
        exception when duplicate_object or unique_violation then null;
        end $$
        """
    )
    op.execute("grant usage on schema public to starling_app")
    op.execute("grant select, insert, update, delete on all tables in schema public to starling_app")
    op.execute(
        "alter default privileges in schema public grant select, insert, update, delete on tables to starling_app"
    )
    op.execute("grant execute on function pg_control_system(), pg_control_checkpoint() to starling_app")


def downgrade() -> None:
    op.execute("drop function commit_new_items")
    op.execute(
        "alter default privileges in schema public revoke select, insert, update, delete on tables from starling_app"
    )
    op.drop_index(op.f("ix_tickets_token_hash"), table_name="tickets")
    op.drop_index(op.f("ix_tickets_expires_at"), table_name="tickets")
    op.drop_table("tickets")
    op.drop_index(op.f("ix_tokens_feed_id"), table_name="tokens")
    op.drop_index(op.f("ix_tokens_device_id"), table_name="tokens")
    op.drop_index(op.f("ix_tokens_client_id"), table_name="tokens")
    op.drop_table("tokens")
    op.drop_table("replays")
    op.drop_index("ix_items_tombstones", table_name="items", postgresql_where=sa.text("deleted_at is not null"))
    op.drop_index(op.f("ix_items_feed_id_seq"), table_name="items")
    op.drop_index("ix_items_expiry", table_name="items", postgresql_where=sa.text("expires_at is not null"))
    op.drop_table("items")
    op.drop_index(op.f("ix_devices_feed_id"), table_name="devices")
    op.drop_table("devices")
    op.drop_index(op.f("ix_feeds_user_id"), table_name="feeds")
    op.drop_index(
        op.f("ix_feeds_replays_next"), table_name="feeds", postgresql_where=sa.text("replays_next is not null")
    )
    op.drop_index(
        op.f("ix_feeds_expires_next"), table_name="feeds", postgresql_where=sa.text("expires_next is not null")
    )
    op.drop_index(
        op.f("ix_feeds_deleted_first"), table_name="feeds", postgresql_where=sa.text("deleted_first is not null")
    )
    op.drop_table("feeds")
    op.drop_table("users")
    op.drop_table("lineage")
    op.drop_table("clients")
