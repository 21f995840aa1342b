-- Who may write which column, and whose rows a row may name.
--
-- A policy judges rows. What may stand in a row is said here by column, references carry their owner with them, and what has
-- consequences for others (the audit, what happened in the world, the one list of addresses) is written by functions and triggers.

-- Ids that grow with time: rows that are made one after the other lie beside each other, and an index on them is an order.
do $$
begin
    if current_setting('server_version_num')::int >= 180000 then
        create function app.new_id() returns uuid language sql volatile parallel safe
            set search_path = pg_catalog, pg_temp
            return uuidv7();
    else
        -- The same for 16 and 17: 48 bits of milliseconds over a random id, then the version.
        create function app.new_id() returns uuid language sql volatile parallel safe
            set search_path = pg_catalog, pg_temp
            return encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
                placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6),
                52, 1), 53, 1), 'hex')::uuid;
    end if;
end $$;
grant execute on function app.new_id() to sf_app, sf_worker;
do $$
declare
    place record;
begin
    for place in select c.oid::regclass as named, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid
                 join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
                 where c.relnamespace = 'public'::regnamespace and pg_get_expr(d.adbin, c.oid) = 'gen_random_uuid()' loop
        execute format('alter table %s alter column %I set default app.new_id()', place.named, place.attname);
    end loop;
end $$;

-- The words of whoever takes the payments.
alter table profile_private drop constraint profile_private_subscription_status_check;
update profile_private set subscription_status = 'canceled' where subscription_status = 'cancelled';
alter table profile_private add constraint profile_private_subscription_status_check
    check (subscription_status in ('none', 'active', 'trialing', 'past_due', 'canceled', 'paused'));

-- References within what is one person's: they carry the person, so that no row of one can name a row of another. A guest's talks
-- become an account's with everything in them.
alter table conversations add constraint conversations_owner_key unique (user_id, conversation_id);
alter table messages add constraint messages_owner_key unique (user_id, conversation_id, message_id);
alter table user_keys add constraint user_keys_owner_key unique (user_id, user_key_id);

alter table messages
    drop constraint messages_conversation_id_fkey,
    drop constraint messages_parent_id_fkey,
    -- What spoke is only said; nothing depends on whether it is still there.
    drop constraint messages_oc_id_fkey,
    add constraint messages_conversation_fkey foreign key (user_id, conversation_id)
        references conversations (user_id, conversation_id) on update cascade on delete cascade,
    add constraint messages_parent_fkey foreign key (user_id, conversation_id, parent_id)
        references messages (user_id, conversation_id, message_id) on update cascade on delete cascade;
drop index messages_oc_id_idx;
alter table conversations
    drop constraint conversations_active_leaf_fkey,
    drop constraint conversations_user_key_id_fkey,
    drop constraint conversations_branched_from_id_fkey,
    drop constraint conversations_branched_at_id_fkey,
    -- A conversation and its lines name each other, and both move at once when a guest becomes somebody.
    add constraint conversations_active_leaf_fkey foreign key (user_id, conversation_id, active_leaf_id)
        references messages (user_id, conversation_id, message_id) on update cascade on delete set null (active_leaf_id)
        deferrable initially deferred,
    add constraint conversations_user_key_fkey foreign key (user_id, user_key_id)
        references user_keys (user_id, user_key_id) on delete set null (user_key_id),
    add constraint conversations_branched_from_fkey foreign key (user_id, branched_from_id)
        references conversations (user_id, conversation_id) on update cascade on delete set null (branched_from_id)
        deferrable initially deferred,
    add constraint conversations_branched_at_fkey foreign key (user_id, branched_from_id, branched_at_id)
        references messages (user_id, conversation_id, message_id) on update cascade on delete set null (branched_at_id)
        deferrable initially deferred;
alter table runs
    drop constraint runs_conversation_id_fkey,
    drop constraint runs_message_id_fkey,
    add constraint runs_message_fkey foreign key (user_id, conversation_id, message_id)
        references messages (user_id, conversation_id, message_id) on update cascade on delete cascade;
alter table conversation_summaries
    drop constraint conversation_summaries_conversation_id_fkey,
    drop constraint conversation_summaries_covers_message_id_fkey,
    add constraint conversation_summaries_message_fkey foreign key (user_id, conversation_id, covers_message_id)
        references messages (user_id, conversation_id, message_id) on update cascade on delete cascade;

-- Those who take part in a talk are its owner and its character.
drop policy conversation_participants_add_own on conversation_participants;
create policy conversation_participants_add_own on conversation_participants for insert to sf_app
    with check (exists (select from conversations c where c.conversation_id = conversation_participants.conversation_id
                        and (conversation_participants.user_id = c.user_id or conversation_participants.oc_id = c.oc_id)));
-- A run that would never end tells on for ever.
drop policy runs_add_own on runs;
create policy runs_add_own on runs for insert to sf_app
    with check (user_id = (select app.user_id()) and (lease_until is null or lease_until < now() + interval '1 hour')
                and exists (select from messages m where m.message_id = runs.message_id));
