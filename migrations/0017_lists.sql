-- Lists that read what they show and little more, however large the tables are.
--
-- Behind a policy only comparisons that can tell nobody a stranger's values use an index: =, < and > of uuid, text, numbers and times.
-- lower(), coalesce(), ->> and @@ are none of them. So what lists fold, choose or take out of JSON is stored beside it, and
-- what needs more is found by a function that gives ids, whose rows are then read through the wall as always.

alter table profiles add column username_key text collate "C" generated always as (lower(username)) stored;
drop index profiles_username_key;
create unique index profiles_username_key on profiles (username_key);

-- On which day somebody was last here: this changes once a day, `last_active_at` once a minute, and an index on a column that
-- changes has to be written each time.
alter table profile_private add column seen_on date generated always as ((last_active_at at time zone 'UTC')::date) stored;
create index profile_private_seen_on_idx on profile_private (seen_on desc, user_id);

alter table ocs
    add column name_key text collate "C" generated always as (lower(name)) stored,
    add column shown_at timestamptz generated always as (coalesce(published_at, created_at)) stored,
    add column mood text collate "C" generated always as (coalesce(visual_style ->> 'mood', '')) stored;
comment on column ocs.shown_at is 'Since when others see it; for a draft, when it was made';
drop index ocs_public_name_key, ocs_own_name_key, ocs_newest_idx, ocs_by_name_idx;
create unique index ocs_public_name_key on ocs (name_key) where is_public;
create unique index ocs_own_name_key on ocs (owner_id, name_key);
create index ocs_newest_idx on ocs (shown_at desc, oc_id desc);
create index ocs_by_name_idx on ocs (name_key, oc_id);
create index ocs_kind_idx on ocs (kind, shown_at desc, oc_id desc);
create index ocs_mood_idx on ocs (mood, shown_at desc, oc_id desc);

create or replace function app.oc_name_taken(wanted text, besides uuid default null) returns boolean
    language sql stable security definer
    set search_path = ''
as $$
    select exists (select from public.ocs where is_public and name_key = lower(wanted) and oc_id is distinct from besides)
$$;

-- Ids of the characters on one page of the gallery, in their order. Which conditions there are is known when the statement is made,
-- so that it is planned for them: a statement for all of them reads all rows for any.
--
-- `words` is a query of tsquery's or '', `start` the folded beginning of a name; `drafts` are the asker's own. `key` and `last` are
-- the sort key and the id of the character before the page.
create function app.list_ocs(words text, start text, of_kind text, of_mood text, of_owner uuid, drafts boolean, sort text, key text,
                             last uuid, most integer)
    returns table (oc_id uuid)
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
    -- How many rows begin with some letters the planner only guesses, and would rather read all for the first five hundred.
    set enable_seqscan = off
    rows 25
as $$
declare
    judge boolean := app.has_role('moderator');
    wanted tsquery;
    found uuid[];
    -- The page's order: what it is sorted by, which way, and of which type.
    by_what text := case sort when 'popular' then 'o.interaction_count' when 'name' then 'o.name_key' else 'o.shown_at' end;
    way text := case sort when 'name' then 'asc' else 'desc' end;
    type text := case sort when 'popular' then 'bigint' when 'name' then 'text' else 'timestamptz' end;
    said text := 'select o.oc_id from public.ocs o where ';
