-- Character cards: what a character was imported from, kept as it came.
--
-- Other programs write what nobody here knows. Their text is kept beside the character, word for word, so that an export gives it
-- back; what was changed here since is written over it then. The card is its importer's alone and goes with the account.
create table oc_cards (
    oc_id uuid primary key references ocs on delete cascade,
    user_id uuid not null references users on delete cascade,
    -- The name that the character got here; another one than on the card when that was taken.
    name text not null check (length(name) between 1 and 80),
    -- JSON or YAML as it was in the file. PostgreSQL compresses long texts by itself.
    data text not null check (octet_length(data) <= 4 * 1024 * 1024),
    created_at timestamptz not null default now()
);
comment on table oc_cards is 'The imported card of a character, verbatim.';
create index oc_cards_user_id_idx on oc_cards (user_id);
call app.wall('oc_cards');
grant select, insert (oc_id, user_id, name, data) on oc_cards to sf_app;
create policy oc_cards_read on oc_cards for select to sf_app using (user_id = (select app.user_id()));
create policy oc_cards_add on oc_cards for insert to sf_app
    with check (user_id = (select app.user_id()) and app.owns_oc(oc_id) and not (select app.is_guest()));
-- It was never written.
alter table ocs drop column card;

-- Room for the cards that people bring. What a model is shown of a long text is for the prompt's budget to decide.
alter table ocs
    drop constraint ocs_description_check,
    drop constraint ocs_personality_check,
    drop constraint ocs_greeting_check,
    drop constraint ocs_scenario_check,
    drop constraint ocs_system_prompt_check,
    add constraint ocs_description_check check (length(description) <= 32000),
    add constraint ocs_personality_check check (length(personality) <= 32000),
    add constraint ocs_greeting_check check (length(greeting) <= 32000),
    add constraint ocs_scenario_check check (length(scenario) <= 32000),
    add constraint ocs_system_prompt_check check (length(system_prompt) <= 32000);
