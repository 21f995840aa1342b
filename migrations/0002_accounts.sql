-- People: how they sign in (users, sessions, api_tokens, identities) apart from how others see them (profiles).

create table users (
    user_id uuid primary key default gen_random_uuid(),
    -- Compared without case; kept as typed.
    email text not null check (length(email) between 3 and 254),
    -- Argon2id in PHC form; null for people who only sign in from elsewhere.
    password_hash text,
    timezone text not null default 'UTC' check (length(timezone) <= 64),
    theme_preference text not null default 'system' check (theme_preference in ('light', 'dark', 'system')),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create unique index users_email_key on users (lower(email));
create trigger users_touch before update on users for each row execute function app.touch();

-- Ids of the same person elsewhere (any OIDC issuer, Clerk, Supabase).
create table identities (
    identity_id uuid primary key default gen_random_uuid(),
    user_id uuid not null references users on delete cascade,
    issuer text not null check (length(issuer) <= 255),
    subject text not null check (length(subject) <= 255),
    created_at timestamptz not null default now(),
    constraint identities_issuer_subject_key unique (issuer, subject)
);
create index identities_user_id_idx on identities (user_id);

create table profiles (
    user_id uuid primary key references users on delete cascade,
    username text not null check (username ~ '^[A-Za-z0-9_]{3,30}$'),
    display_name text not null check (length(display_name) between 1 and 60),
    bio text not null default '' check (length(bio) <= 2000),
    -- Key of the avatar in the file store; null shows initials.
    avatar_key text check (length(avatar_key) <= 200),
    arcanean_number bigint generated always as identity,
    arcanean_id text generated always as ('ARC-' || lpad(arcanean_number::text, 6, '0')) stored,
    tier text not null default 'explorer' check (tier in ('explorer', 'creator', 'realm_builder')),
    subscription_status text not null default 'none' check (subscription_status in ('none', 'active', 'past_due', 'cancelled')),
    stripe_customer_id text,
    stripe_subscription_id text,
    preferences jsonb not null default '{}',
    onboarding jsonb not null default '{}',
    oc_count integer not null default 0 check (oc_count >= 0),
    post_count integer not null default 0 check (post_count >= 0),
    creation_count integer not null default 0 check (creation_count >= 0),
    follower_count integer not null default 0 check (follower_count >= 0),
    following_count integer not null default 0 check (following_count >= 0),
    token_balance bigint not null default 0,
    age_verified boolean not null default false,
    birth_date date,
    is_active boolean not null default true,
    is_verified boolean not null default false,
    last_active_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create unique index profiles_username_key on profiles (lower(username));
create unique index profiles_arcanean_id_key on profiles (arcanean_id);
create index profiles_created_at_idx on profiles (created_at desc);
create trigger profiles_touch before update on profiles for each row execute function app.touch();

create table user_roles (
    user_id uuid not null references users on delete cascade,
    role text not null check (role in ('moderator', 'admin')),
    granted_by uuid references users on delete set null,
    created_at timestamptz not null default now(),
    primary key (user_id, role)
);

-- Whether the asker holds a role. A definer function, because the policies that need it stand on tables that the asker
-- may not read; it answers for the asker only.
create function app.has_role(wanted text) returns boolean
    language sql stable security definer
    set search_path = ''
as $$
    select exists (
        select from public.user_roles r
        where r.user_id = (select app.user_id()) and (r.role = wanted or (wanted = 'moderator' and r.role = 'admin'))
    )
$$;
revoke execute on function app.has_role(text) from public;
grant execute on function app.has_role(text) to sf_app, sf_worker;

-- One row per signed-in device. Only the SHA-256 of the cookie's token is kept.
create table sessions (
    session_id uuid primary key default gen_random_uuid(),
    user_id uuid not null references users on delete cascade,
    token_hash bytea not null unique check (length(token_hash) = 32),
    user_agent text not null default '' check (length(user_agent) <= 300),
    -- When the password was last typed: sensitive changes want this to be fresh.
    authenticated_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    expires_at timestamptz not null
);
create index sessions_user_id_idx on sessions (user_id);
create index sessions_expires_at_idx on sessions (expires_at);

create table api_tokens (
    api_token_id uuid primary key default gen_random_uuid(),
    user_id uuid not null references users on delete cascade,
    name text not null check (length(name) between 1 and 60),
    token_hash bytea not null unique check (length(token_hash) = 32),
    -- First characters, so that its owner recognises it.
    hint text not null check (length(hint) <= 16),
    scopes text[] not null check (scopes <@ array['read', 'write'] and cardinality(scopes) between 1 and 2),
    last_used_at timestamptz,
    created_at timestamptz not null default now()
);
create index api_tokens_user_id_idx on api_tokens (user_id, created_at desc);

-- One-time tokens: the first admin's link, later links in mails.
create table one_time_tokens (
    token_hash bytea primary key check (length(token_hash) = 32),
    purpose text not null check (purpose in ('first_admin', 'reset_password', 'verify_email')),
    user_id uuid references users on delete cascade,
    expires_at timestamptz,
    created_at timestamptz not null default now()
);
create index one_time_tokens_user_id_idx on one_time_tokens (user_id);

-- What people did, for themselves and for moderators.
create table activity_log (
    activity_id uuid primary key default gen_random_uuid(),
    user_id uuid not null references users on delete cascade,
    action text not null check (length(action) <= 60),
    metadata jsonb not null default '{}',
    created_at timestamptz not null default now()
);
create index activity_log_user_id_idx on activity_log (user_id, activity_id desc);

-- What those with power did. Append-only: nobody is granted an update or a delete, and a trigger says no to the rest.
create table audit_log (
    audit_id uuid primary key default gen_random_uuid(),
    actor_id uuid,
    action text not null check (length(action) <= 60),
    subject text not null default '' check (length(subject) <= 200),
    metadata jsonb not null default '{}',
    created_at timestamptz not null default now()
);
create index audit_log_actor_id_idx on audit_log (actor_id, audit_id desc);
create function app.append_only() returns trigger
    language plpgsql
    set search_path = ''
as $$
begin
    raise exception 'the audit log is append-only' using errcode = 'insufficient_privilege';
end $$;
create trigger audit_log_append_only before update or delete or truncate on audit_log
    for each statement execute function app.append_only();

-- Token buckets, shared by all nodes. `key` is the action and whom it concerns (an account, an address block).
create table limit_buckets (
    key text primary key check (length(key) <= 200),
    tokens double precision not null,
    updated_at timestamptz not null default now()
);
create index limit_buckets_updated_at_idx on limit_buckets (updated_at);

-- What was typed into a form that was refused while the browser ran no script, kept for minutes. Never a password.
create table form_drafts (
    form_draft_id uuid primary key default gen_random_uuid(),
    fields jsonb not null,
    created_at timestamptz not null default now()
);
create index form_drafts_created_at_idx on form_drafts (created_at);

call app.wall('users', 'identities', 'profiles', 'user_roles', 'sessions', 'api_tokens', 'one_time_tokens', 'activity_log',
              'audit_log', 'limit_buckets', 'form_drafts');

grant select on users, identities, user_roles, activity_log to sf_app;
grant update (email, password_hash, timezone, theme_preference, updated_at) on users to sf_app;
grant delete on users, identities to sf_app;
grant select on profiles to sf_app;
grant update (username, display_name, bio, avatar_key, preferences, onboarding, birth_date, last_active_at, updated_at) on profiles to sf_app;
grant select, delete on sessions to sf_app;
grant update (authenticated_at, token_hash) on sessions to sf_app;
grant select, insert, delete on api_tokens to sf_app;
grant insert on activity_log to sf_app;
grant select, insert on audit_log to sf_app;
revoke update, delete on audit_log from sf_worker;

create policy users_own on users for select to sf_app using (user_id = (select app.user_id()));
create policy users_admin on users for select to sf_app using ((select app.has_role('admin')));
create policy users_change_own on users for update to sf_app
    using (user_id = (select app.user_id())) with check (user_id = (select app.user_id()));
create policy users_erase_own on users for delete to sf_app using (user_id = (select app.user_id()));
create policy identities_own on identities for select to sf_app using (user_id = (select app.user_id()));
create policy identities_unlink_own on identities for delete to sf_app using (user_id = (select app.user_id()));
-- A profile is public as long as it is active; its owner and moderators always see it.
create policy profiles_read on profiles for select to sf_app
    using (is_active or user_id = (select app.user_id()) or (select app.has_role('moderator')));
create policy profiles_change_own on profiles for update to sf_app
    using (user_id = (select app.user_id())) with check (user_id = (select app.user_id()));
create policy user_roles_read on user_roles for select to sf_app
    using (user_id = (select app.user_id()) or (select app.has_role('admin')));
create policy sessions_own on sessions for select to sf_app using (user_id = (select app.user_id()));
create policy sessions_change_own on sessions for update to sf_app
    using (user_id = (select app.user_id())) with check (user_id = (select app.user_id()));
create policy sessions_end_own on sessions for delete to sf_app using (user_id = (select app.user_id()));
create policy api_tokens_own on api_tokens for select to sf_app using (user_id = (select app.user_id()));
create policy api_tokens_add_own on api_tokens for insert to sf_app with check (user_id = (select app.user_id()));
create policy api_tokens_revoke_own on api_tokens for delete to sf_app using (user_id = (select app.user_id()));
create policy activity_log_read on activity_log for select to sf_app
    using (user_id = (select app.user_id()) or (select app.has_role('moderator')));
create policy activity_log_add_own on activity_log for insert to sf_app with check (user_id = (select app.user_id()));
create policy audit_log_read on audit_log for select to sf_app using ((select app.has_role('admin')));
create policy audit_log_add on audit_log for insert to sf_app with check (actor_id = (select app.user_id()));
