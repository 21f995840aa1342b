-- Searching what was said.
--
-- The words of a message are kept beside it, folded so that every language can be found: small letters, no accents, and
-- scripts that are written without blanks (Chinese, Japanese, Thai, Khmer, Burmese, Lao) one letter at a time. 'simple' and not a
-- language's own dictionary: people write here in all of them, and mix.

create function app.search_fold(words text) returns text
    language sql immutable parallel safe
    set search_path = ''
    return regexp_replace(
        regexp_replace(
            normalize(regexp_replace(normalize(lower(words), nfd), '[\u0300-\u036f]', '', 'g'), nfc),
            -- Signs become blanks, or the parser would take "Yes.No" for a host and "his/her" for a file.
            '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u2000-\u206f\u3000-\u3004\u3008-\u3020\uff00-\uff0f]+', ' ', 'g'),
        '([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])',
        ' \1 ', 'g');
grant execute on function app.search_fold(text) to sf_app, sf_worker;

alter table messages add column search tsvector not null default '';

-- Kept by a trigger and not generated, so that the words of a reply can be left out while it is being written: they are
-- flushed twice a second, and each time would cost an entry in every index of the table. The writer says so for its own
-- transaction; the end of a reply is an ordinary update.
create function app.index_message() returns trigger
    language plpgsql
    set search_path = ''
as $$
begin
    new.search := to_tsvector('pg_catalog.simple', app.search_fold(new.content));
    return new;
end $$;
create trigger messages_search before insert or update of content on messages
    for each row when (current_setting('app.unfinished', true) is distinct from 'on')
    execute function app.index_message();

alter table messages disable trigger messages_touch;
update messages set content = content;
alter table messages enable trigger messages_touch;

-- The owner stands first in the index, so that a word that everybody uses costs a person only their own messages.
-- btree_gin comes with every PostgreSQL; where it was left out, the words alone are indexed.
do $$
begin
    if exists (select from pg_available_extensions where name = 'btree_gin') then
        create extension if not exists btree_gin;
        create index messages_search_idx on messages using gin (user_id, search);
    else
        create index messages_search_idx on messages using gin (search);
    end if;
end $$;

-- What somebody looks for: every word, or the beginning of a longer one; every phrase as it stands.
create function app.search_query(words text[], phrases text[]) returns tsquery
    language plpgsql immutable parallel safe
    set search_path = ''
as $$
declare
    phrase text;
    part tsquery;
    whole tsquery;
begin
    select string_agg('''' || t.lexeme || '''' || case when length(t.lexeme) > 2 then ':*' else '' end, ' & ')::tsquery
        into whole
        from unnest(to_tsvector('pg_catalog.simple', app.search_fold(array_to_string(words, ' ')))) t;
    foreach phrase in array phrases loop
        part := phraseto_tsquery('pg_catalog.simple', app.search_fold(phrase));
        if numnode(part) > 0 then
            whole := case when whole is null then part else whole && part end;
        end if;
    end loop;
    return whole;
end $$;
grant execute on function app.search_query(text[], text[]) to sf_app, sf_worker;

-- The newest of the asker's own messages that hold all of it. `exact` are words of scripts without blanks, whose letters must
-- stand together.
--
-- Under row level security a query may not use this index: `@@` could tell a stranger's words by an error, so the wall has to
-- be asked for every row first. This function asks for the owner itself and gives ids only; the rows behind them are read through
-- the wall as always.
create function app.search_messages(words text[], phrases text[], exact text[], within uuid, before uuid, most integer)
    returns table (message_id uuid)
    language plpgsql stable security definer
    set search_path = ''
    rows 25
as $$
declare
    wanted tsquery := app.search_query(words, phrases);
begin
    if wanted is null or numnode(wanted) = 0 or app.user_id() is null then
        return;
    end if;
    -- Found first and ordered then: with the order in sight, the planner would rather read all messages from the newest on, hoping
    -- for a find soon, and a rare word costs a look at every one.
    return query execute
        'with found as materialized (
             select m.message_id from public.messages m
             where m.user_id = $1 and m.search @@ $2
               and ($3::uuid is null or m.conversation_id = $3) and ($4::uuid is null or m.message_id < $4)
               and not exists (select from unnest($5::text[]) e where strpos(lower(m.content), lower(e)) = 0)
         )
         select f.message_id from found f order by f.message_id desc limit least($6, 101)'
        using app.user_id(), wanted, within, before, exact, most;
end $$;
revoke execute on function app.search_messages(text[], text[], text[], uuid, uuid, integer) from public;
grant execute on function app.search_messages(text[], text[], text[], uuid, uuid, integer) to sf_app;
