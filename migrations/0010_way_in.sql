-- The way in: guests, recovery codes, invitations, and the pages in which an operator says what holds.

-- A guest is a person without an account: they talk with a cookie alone, and joining turns this very row into an account.
-- Their e-mail and username are places in the unique indexes that nobody can type: they begin with a tilde.
alter table users add column kind text not null default 'person' check (kind in ('person', 'guest'));
-- When they accepted the terms; null for accounts made before there were any.
alter table users add column terms_accepted_at timestamptz;
alter table users add constraint users_kind_email_check check ((kind = 'guest') = (left(email, 1) = '~'));
-- What the sweep reads: guests who were last here long ago.
create index users_guests_idx on users (created_at) where kind = 'guest';

alter table profiles drop constraint profiles_username_check;
alter table profiles add constraint profiles_username_check check (username ~ '^([A-Za-z0-9_]{3,30}|~[0-9a-f]{28})$');
-- Nobody looks at a guest but themselves and those who moderate.
drop policy profiles_read on profiles;
create policy profiles_read on profiles for select to sf_app
    using ((is_active and left(username, 1) <> '~') or user_id = (select app.user_id()) or (select app.has_role('moderator')));

-- Whether the asker is a guest. A definer function for the same reason as `app.has_role`.
create function app.is_guest() returns boolean
    language sql stable security definer
    set search_path = ''
as $$
    select exists (select from public.users u where u.user_id = (select app.user_id()) and u.kind = 'guest')
$$;
revoke execute on function app.is_guest() from public;
grant execute on function app.is_guest() to sf_app, sf_worker;

-- A guest talks and does nothing else: whatever the code above lets through ends here.
create policy ocs_no_guests on ocs as restrictive for insert to sf_app with check (not (select app.is_guest()));
create policy items_no_guests on items as restrictive for insert to sf_app with check (not (select app.is_guest()));
create policy jobs_no_guests on jobs as restrictive for insert to sf_app with check (not (select app.is_guest()));
create policy forum_posts_no_guests on forum_posts as restrictive for insert to sf_app with check (not (select app.is_guest()));
create policy world_events_no_guests on world_events as restrictive for insert to sf_app with check (not (select app.is_guest()));
create policy api_tokens_no_guests on api_tokens as restrictive for insert to sf_app with check (not (select app.is_guest()));
create policy personas_no_guests on personas as restrictive for insert to sf_app with check (not (select app.is_guest()));
create policy user_keys_no_guests on user_keys as restrictive for insert to sf_app with check (not (select app.is_guest()));

-- What every visitor's page must know of what admins set: whether guests may talk, who may join, from which age.
create policy system_config_doors on system_config for select to sf_app using (key = 'accounts');

-- The way back from a lost password: ten codes, each good once. Only the SHA-256 of each is kept; 80 random bits need no
-- slow hash. Made and used by the process itself, since whoever uses one is not signed in.
create table recovery_codes (
    recovery_code_id uuid primary key default gen_random_uuid(),
    user_id uuid not null references users on delete cascade,
    code_hash bytea not null check (length(code_hash) = 32),
    created_at timestamptz not null default now()
);
create unique index recovery_codes_user_id_idx on recovery_codes (user_id, code_hash);

-- Invitations: links that let so many people join until a day. The link's token is kept as its SHA-256.
create table invitations (
    invitation_id uuid primary key default gen_random_uuid(),
    token_hash bytea not null unique check (length(token_hash) = 32),
    note text not null default '' check (length(note) <= 100),
    uses_left integer not null check (uses_left between 0 and 10000),
    expires_at timestamptz not null,
    created_by uuid references users on delete set null,
    created_at timestamptz not null default now()
);
create index invitations_created_by_idx on invitations (created_by);

-- Terms, privacy and the like as the operator wrote them, version by version: people may read what they once accepted.
-- Without a row the text that the program brings along holds.
create table site_pages (
    site_page_id uuid primary key default gen_random_uuid(),
    page text not null check (page in ('terms', 'privacy', 'contact', 'about-ai')),
    body text not null check (length(body) <= 60000),
    effective_on date not null default current_date,
    changed_by uuid references users on delete set null,
    created_at timestamptz not null default now()
);
create index site_pages_page_idx on site_pages (page, created_at desc);
create index site_pages_changed_by_idx on site_pages (changed_by);

call app.wall('recovery_codes', 'invitations', 'site_pages');

grant select, insert, delete on invitations to sf_app;
grant select, insert on site_pages to sf_app;

create policy invitations_admin on invitations for select to sf_app using ((select app.has_role('admin')));
create policy invitations_add on invitations for insert to sf_app with check ((select app.has_role('admin')));
create policy invitations_revoke on invitations for delete to sf_app using ((select app.has_role('admin')));
create policy site_pages_read on site_pages for select to sf_app using (true);
create policy site_pages_add on site_pages for insert to sf_app with check ((select app.has_role('admin')));
