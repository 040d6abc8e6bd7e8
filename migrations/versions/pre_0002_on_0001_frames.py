"""Pages of a feed as one device gets them, framed by the database."""

from alembic import op

revision = "pre_0002_on_0001"
down_revision = "0001"
branch_labels = None
depends_on = None

# One statement sees counters and items of one moment. The settings pin the plan: a walk along (feed_id, seq). It is
# made once a connection, for planning would cost more than a short page. And a table of which little is known makes
# Postgres believe that sorting a whole feed for each page is cheap.
READ_FRAMES = r"""
create function read_frames(feed uuid, device uuid, after bigint, base bigint, most_items integer, most_bytes integer)
returns table (epoch text, auth bigint, floor bigint, head bigint, reached bigint, number bigint, frames bytea)
language plpgsql
set plan_cache_mode = force_generic_plan
set enable_sort = off
set enable_bitmapscan = off
set enable_seqscan = off
as $function$
#variable_conflict use_column
begin
    perform set_config('starling.feeds', cast(array[feed] as text), true);
    return query
    select f.epoch, f.auth, f.floor, f.head, case when page.is_cut then page.last else f.head end, page.number,
           coalesce(page.frames, '')
    from feeds f cross join lateral (
        select count(*) as number, max(seq) as last,
               count(*) >= most_items or sum(octet_length(wire)) >= most_bytes as is_cut,
               string_agg(
                   convert_to(E'event: item\nid: ' || f.epoch || '.' || seq
                              || case when base > seq then '.' || base else '' end || E'\ndata: ', 'UTF8')
                       || wire || '\x0a0a',
                   '' order by seq
               ) as frames
        from (
            select seq, wire,
                   sum(octet_length(wire)) over (order by seq rows unbounded preceding) - octet_length(wire) as before
            from (
                select seq, wire from items
                where feed_id = feed and seq > after and (audience is null or device = any(audience))
                order by seq limit most_items
            ) as found
        ) as counted
        where before < most_bytes
    ) as page
    where f.id = feed;
end $function$
"""


def upgrade() -> None:
    op.execute(READ_FRAMES)


def downgrade() -> None:
    op.execute("drop function read_frames")
