"""The SQL of a commit. Arrays come as parallel columns, so that a batch of any size is one statement."""

from sqlalchemy import text

from app.store.database import Prepared


def _statement(sql: str) -> Prepared:
    return Prepared(text(sql))


# Locks in id order (no two batches deadlock) and names the feeds this transaction may see.
LOCK = _statement("""
select id, epoch, auth, head, now() as now, cast(pg_current_xact_id() as text) as xid,
       set_config('starling.feeds', :visible, true)
from feeds where id = any(:feeds) order by id for update
""")

# Which of the feeds others have locked. Those that are free are free again when this ends.
LOCKED = _statement("""
with free as (select id from feeds where id = any(:feeds) order by id for update skip locked)
select id from feeds where id = any(:feeds) and id not in (select id from free)
""")

# `limit 1` keeps the planner, which knows little of young tables, from reading all of a feed for a few keys.
REPLAYS = _statement("""
select r.feed_id, r.key, r.fingerprint, r.item_id, r.seq, r.wire
from unnest(cast(:feeds as uuid[]), cast(:keys as bytea[])) as wanted(feed_id, key)
cross join lateral (
    select * from replays
    where feed_id = wanted.feed_id and key = wanted.key and expires_at > now() limit 1
) as r
""")

ITEMS = _statement("""
select i.feed_id, i.id, i.seq, i.wire, cast(i.field_seqs as text) as field_seqs, i.audience, i.expires_at, i.deleted_at
from unnest(cast(:feeds as uuid[]), cast(:ids as uuid[])) as wanted(feed_id, id)
cross join lateral (select * from items where feed_id = wanted.feed_id and id = wanted.id limit 1) as i
""")

# One statement writes everything: items, replays, and last the heads. It answers with the devices of the feeds, for the
# callers' receipts: nothing that was just written can have been acknowledged, so this is as good as asking later.
WRITE = _statement("""
with written as (
    insert into items (feed_id, id, seq, kind, collection, status, audience, expires_at, deleted_at, field_seqs, search,
                       wire)
    select feed_id, id, seq, kind, collection, status, cast(audience as uuid[]), expires_at, deleted_at,
           cast(field_seqs as jsonb), to_tsvector('simple', search), wire
    from unnest(cast(:feed as uuid[]), cast(:id as uuid[]), cast(:seq as bigint[]), cast(:kind as text[]),
                cast(:collection as text[]), cast(:status as text[]), cast(:audience as text[]),
                cast(:expires_at as timestamptz[]), cast(:deleted_at as timestamptz[]), cast(:field_seqs as text[]),
                cast(:search as text[]), cast(:wire as bytea[]))
        as new(feed_id, id, seq, kind, collection, status, audience, expires_at, deleted_at, field_seqs, search, wire)
    on conflict (feed_id, id) do update set
        seq = excluded.seq, kind = excluded.kind, collection = excluded.collection, status = excluded.status,
        expires_at = excluded.expires_at, deleted_at = excluded.deleted_at, field_seqs = excluded.field_seqs,
        search = excluded.search, wire = excluded.wire
), remembered as (
    insert into replays (feed_id, key, fingerprint, item_id, seq, wire, expires_at)
    select feed_id, key, fingerprint, item_id, seq, wire, now() + life
    from unnest(cast(:r_feed as uuid[]), cast(:r_key as bytea[]), cast(:r_fingerprint as bytea[]),
                cast(:r_item as uuid[]), cast(:r_seq as bigint[]), cast(:r_wire as bytea[]),
                cast(:r_life as interval[]))
        as new(feed_id, key, fingerprint, item_id, seq, wire, life)
    on conflict (feed_id, key) do update set
        fingerprint = excluded.fingerprint, item_id = excluded.item_id, seq = excluded.seq, wire = excluded.wire,
        expires_at = excluded.expires_at
), raised as (
    update feeds set
        head = new.head,
        expires_next = least(feeds.expires_next, new.expires_next),
        deleted_first = least(feeds.deleted_first, new.deleted_first),
        replays_next = least(feeds.replays_next, new.replays_next)
    from unnest(cast(:h_feed as uuid[]), cast(:h_head as bigint[]), cast(:h_expires as timestamptz[]),
                cast(:h_deleted as timestamptz[]), cast(:h_replays as timestamptz[]))
        as new(id, head, expires_next, deleted_first, replays_next)
    where feeds.id = new.id
    returning feeds.id, feeds.epoch
)
select d.feed_id, d.id, d.name, d.kind, case when d.acked_epoch = raised.epoch then d.acked_seq else 0 end as acked_seq,
       d.last_seen, d.created_at
from raised join devices d on d.feed_id = raised.id
where d.revoked_at is null
order by d.created_at, d.id
""")

# What the schema's function does is said there. One row a feed; none when it left everything undone.
BEAR = _statement("""
select feed, feed_epoch as epoch, feed_auth as auth, first_seq, moment, receivers
from commit_new_items(:visible, :feed, :id, :kind, :collection, :status, :audience, :expires_at, :search, :body, :end,
                      :r_key, :r_fingerprint, :r_life, :r_keeps)
""")

BORN = text("""
select i.id, i.seq, i.wire, f.epoch, f.auth
from unnest(cast(:feeds as uuid[]), cast(:ids as uuid[])) as wanted(feed_id, id)
join feeds f on f.id = wanted.feed_id
cross join lateral (select * from items where feed_id = wanted.feed_id and id = wanted.id limit 1) as i
""")

# A session's lock ends with its backend. Process ids come again, and when a backend began is hidden from the server's
# role.
MARK = _statement("select pg_advisory_lock(cast(:mark as bigint))")
IS_GONE = text("select pg_try_advisory_xact_lock(cast(:mark as bigint))")

XACT_STATUS = text("select pg_xact_status(cast(cast(:xid as text) as xid8))")

# An item of the batch that stands there as this batch wrote it proves that the batch was committed.
WITNESS = text("select 1 from items where feed_id = :feed and id = :id and seq = :seq and wire = :wire")