drop policy oc_versions_add on oc_versions;
create policy oc_versions_add on oc_versions for insert to sf_app
    with check (app.owns_oc(oc_id) and edited_by = (select app.user_id()));

-- Things. What one does to its carrier is said once and never changed: whoever carries it agreed to that. It goes when its maker
-- wishes and nobody carries it any more, and is seen by its maker and by whoever sees somebody who carries it.
create function app.is_carried(thing uuid) returns boolean
    language sql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
    select exists (select from public.oc_items c where c.item_id = thing)
$$;
revoke execute on function app.is_carried(uuid) from public;
grant execute on function app.is_carried(uuid) to sf_app, sf_worker;
drop policy items_change on items;
drop policy items_read on items;
drop policy items_delete on items;
create policy items_read on items for select to sf_app
    using (created_by = (select app.user_id()) or (select app.has_role('admin'))
           or exists (select from oc_items c where c.item_id = items.item_id offset 0));
create policy items_delete on items for delete to sf_app
    using ((created_by = (select app.user_id()) or (select app.has_role('admin'))) and not app.is_carried(item_id));

-- One gives what one may see; by a function as `app.owns_oc`, because seeing a thing asks who carries it.
create function app.sees_item(thing uuid) returns boolean
    language sql stable
    set search_path = pg_catalog, pg_temp
as $$
    select exists (select from public.items where item_id = thing)
$$;
grant execute on function app.sees_item(uuid) to sf_app, sf_worker;
drop policy oc_items_add on oc_items;
create policy oc_items_add on oc_items for insert to sf_app with check (app.owns_oc(oc_id) and app.sees_item(item_id));

-- The password is nobody's to read: the process itself compares it. An account is erased by the process, too.
drop policy users_erase_own on users;
revoke select, delete on users from sf_app;
revoke update (password_hash) on users from sf_app;
grant select (user_id, email, kind, timezone, theme_preference, terms_accepted_at, created_at, updated_at) on users to sf_app;

-- Since a character is public for the first time, and what the world hears of it.
create function app.publish_oc() returns trigger
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
begin
    new.published_at := now();
    return new;
end $$;
create trigger ocs_publish before update on ocs for each row
    when (new.is_public and old.published_at is null and new.published_at is null) execute function app.publish_oc();

-- One sentence of our own with the name in it, and by nobody else: what happened is read by characters.
create function app.note_published() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    insert into public.world_events (event_type, description, actor_id, oc_id)
        values ('oc_summoned', new.name || ' woke up.', app.user_id(), new.oc_id);
    return null;
end $$;
revoke execute on function app.note_published() from public;
create trigger ocs_note_published after update on ocs for each row
    when (old.published_at is null and new.published_at is not null) execute function app.note_published();
drop policy world_events_add on world_events;
drop policy world_events_no_guests on world_events;
revoke insert on world_events from sf_app;

-- One list of all addresses, present and earlier: no character takes one that is another's. A draft's earlier addresses were never
-- anybody's to know and go.
create function app.keep_slug() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op = 'UPDATE' and new.published_at is null then
        delete from public.oc_slugs where slug = old.slug and oc_id = new.oc_id and slug <> new.slug;
    end if;
    insert into public.oc_slugs (slug, oc_id) values (new.slug, new.oc_id) on conflict (slug) do nothing;
    if not exists (select from public.oc_slugs where slug = new.slug and oc_id = new.oc_id) then
        raise unique_violation using message = 'the address belongs to another character', constraint = 'ocs_slug_key', table = 'ocs';
    end if;
    return null;
end $$;
revoke execute on function app.keep_slug() from public;
create trigger ocs_keep_slug after insert or update of slug on ocs for each row execute function app.keep_slug();
insert into oc_slugs (slug, oc_id) select slug, oc_id from ocs on conflict (slug) do update set oc_id = excluded.oc_id;
drop policy oc_slugs_add on oc_slugs;
drop policy oc_slugs_take_back on oc_slugs;
revoke insert, delete on oc_slugs from sf_app;
drop function app.oc_slug_taken(text);
create function app.oc_slug_taken(wanted text, besides uuid) returns boolean
    language sql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
    select exists (select from public.oc_slugs where slug = wanted and oc_id is distinct from besides)
$$;
revoke execute on function app.oc_slug_taken(text, uuid) from public;
grant execute on function app.oc_slug_taken(text, uuid) to sf_app, sf_worker;

-- What those with power did, by themselves and now; the process writes its own lines.
create function app.audit(what text, about text, more jsonb) returns void
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    if not app.has_role('moderator') then
        raise insufficient_privilege using message = 'only those with power have something to be noted';
    end if;
    insert into public.audit_log (audit_id, actor_id, action, subject, metadata)
        values (app.new_id(), app.user_id(), what, left(about, 200), more);
end $$;
revoke execute on function app.audit(text, text, jsonb) from public;
grant execute on function app.audit(text, text, jsonb) to sf_app;
drop policy audit_log_add on audit_log;
revoke insert on audit_log from sf_app;

