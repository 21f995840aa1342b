-- The front door: whom the home page shows to visitors, and one's own characters in the order in which one looks for them.

-- Chosen by admins, in their order. Where there are too few, characters of the house and the most talked with stand there,
-- never simply the newest: what anybody publishes must not be the first thing that everybody sees.
create table featured_ocs (
    oc_id uuid primary key references ocs on delete cascade,
    -- Lowest first.
    sort integer not null default 0,
    chosen_by uuid references users on delete set null,
    created_at timestamptz not null default now()
);
comment on table featured_ocs is 'Characters that admins chose for the home page';
create index featured_ocs_sort_idx on featured_ocs (sort, oc_id);
create index featured_ocs_chosen_by_idx on featured_ocs (chosen_by);

call app.wall('featured_ocs');
grant select, insert, update, delete on featured_ocs to sf_app;
create policy featured_ocs_read on featured_ocs for select to sf_app using (true);
create policy featured_ocs_add on featured_ocs for insert to sf_app with check ((select app.has_role('admin')));
create policy featured_ocs_change on featured_ocs for update to sf_app
    using ((select app.has_role('admin'))) with check ((select app.has_role('admin')));
create policy featured_ocs_remove on featured_ocs for delete to sf_app using ((select app.has_role('admin')));

-- One's own characters, drafts first.
create index ocs_mine_idx on ocs (owner_id, is_public, oc_id desc);
drop index ocs_owner_id_idx;
