-- What every later file stands on: who is asking, and the wall that depends on it.
--
-- Roles (made before any migration runs, by the private cluster or by the operator; docs/database.md):
--   the owner   runs migrations and nothing else;
--   sf_app      serves people: no superuser, no BYPASSRLS, owns nothing;
--   sf_worker   serves the process itself (sign-in, replies under way, sweeping), by its own policies;
--   sf_backup   reads everything for a backup.
--
-- Every table has row level security enabled and forced. A missing identity sees nothing of anybody; it is never an error.

create extension if not exists vector;

create schema app;
grant usage on schema app to sf_app, sf_worker, sf_backup;
grant usage on schema public to sf_app, sf_worker, sf_backup;

-- Who is asking: set as the first statement of each transaction, local to it. nullif, because a setting that was once
-- local reads as '' and not as null in later transactions of the same connection.
create function app.user_id() returns uuid
    language sql stable parallel safe
    set search_path = ''
    return nullif(current_setting('app.user_id', true), '')::uuid;
grant execute on function app.user_id() to sf_app, sf_worker;

-- Keeps updated_at true without anybody remembering it.
create function app.touch() returns trigger
    language plpgsql
    set search_path = ''
as $$
begin
    new.updated_at := now();
    return new;
end $$;

-- Called at the end of each migration file for its tables: the wall, the owner's own door (migrations and seeding),
-- and the grants that hold for every table. Policies for people are written by hand, table by table.
create procedure app.wall(variadic tables text[])
    language plpgsql
    set search_path = ''
as $$
declare
    t text;
begin
    foreach t in array tables loop
        execute format('alter table public.%I enable row level security', t);
        execute format('alter table public.%I force row level security', t);
        execute format('create policy owner_all on public.%I to %I using (true) with check (true)', t, current_user);
        execute format('create policy worker_all on public.%I to sf_worker using (true) with check (true)', t);
        execute format('create policy backup_read on public.%I for select to sf_backup using (true)', t);
        execute format('grant select, insert, update, delete on public.%I to sf_worker', t);
        execute format('grant select on public.%I to sf_backup', t);
    end loop;
end $$;
