-- Models: who writes the words, with whose key, what it may cost, and what it did cost.

-- Where models come from. The key is sealed (src/server/vault.rs): a data key of the row's own encrypts it, and the master
-- key, which the database never sees, encrypts the data key. Admins write those columns; only the process itself reads them.
create table providers (
    provider_id uuid primary key default gen_random_uuid(),
    kind text not null check (kind in ('local', 'anthropic', 'openai')),
    name text not null check (length(name) between 1 and 60),
    base_url text not null default '' check (length(base_url) <= 500),
    -- Rows from the environment are written again at each start; their key stays in the environment.
    source text not null default 'admin' check (source in ('built_in', 'environment', 'admin')),
    sealed_key bytea,
    wrapped_key bytea,
    master_key_id text check (length(master_key_id) <= 40),
    key_last_four text check (length(key_last_four) <= 4),
    enabled boolean not null default true,
    health text not null default 'unknown' check (health in ('unknown', 'well', 'failing')),
    -- What the last failed call was told, in our words.
    health_note text not null default '' check (length(health_note) <= 300),
    health_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    check (num_nulls(sealed_key, wrapped_key, master_key_id) in (0, 3))
);
create unique index providers_name_key on providers (lower(name));
create trigger providers_touch before update on providers for each row execute function app.touch();

create table models (
    model_id uuid primary key default gen_random_uuid(),
    provider_id uuid not null references providers on delete cascade,
    -- What the provider calls it.
    remote_name text not null check (length(remote_name) between 1 and 200),
    -- What people choose by.
    name text not null check (length(name) between 1 and 80),
    tools boolean not null default false,
    vision boolean not null default false,
    thinking boolean not null default false,
    prompt_cache boolean not null default false,
    prefill boolean not null default false,
    context_tokens integer not null check (context_tokens between 512 and 10000000),
    max_output_tokens integer not null check (max_output_tokens between 16 and 1000000),
    -- Prices in millionths of a US dollar per million tokens.
    prompt_price bigint not null default 0 check (prompt_price >= 0),
    cached_price bigint not null default 0 check (cached_price >= 0),
    cache_write_price bigint not null default 0 check (cache_write_price >= 0),
    reply_price bigint not null default 0 check (reply_price >= 0),
    enabled boolean not null default true,
    sort integer not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint models_remote_name_key unique (provider_id, remote_name)
);
create trigger models_touch before update on models for each row execute function app.touch();

-- Settings of the whole site, one typed value per key (src/models/settings.rs).
create table system_config (
    key text primary key check (length(key) between 1 and 60),
    value jsonb not null,
    updated_by uuid references users on delete set null,
    updated_at timestamptz not null default now()
);
create index system_config_updated_by_idx on system_config (updated_by);
create trigger system_config_touch before update on system_config for each row execute function app.touch();

-- A person's own key, sealed like a provider's. They may write it and throw it away, but not read it.
create table user_keys (
    user_key_id uuid primary key default gen_random_uuid(),
    user_id uuid not null references users on delete cascade,
    kind text not null check (kind in ('anthropic', 'openai')),
    base_url text not null check (length(base_url) between 1 and 500),
    model text not null check (length(model) between 1 and 200),
    context_tokens integer not null check (context_tokens between 512 and 10000000),
    sealed_key bytea not null,
    wrapped_key bytea not null,
    master_key_id text not null check (length(master_key_id) <= 40),
    key_last_four text not null check (length(key_last_four) <= 4),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint user_keys_kind_key unique (user_id, kind)
);
create trigger user_keys_touch before update on user_keys for each row execute function app.touch();

-- Which model answers in a conversation; without a choice, the site's default.
alter table conversations
    add column model_id uuid references models on delete set null,
    add column user_key_id uuid references user_keys on delete set null;
create index conversations_model_id_idx on conversations (model_id);
create index conversations_user_key_id_idx on conversations (user_key_id);

