-- Original characters, luminors and companions: one table, told apart by `kind`.

create table ocs (
    oc_id uuid primary key default gen_random_uuid(),
    -- Null: autonomous, or its owner has left.
    owner_id uuid references users on delete set null,
    kind text not null default 'oc' check (kind in ('oc', 'luminor', 'companion')),
    name text not null check (length(name) between 1 and 80),
    slug text not null check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and length(slug) <= 100),
    title text not null default '' check (length(title) <= 120),
    specialty text not null default '' check (length(specialty) <= 120),
    description text not null check (length(description) <= 4000),
    personality text not null check (length(personality) <= 4000),
    greeting text not null default '' check (length(greeting) <= 4000),
    alternate_greetings text[] not null default '{}',
    scenario text not null default '' check (length(scenario) <= 4000),
    -- Lines of the character itself, one exchange after the other: {"user": "...", "oc": "..."}.
    example_dialogue jsonb not null default '[]',
    system_prompt text not null default '' check (length(system_prompt) <= 8000),
    visual_style jsonb not null default '{}',
    -- Words that the drawn portrait takes up (halo, hair, headgear, ...).
    appearance_tags text[] not null default '{}',
    avatar_key text check (length(avatar_key) <= 200),
    expertise text[] not null default '{}',
    ai_tools text[] not null default '{}',
    tags text[] not null default '{}',
    attribute_focus text check (attribute_focus in ('Growth', 'Health', 'Craft', 'Connection')),
    traits jsonb not null default '{}',
    voice_tone text not null default '' check (length(voice_tone) <= 500),
    voice_examples text[] not null default '{}',
    scene_behavior_rules text not null default '' check (length(scene_behavior_rules) <= 4000),
    forbidden_phrases text[] not null default '{}',
    base_prompt text not null default '' check (length(base_prompt) <= 4000),
    reference_image_key text check (length(reference_image_key) <= 200),
    seed_locked boolean not null default false,
    consistency_method text not null default 'prompt' check (consistency_method in ('prompt', 'seed', 'reference')),
    content_rating text not null default 'general' check (content_rating in ('general', 'teen', 'mature')),
    quick_start text[] not null default '{}',
    -- A draft is seen by its owner alone; publishing sets published_at once.
    is_public boolean not null default false,
    published_at timestamptz,
    -- The introductory post while the character is a draft: {"title": "...", "content": "..."}.
    introduction jsonb,
    like_count integer not null default 0 check (like_count >= 0),
    interaction_count bigint not null default 0 check (interaction_count >= 0),
    rating_sum integer not null default 0,
    rating_count integer not null default 0,
    -- The imported card, verbatim.
    card jsonb,
    version integer not null default 1 check (version >= 1),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    search tsvector generated always as (
        setweight(to_tsvector('simple', name || ' ' || title), 'A') ||
        setweight(to_tsvector('english', description), 'B') ||
        setweight(to_tsvector('english', personality), 'C')
    ) stored
);
-- Two characters never share a name, whatever their case.
create unique index ocs_name_key on ocs (lower(name));
create unique index ocs_slug_key on ocs (slug);
create index ocs_owner_id_idx on ocs (owner_id, oc_id desc);
-- The three orders of the gallery. Drafts are few; row level security leaves them out.
create index ocs_newest_idx on ocs (coalesce(published_at, created_at) desc, oc_id desc);
create index ocs_popular_idx on ocs (interaction_count desc, oc_id desc);
create index ocs_by_name_idx on ocs (lower(name), oc_id);
create index ocs_search_idx on ocs using gin (search);
create trigger ocs_touch before update on ocs for each row execute function app.touch();

-- Whether a name or an address is taken, also by a draft that the asker cannot see: the answer is yes or no and nothing else.
create function app.oc_name_taken(wanted text, besides uuid default null) returns boolean
    language sql stable security definer
    set search_path = ''
as $$
    select exists (select from public.ocs where lower(name) = lower(wanted) and oc_id is distinct from besides)
$$;
create function app.oc_slug_taken(wanted text) returns boolean
    language sql stable security definer
    set search_path = ''
as $$
    select exists (select from public.ocs where slug = wanted)
$$;
revoke execute on function app.oc_name_taken(text, uuid), app.oc_slug_taken(text) from public;
grant execute on function app.oc_name_taken(text, uuid), app.oc_slug_taken(text) to sf_app, sf_worker;

create function app.count_ocs() returns trigger
    language plpgsql security definer
    set search_path = ''
