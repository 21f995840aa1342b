-- JSON that grows is written anew with each change and read with each look: it has a size. 32 kB where a program keeps its notes, more
-- where people's own words are in it.
do $$
declare
    place record;
    most integer;
begin
    for place in select c.relname, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
                 where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname not like '\_sqlx%'
                 and a.atttypid = 'jsonb'::regtype and not a.attisdropped and not exists (
                     select from pg_constraint k where k.conrelid = c.oid and k.contype = 'c' and a.attnum = any (k.conkey)
                     and pg_get_constraintdef(k.oid) like '%pg\_column\_size(%') loop
        most := case
            when place.relname || '.' || place.attname in ('oc_versions.content', 'ocs.card', 'ocs.example_dialogue', 'runs.receipt',
                'jobs.input', 'jobs.result', 'messages.tool_calls', 'messages.tool_results', 'form_drafts.fields') then 4194304
            when place.relname || '.' || place.attname in ('ocs.introduction', 'system_config.value', 'audit_log.metadata') then 262144
            else 32768 end;
        execute format('alter table %I add constraint %I check (pg_column_size(%I) < %s) not valid', place.relname,
                       place.relname || '_' || place.attname || '_size', place.attname, most);
        execute format('alter table %I validate constraint %I', place.relname, place.relname || '_' || place.attname || '_size');
    end loop;
end $$;
