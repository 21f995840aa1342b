-- What a person adds to the prompt of a conversation: who they are in it, instructions, an author's note, a summary.

-- Who a person is to characters: as many as they like, at most one by default.
create table personas (
    persona_id uuid primary key default gen_random_uuid(),
    user_id uuid not null references users on delete cascade,
    name text not null check (length(name) between 1 and 60),
    pronouns text not null default '' check (length(pronouns) <= 40),
    description text not null default '' check (length(description) <= 1000),
    is_default boolean not null default false,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    -- For the conversations' foreign key: a persona is chosen by its owner only, whatever the application does.
    unique (user_id, persona_id)
);
create unique index personas_default_idx on personas (user_id) where is_default;
create trigger personas_touch before update on personas for each row execute function app.touch();

alter table conversations
    -- What the character is told to do or to know in this conversation only.
    add column instructions text not null default '' check (length(instructions) <= 2000),
    -- A note that stands among the newest lines, `note_depth` lines before the end.
    add column note text not null default '' check (length(note) <= 1000),
    add column note_depth smallint not null default 4 check (note_depth between 0 and 20),
    -- Without a persona the default one is meant, unless the person speaks as themselves.
    add column persona_id uuid,
    add column as_myself boolean not null default false,
    -- Whether older lines are summed up: as the model allows, always, never.
    add column summary_mode text not null default 'auto' check (summary_mode in ('auto', 'on', 'off')),
    add constraint conversations_persona_fkey foreign key (user_id, persona_id)
        references personas (user_id, persona_id) on delete set null (persona_id);
create index conversations_persona_id_idx on conversations (user_id, persona_id) where persona_id is not null;

-- What was said up to a message, in few words. A branch that does not contain the message does not see it.
create table conversation_summaries (
    conversation_summary_id uuid primary key default gen_random_uuid(),
    conversation_id uuid not null references conversations on delete cascade,
    user_id uuid not null references users on delete cascade,
    covers_message_id uuid not null references messages on delete cascade,
    content text not null check (length(content) between 1 and 4000),
    -- Written or changed by the person: their words, which are only added to.
    is_edited boolean not null default false,
    model text not null default '' check (length(model) <= 200),
    prompt_tokens integer,
    reply_tokens integer,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint conversation_summaries_place unique (conversation_id, covers_message_id)
);
create index conversation_summaries_user_id_idx on conversation_summaries (user_id);
create index conversation_summaries_covers_message_id_idx on conversation_summaries (covers_message_id);
create trigger conversation_summaries_touch before update on conversation_summaries
    for each row execute function app.touch();

call app.wall('personas', 'conversation_summaries');

grant select, insert, update, delete on personas, conversation_summaries to sf_app;

create policy personas_own on personas for select to sf_app using (user_id = (select app.user_id()));
create policy personas_add_own on personas for insert to sf_app with check (user_id = (select app.user_id()));
create policy personas_change_own on personas for update to sf_app
    using (user_id = (select app.user_id())) with check (user_id = (select app.user_id()));
create policy personas_delete_own on personas for delete to sf_app using (user_id = (select app.user_id()));

create policy conversation_summaries_own on conversation_summaries for select to sf_app
    using (user_id = (select app.user_id()));
create policy conversation_summaries_add_own on conversation_summaries for insert to sf_app
    with check (user_id = (select app.user_id())
                and exists (select from messages m
                            where m.message_id = conversation_summaries.covers_message_id
                              and m.conversation_id = conversation_summaries.conversation_id));
create policy conversation_summaries_change_own on conversation_summaries for update to sf_app
    using (user_id = (select app.user_id())) with check (user_id = (select app.user_id()));
create policy conversation_summaries_delete_own on conversation_summaries for delete to sf_app
    using (user_id = (select app.user_id()));