as $$
begin
    if tg_op <> 'INSERT' and old.owner_id is not null and old.owner_id is distinct from (case when tg_op = 'UPDATE' then new.owner_id end) then
        update public.profiles set oc_count = greatest(oc_count - 1, 0) where user_id = old.owner_id;
    end if;
    if tg_op <> 'DELETE' and new.owner_id is not null and new.owner_id is distinct from (case when tg_op = 'UPDATE' then old.owner_id end) then
        update public.profiles set oc_count = oc_count + 1 where user_id = new.owner_id;
    end if;
    return null;
end $$;
revoke execute on function app.count_ocs() from public;
create trigger ocs_count after insert or delete or update of owner_id on ocs for each row execute function app.count_ocs();

-- Characters of the house that were made once: a deleted one does not come back at the next start.
create table seeded_ocs (
    oc_id uuid primary key,
    seeded_at timestamptz not null default now()
);

-- What each edit replaced: the whole character as it was, so that any of them can be brought back.
create table oc_versions (
    oc_id uuid not null references ocs on delete cascade,
    version integer not null,
    edited_by uuid references users on delete set null,
    content jsonb not null,
    created_at timestamptz not null default now(),
    primary key (oc_id, version)
);

create table items (
    item_id uuid primary key default gen_random_uuid(),
    created_by uuid references users on delete set null,
    name text not null check (length(name) between 1 and 80),
    description text not null default '' check (length(description) <= 1000),
    image_key text check (length(image_key) <= 200),
    -- How carrying it changes its carrier; goes into the prompt.
    personality_effects text not null check (length(personality_effects) <= 500),
    rarity text not null check (rarity in ('common', 'rare', 'epic', 'legendary')),
    created_at timestamptz not null default now()
);
create index items_rarity_idx on items (rarity);
create index items_name_idx on items (name);
create index items_created_by_idx on items (created_by);

create table oc_items (
    oc_item_id uuid primary key default gen_random_uuid(),
    oc_id uuid not null references ocs on delete cascade,
    item_id uuid not null references items on delete cascade,
    gifted_by uuid references users on delete set null,
    is_equipped boolean not null default true,
    received_at timestamptz not null default now(),
    constraint oc_items_oc_item_key unique (oc_id, item_id)
);
create index oc_items_item_id_idx on oc_items (item_id);

-- Work that outlives a request: a summon now, more kinds later. `result` holds what has arrived so far.
create table jobs (
    job_id uuid primary key default gen_random_uuid(),
    user_id uuid not null references users on delete cascade,
    job_type text not null check (job_type in ('summon')),
    status text not null default 'queued' check (status in ('queued', 'running', 'done', 'failed', 'stopped', 'interrupted')),
    prompt text not null default '' check (length(prompt) <= 8000),
    input jsonb not null default '{}',
    result jsonb not null default '{}',
    error text check (length(error) <= 1000),
    oc_id uuid references ocs on delete set null,
    attempts integer not null default 0,
    node_id uuid,
    lease_until timestamptz,
    idempotency_key text check (length(idempotency_key) <= 200),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint jobs_idempotency_key unique (user_id, idempotency_key)
);
create index jobs_user_id_idx on jobs (user_id, job_id desc);
create index jobs_open_idx on jobs (lease_until) where status in ('queued', 'running');
create index jobs_oc_id_idx on jobs (oc_id);
create trigger jobs_touch before update on jobs for each row execute function app.touch();

