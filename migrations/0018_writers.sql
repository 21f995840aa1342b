-- Who writes a reply stands in the reply, and not in the order of ids: ids carry the clock of the process that made them, and a
-- process whose clock is behind would take a reply over and be told that somebody else has it.
alter table messages add column writer_run_id uuid;
comment on column messages.writer_run_id is 'The run that may write this reply: the last one that was begun on it';

create function app.name_writer() returns trigger
    language plpgsql security definer
    set search_path = ''
as $$
begin
    update public.messages set writer_run_id = new.run_id where message_id = new.message_id;
    return null;
end $$;
revoke execute on function app.name_writer() from public;
create trigger runs_writer after insert on runs for each row execute function app.name_writer();

-- Those that are under way while this is applied; what has ended is written by nobody.
update messages m set writer_run_id = r.run_id
from (select distinct on (message_id) message_id, run_id from runs
      where status in ('queued', 'streaming') or (status = 'interrupted' and updated_at > now() - interval '1 hour')
      order by message_id, run_id desc) r
where m.message_id = r.message_id;

-- The end of a lease in an index makes each renewal a new entry in every index. What is open is few: it is looked through.
drop index runs_open_idx;
create index runs_open_idx on runs (conversation_id) where status in ('queued', 'streaming');
alter table runs set (fillfactor = 50);
drop index jobs_open_idx;
create index jobs_open_idx on jobs (user_id) where status in ('queued', 'running');
alter table jobs set (fillfactor = 70);
