-- What cards say beyond a sheet of ours: what is told to a model after the talk, what people are told, and what somebody is called.
alter table ocs
    -- As the system prompt, its maker's alone.
    add column post_history_instructions text not null default '' check (length(post_history_instructions) <= 32000),
    -- For people; no model sees it.
    add column creator_notes text not null default '' check (length(creator_notes) <= 32000),
    -- Stands where texts say {{char}}.
    add column nickname text not null default '' check (length(nickname) <= 60);
comment on column ocs.post_history_instructions is 'Instructions to the model after the newest message; seen by the owner alone';
comment on column ocs.creator_notes is 'Notes for people, shown on the page and sent to no model';
comment on column ocs.nickname is 'What the character is called in talk; its name where it is empty';
-- A character begins without them.
grant update (post_history_instructions, creator_notes, nickname) on ocs to sf_app;

-- As before, with these three: takes a character away, all of it or what is its own where others talked with it. Talks of its owner
-- go with it.
-- What a character that many met remembers of its public life may be a lot and goes in slices later (src/server/files/sweep.rs).
create or replace function app.bury_oc(which uuid) returns void
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
        quick_start = '{}', introduction = null, post_history_instructions = '', creator_notes = '',
        nickname = '', version = version + 1
        where oc_id = which;
    delete from public.oc_slugs where oc_id = which and slug <> 'left-' || replace(which::text, '-', '');
end $$;
