-- Rights: what is private has a table of its own, credentials end by themselves, names of drafts are nobody else's to know,
-- what somebody deleted takes its traces along, and what people keep has a measure.

-- What of a profile concerns its owner alone. `profiles` is read by everybody, and a policy judges rows and not columns, so
-- these columns stand in a row that only its owner sees; what money and age proofs are about, only the process itself writes.
create table profile_private (
    user_id uuid primary key references users on delete cascade,
    subscription_status text not null default 'none' check (subscription_status in ('none', 'active', 'past_due', 'cancelled')),
    stripe_customer_id text,
    stripe_subscription_id text,
    preferences jsonb not null default '{}',
    onboarding jsonb not null default '{}',
    token_balance bigint not null default 0,
    age_verified boolean not null default false,
    birth_date date,
    last_active_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create trigger profile_private_touch before update on profile_private for each row execute function app.touch();
insert into profile_private (user_id, subscription_status, stripe_customer_id, stripe_subscription_id, preferences, onboarding,
                             token_balance, age_verified, birth_date, last_active_at, updated_at)
    select user_id, subscription_status, stripe_customer_id, stripe_subscription_id, preferences, onboarding, token_balance,
           age_verified, birth_date, last_active_at, updated_at from profiles;

-- Every profile has one, whoever makes the profile.
create function app.add_profile_private() returns trigger
    language plpgsql security definer
    set search_path = ''
as $$
begin
    insert into public.profile_private (user_id) values (new.user_id) on conflict do nothing;
    return null;
end $$;
revoke execute on function app.add_profile_private() from public;
create trigger profiles_private after insert on profiles for each row execute function app.add_profile_private();

create or replace function app.ratings() returns text[]
    language sql stable security definer
    set search_path = ''
as $$
    select case
        when p.age_verified or p.birth_date <= current_date - interval '18 years' then array['general', 'teen', 'mature']
        when p.birth_date > current_date - interval '13 years' then array['general']
        else array['general', 'teen']
    end
    from (select 1) asked left join public.profile_private p on p.user_id = (select app.user_id())
$$;

alter table profiles
    drop column subscription_status, drop column stripe_customer_id, drop column stripe_subscription_id, drop column preferences,
    drop column onboarding, drop column token_balance, drop column age_verified, drop column birth_date, drop column last_active_at;

-- Names are unique among the characters that everybody sees, and among the characters of one person. What somebody calls a draft
-- cannot be found out by trying the same name.
drop index ocs_name_key;
create unique index ocs_public_name_key on ocs (lower(name)) where is_public;
create unique index ocs_own_name_key on ocs (owner_id, lower(name));

-- Whether a character that is shown has the name already, also one whose rating hides it from the asker.
create or replace function app.oc_name_taken(wanted text, besides uuid default null) returns boolean
    language sql stable security definer
    set search_path = ''
as $$
    select exists (select from public.ocs where is_public and lower(name) = lower(wanted) and oc_id is distinct from besides)
$$;

-- A character's posts and its introduction go with it; what it leaves behind would name it.
alter table forum_posts
    drop constraint forum_posts_oc_id_fkey,
    add constraint forum_posts_oc_id_fkey foreign key (oc_id) references ocs on delete cascade;

-- API tokens end. Those that were there before have as long as a new one.
alter table api_tokens add column expires_at timestamptz not null default now() + interval '90 days';
create index api_tokens_expires_at_idx on api_tokens (expires_at);

-- What was typed into a refused form goes with whoever typed it.
alter table form_drafts add column if not exists user_id uuid references users on delete cascade;
create index if not exists form_drafts_user_id_idx on form_drafts (user_id);

-- Files that people uploaded, by their keys in the file store: whose they are and how large. Whether a file is still needed, the
-- rows that name it say (src/server/files/sweep.rs).
create table stored_files (
    key text primary key check (length(key) between 1 and 200),
    -- Null: what its owner left here when they went, as the picture of a character that stays.
    user_id uuid references users on delete set null,
    kind text not null check (kind in ('avatar', 'plate')),
    bytes bigint not null check (bytes >= 0),
    created_at timestamptz not null default now()
);
create index stored_files_user_id_idx on stored_files (user_id);

-- How much one person may keep, by kind and by what they have grown into. An operator changes the numbers here.
create table storage_limits (
    tier text not null check (tier in ('explorer', 'creator', 'realm_builder')),
    kind text not null check (kind in ('conversations', 'characters', 'pictures')),
    bytes bigint not null check (bytes >= 0),
    primary key (tier, kind)
);
insert into storage_limits (tier, kind, bytes) values
    ('explorer', 'conversations', 200000000), ('explorer', 'characters', 50000000), ('explorer', 'pictures', 100000000),
    ('creator', 'conversations', 1000000000), ('creator', 'characters', 200000000), ('creator', 'pictures', 500000000),
    ('realm_builder', 'conversations', 5000000000), ('realm_builder', 'characters', 1000000000), ('realm_builder', 'pictures', 2000000000);

-- Work that one of all processes does once a day, and when it was done last.
create table chores (
    name text primary key check (length(name) between 1 and 60),
    done_at timestamptz not null default now()
);
insert into chores (name) values ('sweep');

call app.wall('profile_private', 'stored_files', 'storage_limits', 'chores');

grant select on profile_private, stored_files, storage_limits to sf_app;
grant update (preferences, onboarding, birth_date, updated_at) on profile_private to sf_app;
grant insert, delete on stored_files to sf_app;

create policy profile_private_own on profile_private for select to sf_app using (user_id = (select app.user_id()));
create policy profile_private_change_own on profile_private for update to sf_app
    using (user_id = (select app.user_id())) with check (user_id = (select app.user_id()));
create policy stored_files_own on stored_files for select to sf_app using (user_id = (select app.user_id()));
create policy stored_files_add_own on stored_files for insert to sf_app with check (user_id = (select app.user_id()));
create policy stored_files_drop_own on stored_files for delete to sf_app using (user_id = (select app.user_id()));
create policy storage_limits_read on storage_limits for select to sf_app using (true);
