-- Characters: earlier addresses, ratings that the wall knows, and counters that are no change of the character.

-- Addresses that a character had while others could see it. They lead to the present one for ever, so nobody else gets them.
create table oc_slugs (
    slug text primary key check (length(slug) <= 100),
    oc_id uuid not null references ocs on delete cascade,
    created_at timestamptz not null default now()
);
create index oc_slugs_oc_id_idx on oc_slugs (oc_id);
call app.wall('oc_slugs');
grant select, insert, delete on oc_slugs to sf_app;
-- Who may see the character may know what it was called.
create policy oc_slugs_read on oc_slugs for select to sf_app
    using (exists (select from ocs o where o.oc_id = oc_slugs.oc_id));
create policy oc_slugs_add on oc_slugs for insert to sf_app with check (app.owns_oc(oc_id));
create policy oc_slugs_take_back on oc_slugs for delete to sf_app using (app.owns_oc(oc_id));

create or replace function app.oc_slug_taken(wanted text) returns boolean
    language sql stable security definer
    set search_path = ''
as $$
    select exists (select from public.ocs where slug = wanted) or exists (select from public.oc_slugs where slug = wanted)
$$;

-- Being talked with, liked or rated is no change of the character: `updated_at` is when somebody last changed it.
drop trigger ocs_touch on ocs;
create trigger ocs_touch before update on ocs for each row
    when ((old.interaction_count, old.like_count, old.rating_sum, old.rating_count)
          is not distinct from (new.interaction_count, new.like_count, new.rating_sum, new.rating_count))
    execute function app.touch();

-- The ratings that the asker may see. Mature characters are for people whose age is known: verified, or by the date of
-- birth that they gave. Somebody known to be under thirteen sees the general ones only.
create function app.ratings() returns text[]
    language sql stable security definer
    set search_path = ''
as $$
    select case
        when p.age_verified or p.birth_date <= current_date - interval '18 years' then array['general', 'teen', 'mature']
        when p.birth_date > current_date - interval '13 years' then array['general']
        else array['general', 'teen']
    end
    from (select 1) asked left join public.profiles p on p.user_id = (select app.user_id())
$$;
revoke execute on function app.ratings() from public;
grant execute on function app.ratings() to sf_app, sf_worker;

-- The first comparison spares most lists the question for the asker's age.
-- Items, posts, events and conversations ask this policy through their own, so the rating is said once.
drop policy ocs_read on ocs;
create policy ocs_read on ocs for select to sf_app
    using ((is_public and (content_rating = 'general' or content_rating = any ((select app.ratings())::text[])))
           or owner_id = (select app.user_id()) or (select app.has_role('moderator')));
