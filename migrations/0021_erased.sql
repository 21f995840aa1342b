-- Who and what was erased: ids and times, nothing else. A backup that is older than an erasure brings back what was erased; a restore
-- reads this list, and the same one in a file beside the backups, and erases again.
create table erased (
    kind text not null check (kind in ('account', 'character')),
    id uuid not null,
    erased_at timestamptz not null default now(),
    primary key (kind, id)
);
call app.wall('erased');

-- Whatever way a row goes. Arguments: the kind, and the column of its id.
create function app.note_erased() returns trigger
    language plpgsql security definer
    set search_path = ''
as $$
begin
    insert into public.erased (kind, id) values (tg_argv[0], (to_jsonb(old) ->> tg_argv[1])::uuid) on conflict do nothing;
    return null;
end $$;
revoke execute on function app.note_erased() from public;
-- Guests are left out: one that comes back is erased by the sweep of guests after a week.
create trigger users_erased after delete on users
    for each row when (old.kind = 'person') execute function app.note_erased('account', 'user_id');
create trigger ocs_erased after delete on ocs for each row execute function app.note_erased('character', 'oc_id');
