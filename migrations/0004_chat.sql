-- Conversations as trees of messages, the runs that write replies, and what characters remember.

create table conversations (
    conversation_id uuid primary key default gen_random_uuid(),
    user_id uuid not null references users on delete cascade,
    oc_id uuid not null references ocs on delete cascade,
    title text not null default '' check (length(title) <= 200),
    context jsonb not null default '{}',
    -- The message that the conversation shows last; its ancestors are what is shown.
    active_leaf_id uuid,
    memory_tier text not null default 'standard' check (memory_tier in ('none', 'standard', 'deep')),
    memory_data jsonb not null default '{}',
    -- First words of the newest message, for lists.
    last_line text not null default '' check (length(last_line) <= 200),
    archived_at timestamptz,
    last_message_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index conversations_user_id_idx on conversations (user_id, last_message_at desc, conversation_id desc);
create index conversations_oc_id_idx on conversations (oc_id, user_id, last_message_at desc);
create trigger conversations_touch before update on conversations for each row execute function app.touch();

-- Who witnessed what: everybody who takes part, from when to when. Exactly one of user and character.
create table conversation_participants (
    conversation_participant_id uuid primary key default gen_random_uuid(),
    conversation_id uuid not null references conversations on delete cascade,
    user_id uuid references users on delete cascade,
    oc_id uuid references ocs on delete cascade,
    joined_at timestamptz not null default now(),
    left_at timestamptz,
    check (num_nonnulls(user_id, oc_id) = 1)
);
create index conversation_participants_conversation_id_idx on conversation_participants (conversation_id);
create index conversation_participants_user_id_idx on conversation_participants (user_id);
create index conversation_participants_oc_id_idx on conversation_participants (oc_id);

create table messages (
    message_id uuid primary key default gen_random_uuid(),
    conversation_id uuid not null references conversations on delete cascade,
    -- Whose conversation it is, said again here: the wall and every index begin with it.
    user_id uuid not null references users on delete cascade,
    -- What it answers. Siblings are other wordings of the same turn.
    parent_id uuid references messages on delete cascade,
    sender_type text not null check (sender_type in ('user', 'oc')),
    oc_id uuid references ocs on delete set null,
    content text not null default '' check (length(content) <= 64000),
    tool_calls jsonb,
    tool_results jsonb,
    model text not null default '',
    prompt_tokens integer,
    reply_tokens integer,
    cost_micros bigint,
    user_rating smallint check (user_rating between 1 and 5),
    was_helpful boolean,
    embedding vector(1536),
    embedding_model text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index messages_conversation_id_idx on messages (conversation_id, message_id);
create index messages_parent_id_idx on messages (parent_id);
create index messages_user_id_idx on messages (user_id, message_id desc);
create index messages_oc_id_idx on messages (oc_id);
create trigger messages_touch before update on messages for each row execute function app.touch();
alter table conversations add constraint conversations_active_leaf_fkey
    foreign key (active_leaf_id) references messages on delete set null deferrable initially deferred;
create index conversations_active_leaf_id_idx on conversations (active_leaf_id);

-- One row per reply under way or done. The process that writes it holds a lease; a lease that ran out means a crash.
create table runs (
    run_id uuid primary key default gen_random_uuid(),
    user_id uuid not null references users on delete cascade,
    conversation_id uuid not null references conversations on delete cascade,
    message_id uuid not null references messages on delete cascade,
    status text not null default 'queued' check (status in ('queued', 'streaming', 'done', 'failed', 'stopped', 'interrupted')),
    -- Set by anybody who may stop it; the writer looks at it with every flush.
    stop_requested boolean not null default false,
    idempotency_key text check (length(idempotency_key) <= 200),
    node_id uuid,
    lease_until timestamptz,
    -- What went into the prompt, section by section, with tokens.
    receipt jsonb not null default '{}',
    error text check (length(error) <= 1000),
    -- Why the model wrote no more; `length` means that it was cut and can be continued.
    finish text check (finish in ('end', 'stop', 'length', 'cancelled')),
    prompt_tokens integer,
    cached_tokens integer,
    reply_tokens integer,
    first_token_ms integer,
    cost_micros bigint,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint runs_idempotency_key unique (user_id, idempotency_key)
);
create index runs_conversation_id_idx on runs (conversation_id, run_id desc);
create index runs_message_id_idx on runs (message_id);
create index runs_open_idx on runs (lease_until) where status in ('queued', 'streaming');
create trigger runs_touch before update on runs for each row execute function app.touch();

create table memories (
    memory_id uuid primary key default gen_random_uuid(),
    scope text not null default 'oc' check (scope in ('oc', 'personal', 'project', 'task')),
    oc_id uuid references ocs on delete cascade,
    -- Whose private memory it is; null is a character's public life.
    user_id uuid references users on delete cascade,
    conversation_id uuid references conversations on delete set null,
    content text not null check (length(content) between 1 and 2000),
    importance smallint not null default 5 check (importance between 1 and 10),
    embedding vector(1536),
    embedding_model text,
    source_message_id uuid references messages on delete set null,
    source_post_id uuid references forum_posts on delete set null,
    source_event_id uuid references world_events on delete set null,
    about_user_id uuid references users on delete set null,
    about_oc_id uuid references ocs on delete set null,
    project_name text check (length(project_name) <= 120),
    metadata jsonb not null default '{}',
    superseded_by uuid references memories on delete set null,
    last_used_at timestamptz,
    created_at timestamptz not null default now()
);
create index memories_oc_id_idx on memories (oc_id, user_id, importance desc);
create index memories_user_id_idx on memories (user_id, created_at desc);
create index memories_conversation_id_idx on memories (conversation_id);
create index memories_source_message_id_idx on memories (source_message_id);

call app.wall('conversations', 'conversation_participants', 'messages', 'runs', 'memories');

grant select, insert, update, delete on conversations, messages to sf_app;
grant select, insert on conversation_participants to sf_app;
grant select, insert on runs to sf_app;
grant update (stop_requested) on runs to sf_app;
grant select, delete on memories to sf_app;

create policy conversations_own on conversations for select to sf_app using (user_id = (select app.user_id()));
create policy conversations_add_own on conversations for insert to sf_app
    with check (user_id = (select app.user_id()) and exists (select from ocs o where o.oc_id = conversations.oc_id));
create policy conversations_change_own on conversations for update to sf_app
    using (user_id = (select app.user_id())) with check (user_id = (select app.user_id()));
create policy conversations_delete_own on conversations for delete to sf_app using (user_id = (select app.user_id()));
create policy conversation_participants_own on conversation_participants for select to sf_app
    using (exists (select from conversations c where c.conversation_id = conversation_participants.conversation_id));
create policy conversation_participants_add_own on conversation_participants for insert to sf_app
    with check (exists (select from conversations c where c.conversation_id = conversation_participants.conversation_id));
create policy messages_own on messages for select to sf_app using (user_id = (select app.user_id()));
create policy messages_add_own on messages for insert to sf_app
    with check (user_id = (select app.user_id())
                and exists (select from conversations c where c.conversation_id = messages.conversation_id));
create policy messages_change_own on messages for update to sf_app
    using (user_id = (select app.user_id())) with check (user_id = (select app.user_id()));
create policy messages_delete_own on messages for delete to sf_app using (user_id = (select app.user_id()));
create policy runs_own on runs for select to sf_app using (user_id = (select app.user_id()));
create policy runs_add_own on runs for insert to sf_app
    with check (user_id = (select app.user_id())
                and exists (select from messages m where m.message_id = runs.message_id));
create policy runs_stop_own on runs for update to sf_app
    using (user_id = (select app.user_id())) with check (user_id = (select app.user_id()));
-- A character's public life may be read with the character; what it remembers of a person is that person's.
create policy memories_read on memories for select to sf_app
    using (user_id = (select app.user_id())
           or (user_id is null and exists (select from ocs o where o.oc_id = memories.oc_id)));
create policy memories_forget_own on memories for delete to sf_app using (user_id = (select app.user_id()));
