-- A hundred thousand rows of everything that lists read. Triggers and foreign keys rest meanwhile: they are not what is measured.
set session_replication_role = replica;
set synchronous_commit = off;

create function pg_temp.id(kind integer, n bigint) returns uuid language sql immutable
    return (lpad(to_hex(kind), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid;

insert into users (user_id, email) select pg_temp.id(1, n), 'person' || n || '@example.org' from generate_series(1, 100000) n;
insert into profiles (user_id, username, display_name)
    select pg_temp.id(1, n), 'person' || n, 'Person ' || n from generate_series(1, 100000) n;
insert into profile_private (user_id, last_active_at)
    select pg_temp.id(1, n), now() - n * interval '10 minutes' from generate_series(1, 100000) n;

-- One in ten is a draft, three are luminors, one in a thousand is the house's. Person 1 has a thousand.
insert into ocs (oc_id, owner_id, kind, name, slug, description, personality, visual_style, is_public, published_at, interaction_count)
    select pg_temp.id(2, n), case when n % 1000 = 0 then null when n % 100 = 1 then pg_temp.id(1, 1) else pg_temp.id(1, n % 20000 + 2) end,
        case when n % 40000 = 7 then 'luminor' else 'oc' end, 'Name ' || md5(n::text), 'name-' || n,
        case when n % 25000 = 3 then 'A zanzibar' else 'Somebody' end || ' with words', 'brave',
        jsonb_build_object('mood', case when n % 33000 = 5 then 'eerie' else 'calm' end), n % 10 <> 0 or n % 1000 = 0,
        now() - n * interval '1 minute', n * 7919 % 100003
    from generate_series(1, 100000) n;
insert into oc_slugs (slug, oc_id) select slug, oc_id from ocs on conflict do nothing;
insert into forum_posts (forum_post_id, author_id, oc_id, title, content, created_at)
    select pg_temp.id(3, n), pg_temp.id(1, n), pg_temp.id(2, n), 'Title', 'Content', now() - n * interval '1 minute'
    from generate_series(1, 100000) n;
-- All of them within the seven days that matter, and nearly all awakenings of strangers' characters.
insert into world_events (world_event_id, event_type, description, oc_id, created_at)
    select pg_temp.id(4, n), case when n % 500 = 0 then 'major_event' else 'oc_summoned' end, 'Something happened.', pg_temp.id(2, n),
        now() - n * interval '5 seconds'
    from generate_series(1, 100000) n;

-- Person 1 has a thousand talks, one of them with fifty thousand lines, and a character that knows fifty thousand things.
insert into conversations (conversation_id, user_id, oc_id, active_leaf_id, archived_at, last_message_at)
    select pg_temp.id(5, n), pg_temp.id(1, case when n <= 1000 then 1 else n end), pg_temp.id(2, n),
        case when n = 1 then pg_temp.id(6, 50000) end, case when n between 900 and 930 then now() end, now() - n * interval '1 minute'
    from generate_series(1, 100000) n;
insert into messages (message_id, conversation_id, user_id, parent_id, sender_type, content)
    select pg_temp.id(6, n), pg_temp.id(5, 1), pg_temp.id(1, 1), case when n > 1 then pg_temp.id(6, n - 1) end,
        case n % 2 when 1 then 'oc' else 'user' end, 'Some words of a line.'
    from generate_series(1, 50000) n;
insert into messages (message_id, conversation_id, user_id, sender_type, content)
    select pg_temp.id(6, n), pg_temp.id(5, n), pg_temp.id(1, n), 'user', 'Words of somebody else.' from generate_series(50001, 100000) n;
insert into memories (memory_id, oc_id, user_id, content, importance)
    select pg_temp.id(7, n), pg_temp.id(2, case when n <= 50000 then 1 else n end), case when n % 10 = 0 then pg_temp.id(1, n % 1000 + 1) end,
        'A thing.', n % 10 + 1
    from generate_series(1, 100000) n;
insert into stored_files (key, user_id, kind, bytes)
    select 'plates/' || n, pg_temp.id(1, n % 50000 + 1), 'plate', 1000 from generate_series(1, 100000) n;
insert into oc_versions (oc_id, version, content, edited_by)
    select pg_temp.id(2, n), 1, '{"name": "n", "description": "d", "personality": "p", "greeting": "g"}', pg_temp.id(1, 1)
    from generate_series(1, 100000) n;
insert into featured_ocs (oc_id, sort) select pg_temp.id(2, n * 1009), n from generate_series(1, 12) n;
insert into user_roles (user_id, role) values (pg_temp.id(1, 2), 'admin');
set session_replication_role = origin;
analyze;