-- The forum's first table: introductions are written when a character goes public. The forum itself comes later.
create table forum_posts (
    forum_post_id uuid primary key default gen_random_uuid(),
    -- The person behind it; null when a character posted of its own accord.
    author_id uuid references users on delete set null,
    -- The character it is from; null for a person's own post.
    oc_id uuid references ocs on delete set null,
    title text not null check (length(title) between 1 and 200),
    content text not null check (length(content) <= 20000),
    deleted_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index forum_posts_created_at_idx on forum_posts (created_at desc, forum_post_id desc) where deleted_at is null;
create index forum_posts_author_id_idx on forum_posts (author_id);
create index forum_posts_oc_id_idx on forum_posts (oc_id, created_at desc);
create trigger forum_posts_touch before update on forum_posts for each row execute function app.touch();

create table world_events (
    world_event_id uuid primary key default gen_random_uuid(),
    event_type text not null check (event_type in ('oc_summoned', 'item_gifted', 'relationship_changed', 'major_event', 'heartbeat')),
    description text not null check (length(description) between 1 and 1000),
    -- Who caused it and whom it concerns, so that it is seen only by those who may see the character.
    actor_id uuid references users on delete set null,
    oc_id uuid references ocs on delete cascade,
    metadata jsonb not null default '{}',
    created_at timestamptz not null default now()
);
create index world_events_created_at_idx on world_events (created_at desc, world_event_id desc);
create index world_events_event_type_idx on world_events (event_type);
create index world_events_oc_id_idx on world_events (oc_id, created_at desc);
create index world_events_actor_id_idx on world_events (actor_id);

call app.wall('ocs', 'seeded_ocs', 'oc_versions', 'items', 'oc_items', 'jobs', 'forum_posts', 'world_events');

grant select, insert, update, delete on ocs, oc_items to sf_app;
grant select, insert on oc_versions, items, world_events to sf_app;
grant update, delete on items to sf_app;
grant select, insert on jobs to sf_app;
grant select, insert, update on forum_posts to sf_app;

-- Public characters are everybody's to read; drafts and private ones their owner's. Characters without an owner are the
-- house's, and admins look after them.
create policy ocs_read on ocs for select to sf_app
    using (is_public or owner_id = (select app.user_id()) or (select app.has_role('moderator')));
create policy ocs_add on ocs for insert to sf_app
    with check (owner_id = (select app.user_id()) or (owner_id is null and (select app.has_role('admin'))));
create policy ocs_change on ocs for update to sf_app
    using (owner_id = (select app.user_id()) or (owner_id is null and (select app.has_role('admin'))))
    with check (owner_id = (select app.user_id()) or (owner_id is null and (select app.has_role('admin'))));
create policy ocs_delete on ocs for delete to sf_app
    using (owner_id = (select app.user_id()) or (owner_id is null and (select app.has_role('admin'))));

-- Sub-selects on ocs go through that table's own policies, so "may see" and "may change" are said once.
create function app.owns_oc(wanted uuid) returns boolean
    language sql stable
    set search_path = ''
as $$
    select exists (
        select from public.ocs o where o.oc_id = wanted
        and (o.owner_id = (select app.user_id()) or (o.owner_id is null and (select app.has_role('admin'))))
    )
$$;
grant execute on function app.owns_oc(uuid) to sf_app, sf_worker;

create policy oc_versions_read on oc_versions for select to sf_app using (app.owns_oc(oc_id));
create policy oc_versions_add on oc_versions for insert to sf_app with check (app.owns_oc(oc_id));
create policy items_read on items for select to sf_app using (true);
create policy items_add on items for insert to sf_app with check (created_by = (select app.user_id()));
create policy items_change on items for update to sf_app
    using (created_by = (select app.user_id()) or (select app.has_role('admin')))
    with check (created_by = (select app.user_id()) or (select app.has_role('admin')));
create policy items_delete on items for delete to sf_app
    using (created_by = (select app.user_id()) or (select app.has_role('admin')));
create policy oc_items_read on oc_items for select to sf_app
    using (exists (select from ocs o where o.oc_id = oc_items.oc_id));
create policy oc_items_add on oc_items for insert to sf_app with check (app.owns_oc(oc_id));
create policy oc_items_change on oc_items for update to sf_app using (app.owns_oc(oc_id)) with check (app.owns_oc(oc_id));
create policy oc_items_delete on oc_items for delete to sf_app using (app.owns_oc(oc_id));
create policy jobs_own on jobs for select to sf_app using (user_id = (select app.user_id()));
create policy jobs_add_own on jobs for insert to sf_app with check (user_id = (select app.user_id()));
create policy forum_posts_read on forum_posts for select to sf_app
    using ((deleted_at is null and (oc_id is null or exists (select from ocs o where o.oc_id = forum_posts.oc_id)))
           or author_id = (select app.user_id()) or (select app.has_role('moderator')));
create policy forum_posts_add on forum_posts for insert to sf_app
    with check ((author_id = (select app.user_id()) or (author_id is null and (select app.has_role('admin')) and oc_id is not null))
                and (oc_id is null or app.owns_oc(oc_id)));
create policy forum_posts_change on forum_posts for update to sf_app
    using (author_id = (select app.user_id()) or (select app.has_role('moderator')))
    with check (author_id = (select app.user_id()) or (select app.has_role('moderator')));
create policy world_events_read on world_events for select to sf_app
    using (oc_id is null or exists (select from ocs o where o.oc_id = world_events.oc_id));
create policy world_events_add on world_events for insert to sf_app
    with check (actor_id = (select app.user_id()) and (oc_id is null or exists (select from ocs o where o.oc_id = world_events.oc_id)));
