-- The words that somebody keeps, in bytes, as they were counted last and with what came since: what everybody sends is measured by it,
-- and summing up all messages for each of them would make a long talk slower with every line. Null: to be counted when it is asked for.
alter table profile_private add column text_bytes bigint not null default 0, add column text_counted_at timestamptz;
grant update (text_bytes, text_counted_at) on profile_private to sf_app;

-- Admins set how much people may keep.
grant update (bytes) on storage_limits to sf_app;
create policy storage_limits_change on storage_limits for update to sf_app
    using ((select app.has_role('admin'))) with check ((select app.has_role('admin')));