-- Whoever chose, changed or invited is whoever does it.
drop policy featured_ocs_add on featured_ocs;
create policy featured_ocs_add on featured_ocs for insert to sf_app
    with check ((select app.has_role('admin')) and chosen_by = (select app.user_id()));
drop policy invitations_add on invitations;
create policy invitations_add on invitations for insert to sf_app
    with check ((select app.has_role('admin')) and created_by = (select app.user_id()));
drop policy site_pages_add on site_pages;
create policy site_pages_add on site_pages for insert to sf_app
    with check ((select app.has_role('admin')) and changed_by = (select app.user_id()));

-- Column by column what people write, now that each has been looked at.
revoke insert, update on ocs, oc_items, oc_versions, items, forum_posts, conversations, conversation_participants, messages, runs,
    conversation_summaries, personas, api_tokens, activity_log, invitations, site_pages, featured_ocs, stored_files, providers, models,
    system_config, user_keys, jobs from sf_app;
grant insert (oc_id, owner_id, name, slug, description, personality) on ocs to sf_app;
grant update (name, slug, title, specialty, description, personality, greeting, alternate_greetings, scenario, example_dialogue,
              system_prompt, voice_tone, voice_examples, visual_style, appearance_tags, tags, quick_start, content_rating, introduction,
              version, pronoun, age_band, avatar_key, is_public, expertise, forbidden_phrases, scene_behavior_rules, base_prompt)
    on ocs to sf_app;
grant insert (oc_id, item_id), update (is_equipped) on oc_items to sf_app;
grant insert (job_id, user_id, job_type, prompt, input, idempotency_key, lease_until) on jobs to sf_app;
grant insert (oc_id, version, edited_by, content) on oc_versions to sf_app;
grant insert (item_id, created_by, name, description, personality_effects, rarity) on items to sf_app;
grant insert (author_id, oc_id, title, content), update (title, content, deleted_at) on forum_posts to sf_app;
grant insert (conversation_id, user_id, oc_id, title, created_at, last_message_at, memory_tier, instructions, note, note_depth,
              persona_id, as_myself, summary_mode, branched_from_id, branched_at_id),
      update (title, active_leaf_id, last_line, archived_at, last_message_at, updated_at, instructions, note, note_depth, persona_id,
              as_myself, summary_mode, model_id, user_key_id) on conversations to sf_app;
grant insert (conversation_id, user_id, oc_id, joined_at) on conversation_participants to sf_app;
grant insert (message_id, conversation_id, user_id, parent_id, sender_type, oc_id, content, tool_calls, tool_results, model,
              user_rating, was_helpful, kind, edited_at, created_at),
      update (content, edited_at, user_rating, was_helpful, embedding, embedding_model) on messages to sf_app;
grant insert (run_id, user_id, conversation_id, message_id, idempotency_key, node_id, lease_until, status, finish),
      update (stop_requested) on runs to sf_app;
grant insert (conversation_id, user_id, covers_message_id, content, is_edited, model, prompt_tokens, reply_tokens),
      update (content, is_edited, model, prompt_tokens, reply_tokens) on conversation_summaries to sf_app;
grant insert (persona_id, user_id, name, pronouns, description, is_default),
      update (name, pronouns, description, is_default) on personas to sf_app;
grant insert (api_token_id, user_id, name, token_hash, hint, scopes, expires_at) on api_tokens to sf_app;
grant insert (user_id, action, metadata) on activity_log to sf_app;
grant insert (token_hash, note, uses_left, expires_at, created_by) on invitations to sf_app;
grant insert (page, body, effective_on, changed_by) on site_pages to sf_app;
grant insert (oc_id, sort, chosen_by), update (sort) on featured_ocs to sf_app;
grant insert (key, user_id, kind, bytes) on stored_files to sf_app;
grant insert (provider_id, kind, name, base_url, enabled),
      update (kind, name, base_url, enabled, health, health_note, sealed_key, wrapped_key, master_key_id, key_last_four)
    on providers to sf_app;
grant insert (model_id, provider_id, remote_name, name, tools, vision, thinking, prompt_cache, prefill, context_tokens,
              max_output_tokens, prompt_price, cached_price, cache_write_price, reply_price, enabled, sort),
      update (remote_name, name, tools, vision, thinking, prompt_cache, prefill, context_tokens, max_output_tokens, prompt_price,
              cached_price, cache_write_price, reply_price, enabled, sort) on models to sf_app;
grant insert (key, value, updated_by), update (value, updated_by) on system_config to sf_app;
grant insert (user_key_id, user_id, kind, base_url, model, context_tokens, sealed_key, wrapped_key, master_key_id, key_last_four),
      update (base_url, model, context_tokens, sealed_key, wrapped_key, master_key_id, key_last_four) on user_keys to sf_app;

-- With an empty path PostgreSQL still looks for types among temporary ones first, and runs what whoever asked put there.
do $$
declare
    called regprocedure;
begin
    for called in select p.oid::regprocedure from pg_proc p where p.pronamespace = 'app'::regnamespace and p.prosecdef loop
        execute format('alter function %s set search_path = pg_catalog, pg_temp', called);
    end loop;
end $$;