-- Every call of a model. A call that counts against a budget is written down before it begins (`open`, with what it may
-- use) and settled after it. Names are kept as they were: the account outlives the model.
create table usage_log (
    usage_id uuid primary key default gen_random_uuid(),
    user_id uuid not null references users on delete cascade,
    kind text not null check (kind in ('chat', 'summon', 'try')),
    -- The run or the job; no reference, because the account outlives it.
    subject_id uuid,
    model_id uuid references models on delete set null,
    provider text not null check (length(provider) <= 80),
    model text not null check (length(model) <= 200),
    own_key boolean not null default false,
    -- Whether it counts against the person's daily budget.
    counted boolean not null default false,
    status text not null check (status in ('open', 'done', 'stopped', 'failed', 'interrupted')),
    -- Set aside while open.
    reserved_tokens bigint not null default 0 check (reserved_tokens >= 0),
    -- A summon asks many times and is one row.
    calls integer not null default 1 check (calls >= 0),
    prompt_tokens bigint not null default 0,
    cached_tokens bigint not null default 0,
    cache_write_tokens bigint not null default 0,
    reply_tokens bigint not null default 0,
    cost_micros bigint not null default 0,
    first_token_ms integer,
    duration_ms integer,
    created_at timestamptz not null default now()
);
create index usage_log_user_id_idx on usage_log (user_id, created_at desc);
create index usage_log_created_at_idx on usage_log (created_at desc);
create index usage_log_model_id_idx on usage_log (model_id);
create index usage_log_open_idx on usage_log (user_id) where status = 'open';

-- What counted, by person and day (UTC). The row is also the lock under which calls are admitted one after the other.
create table daily_usage (
    user_id uuid not null references users on delete cascade,
    day date not null,
    used bigint not null default 0 check (used >= 0),
    primary key (user_id, day)
);

-- The model of this process is there from the beginning.
insert into providers (provider_id, kind, name, source) values ('00000000-0000-7000-8000-000000000001', 'local', 'This machine', 'built_in');
insert into models (model_id, provider_id, remote_name, name, context_tokens, max_output_tokens)
    values ('00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-000000000001', 'local', 'Local model', 2048, 512);

call app.wall('providers', 'models', 'system_config', 'user_keys', 'usage_log', 'daily_usage');

grant insert, update, delete on providers, user_keys to sf_app;
grant select (provider_id, kind, name, base_url, source, master_key_id, key_last_four, enabled, health, health_note, health_at,
              created_at, updated_at) on providers to sf_app;
grant select (user_key_id, user_id, kind, base_url, model, context_tokens, master_key_id, key_last_four, created_at, updated_at)
    on user_keys to sf_app;
grant select, insert, update, delete on models, system_config to sf_app;
grant select on usage_log, daily_usage to sf_app;

create policy providers_read on providers for select to sf_app using ((select app.has_role('admin')));
create policy providers_add on providers for insert to sf_app with check ((select app.has_role('admin')));
create policy providers_change on providers for update to sf_app
    using ((select app.has_role('admin'))) with check ((select app.has_role('admin')));
create policy providers_remove on providers for delete to sf_app using ((select app.has_role('admin')));
-- Whoever is signed in may know what can be chosen.
create policy models_read on models for select to sf_app
    using ((enabled and (select app.user_id()) is not null) or (select app.has_role('admin')));
create policy models_add on models for insert to sf_app with check ((select app.has_role('admin')));
create policy models_change on models for update to sf_app
    using ((select app.has_role('admin'))) with check ((select app.has_role('admin')));
create policy models_remove on models for delete to sf_app using ((select app.has_role('admin')));
create policy system_config_read on system_config for select to sf_app using ((select app.has_role('admin')));
create policy system_config_add on system_config for insert to sf_app with check ((select app.has_role('admin')));
create policy system_config_change on system_config for update to sf_app
    using ((select app.has_role('admin'))) with check ((select app.has_role('admin')));
create policy system_config_remove on system_config for delete to sf_app using ((select app.has_role('admin')));
create policy user_keys_own on user_keys for select to sf_app using (user_id = (select app.user_id()));
create policy user_keys_add_own on user_keys for insert to sf_app with check (user_id = (select app.user_id()));
create policy user_keys_change_own on user_keys for update to sf_app
    using (user_id = (select app.user_id())) with check (user_id = (select app.user_id()));
create policy user_keys_remove_own on user_keys for delete to sf_app using (user_id = (select app.user_id()));
create policy usage_log_read on usage_log for select to sf_app
    using (user_id = (select app.user_id()) or (select app.has_role('admin')));
create policy daily_usage_read on daily_usage for select to sf_app
    using (user_id = (select app.user_id()) or (select app.has_role('admin')));
