-- Refused forms belong to whoever sent them. A draft comes back in the browser that typed it and on the page that it was typed
-- on, and nowhere else: an address with somebody else's id in it fills in nothing and says nothing.

-- They live for minutes; those from before have no owner.
delete from form_drafts;
alter table form_drafts
    -- SHA-256 of what names the browser: its session, or a cookie of its own while nobody is signed in. Empty: not for a form.
    add column holder bytea not null default '',
    -- The page with the form: SHA-256 of its path in hex, since some paths hold a secret.
    add column path text not null default '' check (length(path) <= 2000),
    -- What the page may say about it: the refusal as it stands in the address.
    add column told text not null default '' check (length(told) <= 8000);
alter table form_drafts add column if not exists user_id uuid references users on delete cascade;
create index if not exists form_drafts_user_id_idx on form_drafts (user_id);
comment on column form_drafts.holder is 'SHA-256 of what names the browser that typed it; a draft is shown to no other';
comment on column form_drafts.told is 'The refusal in the address of the page; an address that says something else is not believed';