begin
    said := said || case when drafts then '(o.is_public and (o.content_rating = any($1) or $2) or o.owner_id = $3)'
                         when judge then 'o.is_public' else 'o.is_public and o.content_rating = any($1)' end;
    if words <> '' then
        wanted := to_tsquery('pg_catalog.english', words) || to_tsquery('pg_catalog.simple', words);
        -- A word that few have is found by its index, and one that many have in the page's order: nobody knows which it is
        -- before, and either way is slow for the other.
        execute 'select array(select o.oc_id from public.ocs o where o.search @@ $1 limit 501)
                     || array(select o.oc_id from public.ocs o where o.name_key ^@ $2 limit 501)' into found using wanted, start;
        said := said || case when cardinality(found) > 500 then ' and (o.search @@ $4 or o.name_key ^@ $5)'
                             else ' and o.oc_id = any($12)' end;
    end if;
    said := said || case when of_kind <> '' then ' and o.kind = $6' else '' end
        || case when of_mood <> '' then ' and o.mood = $7' else '' end
        || case when of_owner is not null then ' and o.owner_id = $8' else '' end
        || case when last is not null then format(' and (%s, o.oc_id) %s ($9::%s, $10)', by_what,
                                                  case way when 'asc' then '>' else '<' end, type) else '' end
        || format(' order by %s %s, o.oc_id %s limit $11', by_what, way, way);
    return query execute said
        using app.ratings(), judge, app.user_id(), wanted, start, of_kind, of_mood, of_owner, key, last, least(most, 101), found;
end $$;
revoke execute on function app.list_ocs(text, text, text, text, uuid, boolean, text, text, uuid, integer) from public;
grant execute on function app.list_ocs(text, text, text, text, uuid, boolean, text, text, uuid, integer) to sf_app;

-- Whether a row may be seen because its character may be: asked for the rows of the page. `offset 0` keeps PostgreSQL from asking once
-- for all characters there are, which it prefers as soon as the outer table is large, whatever the page is.
alter policy oc_slugs_read on oc_slugs using (exists (select from ocs o where o.oc_id = oc_slugs.oc_id offset 0));
alter policy oc_items_read on oc_items using (exists (select from ocs o where o.oc_id = oc_items.oc_id offset 0));
alter policy forum_posts_read on forum_posts
    using ((deleted_at is null and (oc_id is null or exists (select from ocs o where o.oc_id = forum_posts.oc_id offset 0)))
           or author_id = (select app.user_id()) or (select app.has_role('moderator')));
alter policy world_events_read on world_events
    using (oc_id is null or exists (select from ocs o where o.oc_id = world_events.oc_id offset 0));
alter policy memories_read on memories
    using (user_id = (select app.user_id())
           or (user_id is null and exists (select from ocs o where o.oc_id = memories.oc_id offset 0)));

-- The most important that a character knows: of its public life, and of the asker. Ids only, as above: behind the policy the planner
-- would look at all of a character's memories, and asks for each whether the character may be seen.
create function app.list_memories(of_oc uuid, most integer) returns table (memory_id uuid)
    language sql stable security definer
    set search_path = pg_catalog, pg_temp
    rows 10
as $$
    (select m.memory_id from public.memories m where m.oc_id = of_oc and m.user_id is null and m.superseded_by is null
     order by m.importance desc, m.created_at desc limit least(most, 100))
    union all
    (select m.memory_id from public.memories m where m.oc_id = of_oc and m.user_id = app.user_id() and m.superseded_by is null
     order by m.importance desc, m.created_at desc limit least(most, 100))
$$;
revoke execute on function app.list_memories(uuid, integer) from public;
grant execute on function app.list_memories(uuid, integer) to sf_app, sf_worker;

-- What happens, without the awakenings, which are most of it.
create index world_events_lived_idx on world_events (created_at desc, world_event_id desc) where event_type <> 'oc_summoned';
create index world_events_awakenings_idx on world_events (created_at desc, world_event_id desc) where event_type = 'oc_summoned';
drop index memories_oc_id_idx;
create index memories_oc_id_idx on memories (oc_id, user_id, importance desc, created_at desc);
-- "Is null" gives no order, so a character's public life has an index of its own.
create index memories_public_idx on memories (oc_id, importance desc, created_at desc) where user_id is null and superseded_by is null;
-- The few that were put away, which a list of them would look for among all.
create index conversations_archived_idx on conversations (user_id, last_message_at desc, conversation_id desc)
    where archived_at is not null;
