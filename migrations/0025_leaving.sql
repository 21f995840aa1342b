-- Leaving: what refers to something is found by an index when that goes, a character that goes leaves other people's talks where they
-- are, and an account that is on its way out is out at once.

create index memories_source_post_id_idx on memories (source_post_id) where source_post_id is not null;
create index memories_source_event_id_idx on memories (source_event_id) where source_event_id is not null;
create index memories_about_user_id_idx on memories (about_user_id) where about_user_id is not null;
create index memories_about_oc_id_idx on memories (about_oc_id) where about_oc_id is not null;
create index memories_superseded_by_idx on memories (superseded_by) where superseded_by is not null;
create index oc_items_gifted_by_idx on oc_items (gifted_by) where gifted_by is not null;
create index oc_versions_edited_by_idx on oc_versions (edited_by) where edited_by is not null;
create index user_roles_granted_by_idx on user_roles (granted_by) where granted_by is not null;

-- When an account began to leave, and whether its characters come along. Nobody is signed in from then on; a process that dies
-- meanwhile leaves it to the next.
alter table users add column leaving_at timestamptz, add column leaving_with_characters boolean not null default false;
create index users_leaving_idx on users (leaving_at) where leaving_at is not null;

-- A character that left: nothing of it is there but its place in the talks of others, which stay readable.
alter table ocs add column deleted_at timestamptz, add constraint ocs_deleted_is_hidden check (deleted_at is null or not is_public);
comment on column ocs.deleted_at is 'When it left; its row stays for the talks of others, without a word of it';
create index ocs_deleted_idx on ocs (deleted_at) where deleted_at is not null;

-- No conversation goes because its character goes.
alter table conversations
    drop constraint conversations_oc_id_fkey,
    add constraint conversations_oc_id_fkey foreign key (oc_id) references ocs;

-- Whoever talked with one that left still sees its place. A function, since the policies of conversations ask about characters.
create function app.has_talked(which uuid) returns boolean
    language sql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
    select exists (select from public.conversations c where c.oc_id = which and c.user_id = (select app.user_id()))
$$;
revoke execute on function app.has_talked(uuid) from public;
grant execute on function app.has_talked(uuid) to sf_app, sf_worker;
drop policy ocs_read on ocs;
create policy ocs_read on ocs for select to sf_app
    using (case when deleted_at is null
           then (is_public and (content_rating = 'general' or content_rating = any ((select app.ratings())::text[])))
                or owner_id = (select app.user_id()) or (select app.has_role('moderator'))
           else app.has_talked(oc_id) end);
drop policy ocs_change on ocs;
create policy ocs_change on ocs for update to sf_app
    using (deleted_at is null
           and (owner_id = (select app.user_id()) or (owner_id is null and (select app.has_role('admin')))))
    with check (deleted_at is null
                and (owner_id = (select app.user_id()) or (owner_id is null and (select app.has_role('admin')))));
drop policy ocs_delete on ocs;
revoke delete on ocs from sf_app;

-- And begins no other talk with it. Where a talk branched off is a line of the talk that it names: alone the reference would
-- not be looked at.
drop policy conversations_add_own on conversations;
create policy conversations_add_own on conversations for insert to sf_app
    with check (user_id = (select app.user_id()) and (branched_at_id is null or branched_from_id is not null)
                and exists (select from ocs o where o.oc_id = conversations.oc_id and o.deleted_at is null));

-- Takes a character away: all of it, or what is its own where others talked with it. Talks of its owner go with it.
-- What a character that many met remembers of its public life may be a lot and goes in slices later (src/server/files/sweep.rs).
create function app.bury_oc(which uuid) returns void
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    delete from public.conversations c using public.ocs o
        where o.oc_id = which and c.oc_id = which and c.user_id = o.owner_id;
    -- The sentence that it was summoned from, and what came of it.
    delete from public.jobs where oc_id = which;
    if not exists (select from public.conversations where oc_id = which)
       and not exists (select from public.memories where oc_id = which offset 1000 limit 1) then
        delete from public.ocs where oc_id = which;
        return;
    end if;
    delete from public.forum_posts where oc_id = which;
    delete from public.world_events where oc_id = which;
    delete from public.oc_versions where oc_id = which;
    delete from public.oc_cards where oc_id = which;
    delete from public.oc_items where oc_id = which;
    delete from public.featured_ocs where oc_id = which;
    update public.ocs set deleted_at = now(), owner_id = null, is_public = false, name = 'A character who left',
        slug = 'left-' || replace(which::text, '-', ''), title = '', specialty = '', description = '', personality = '', greeting = '',
        alternate_greetings = '{}', scenario = '', example_dialogue = '[]', system_prompt = '', visual_style = '{}', appearance_tags = '{}',
        avatar_key = null, expertise = '{}', ai_tools = '{}', tags = '{}', attribute_focus = null, traits = '{}', voice_tone = '',
        voice_examples = '{}', scene_behavior_rules = '', forbidden_phrases = '{}', base_prompt = '', reference_image_key = null,
        quick_start = '{}', introduction = null, version = version + 1
        where oc_id = which;
    delete from public.oc_slugs where oc_id = which and slug <> 'left-' || replace(which::text, '-', '');
end $$;
revoke execute on function app.bury_oc(uuid) from public;
grant execute on function app.bury_oc(uuid) to sf_worker;

-- The same for whoever may.
create function app.delete_oc(which uuid) returns boolean
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (select from public.ocs where oc_id = which and deleted_at is null
                   and (owner_id = app.user_id() or (owner_id is null and app.has_role('admin'))) for update) then
        return false;
    end if;
    perform app.bury_oc(which);
    return true;
end $$;
revoke execute on function app.delete_oc(uuid) from public;
grant execute on function app.delete_oc(uuid) to sf_app;

-- One that left is erased, though its row stays for the talks of others.
create trigger ocs_left after update of deleted_at on ocs
    for each row when (old.deleted_at is null and new.deleted_at is not null)
    execute function app.note_erased('character', 'oc_id');
