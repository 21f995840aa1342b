-- Help before a model is asked, and receipts that keep what is private.

-- A reply that no model wrote: the fixed card with help lines, after a line about suicide or self-harm (src/trust).
alter table messages add column kind text not null default '' check (kind in ('', 'crisis'));
create index messages_crisis_idx on messages (conversation_id) where kind = 'crisis';

-- How many cards were shown on a day (UTC). A number and nothing else: neither text nor person can be found again.
create table crisis_cards (
    day date primary key,
    cards bigint not null default 0 check (cards >= 0)
);
call app.wall('crisis_cards');
grant select on crisis_cards to sf_app;
create policy crisis_cards_read on crisis_cards for select to sf_app using ((select app.has_role('admin')));

-- Counts one card and gives what admins set about help lines (`trust.help` of system_config): whoever gets a card may know
-- both, and nobody else learns that there was one.
create function app.count_crisis_card() returns jsonb
    language sql security definer
    set search_path = ''
as $$
    insert into public.crisis_cards (day, cards) values ((now() at time zone 'utc')::date, 1)
        on conflict (day) do update set cards = public.crisis_cards.cards + 1;
    select coalesce((select value from public.system_config where key = 'trust.help'), '{}'::jsonb)
$$;
revoke execute on function app.count_crisis_card() from public;
grant execute on function app.count_crisis_card() to sf_app, sf_worker;

-- Receipts of the full layout held the maker's private instructions within `identity`. Where the character is somebody else's,
-- the words of that part go; its tokens stay.
update runs r set receipt = jsonb_set(r.receipt, '{sections}', (
        select jsonb_agg(
            case when s.section ->> 'name' = 'identity' then (s.section || '{"text": ""}') - 'left' else s.section end order by s.place)
        from jsonb_array_elements(r.receipt -> 'sections') with ordinality as s (section, place)))
from conversations c join ocs o using (oc_id)
where c.conversation_id = r.conversation_id and o.owner_id is distinct from r.user_id
  and r.receipt ->> 'layout' = 'full' and jsonb_typeof(r.receipt -> 'sections') = 'array' and jsonb_array_length(r.receipt -> 'sections') > 0;
