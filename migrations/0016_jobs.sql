-- Work that outlives its request: one queue for the whole house.
--
-- The queue holds what is open and nothing else: it is small, hot, and for the process alone. What a person sees of their
-- work (its state, its result, its history) stands in tables of the rooms. People put work into the queue through the
-- functions below, in the transaction of what caused it: both are there or neither.

create table job_queue (
    job_id uuid primary key,
    -- Jobs of one lane share the places of a process: `chat-side`, `upkeep` and what rooms add.
    lane text not null check (length(lane) between 1 and 16),
    kind text not null check (length(kind) between 1 and 60),
    -- Who waits for it; null: nobody, it is the house's own.
    user_id uuid references users on delete cascade,
    -- Less comes first.
    priority smallint not null default 0,
    -- How many of the lane were theirs before this one: everybody's first job comes before anybody's second.
    turn integer not null default 0,
    run_at timestamptz not null default now(),
    running boolean not null default false,
    -- Whoever holds the token does the job; what is written without it does not count.
    lease_token uuid,
    lease_until timestamptz,
    lease_seconds double precision not null check (lease_seconds > 0),
    node_id uuid,
    attempts smallint not null default 0,
    max_attempts smallint not null check (max_attempts > 0),
    -- One open job of a person and kind with this key.
    dedupe_key text check (length(dedupe_key) <= 200),
    -- One running job with this key, of whatever kind: `oc:<id>` for what a character does.
    mutex_key text check (length(mutex_key) <= 200),
    payload jsonb not null default '{}' check (pg_column_size(payload) < 8192),
    -- How the last attempt ended, and all of them: `[{"at", "error"}]`.
    error text check (length(error) <= 500),
    history jsonb not null default '[]' check (pg_column_size(history) < 32768),
    created_at timestamptz not null default now(),
    started_at timestamptz,
    constraint job_queue_lease_check check (running = (lease_token is not null) and running = (lease_until is not null))
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01);
create index job_queue_ready on job_queue (lane, priority, turn, run_at, job_id) where not running;
-- The end of the lease is in no index, so that renewing it stays within the page.
create index job_queue_running on job_queue (lane, user_id) where running;
create index job_queue_person on job_queue (user_id, lane);
create unique index job_queue_dedupe on job_queue (user_id, kind, dedupe_key) nulls not distinct where dedupe_key is not null;
create unique index job_queue_mutex on job_queue (mutex_key) where running and mutex_key is not null;

-- What was given up: kept with its errors until an admin tries it again or lets it go.
create table dead_jobs (
    job_id uuid primary key,
    lane text not null,
    kind text not null,
    user_id uuid references users on delete cascade,
    priority smallint not null,
    lease_seconds double precision not null,
    attempts smallint not null,
    max_attempts smallint not null,
    dedupe_key text,
    mutex_key text,
    payload jsonb not null check (pg_column_size(payload) < 8192),
    error text check (length(error) <= 500),
    history jsonb not null check (pg_column_size(history) < 32768),
    created_at timestamptz not null,
    died_at timestamptz not null default now()
);
create index dead_jobs_user_id_idx on dead_jobs (user_id);
create index dead_jobs_died_at_idx on dead_jobs (died_at desc, job_id desc);

-- Calls to others that must not be made twice: written down before the call, and found by the next attempt.
create table job_calls (
    job_id uuid not null,
    step text not null check (length(step) between 1 and 60),
    user_id uuid references users on delete cascade,
    -- Goes along as idempotency key.
    call_key uuid not null,
    -- What the other side calls it, as soon as that is known.
    provider_id text check (length(provider_id) <= 200),
    created_at timestamptz not null default now(),
    primary key (job_id, step)
);
create index job_calls_user_id_idx on job_calls (user_id);
create index job_calls_created_at_idx on job_calls (created_at);

-- What happens every so often, once over all processes. A process writes its own plans down when it starts.
create table schedules (
    name text primary key check (length(name) between 1 and 60),
    every interval not null check (every >= interval '1 second'),
    next_at timestamptz not null default now()
);

-- Lanes from which nothing is taken for now. A lane that is not here is open.
create table paused_lanes (
    lane text primary key check (length(lane) between 1 and 16),
    paused_at timestamptz not null default now()
);

call app.wall('job_queue', 'dead_jobs', 'job_calls', 'schedules', 'paused_lanes');

-- Puts a job into the queue; null when the same one is open already.
create function app.queue_job(id uuid, owner uuid, its_lane text, its_kind text, its_payload jsonb, its_priority smallint,
                              delay double precision, lease double precision, tries smallint, dedupe text, mutex text)
    returns uuid
    language plpgsql
    set search_path = ''
as $$
declare
    most constant integer := 2000;
    theirs integer := 0;
    made uuid;
begin
    if owner is not null then
        select count(*) into theirs
            from (select from public.job_queue q where q.user_id = owner and q.lane = its_lane limit most) w;
        if theirs >= most then
            raise exception 'too many open jobs of one person in one lane' using errcode = '53400';
        end if;
    end if;
    insert into public.job_queue (job_id, lane, kind, user_id, priority, turn, run_at, lease_seconds, max_attempts,
                                  dedupe_key, mutex_key, payload)
        values (id, its_lane, its_kind, owner, its_priority, theirs, now() + make_interval(secs => delay), lease, tries,
                dedupe, mutex, its_payload)
        on conflict (user_id, kind, dedupe_key) where dedupe_key is not null do nothing
        returning job_id into made;
    return made;
end $$;
revoke execute on function app.queue_job(uuid, uuid, text, text, jsonb, smallint, double precision, double precision, smallint, text, text)
    from public;
grant execute on function app.queue_job(uuid, uuid, text, text, jsonb, smallint, double precision, double precision, smallint, text, text)
    to sf_worker;

-- The same for whoever asks: a job of their own, never one of the house's.
create function app.queue_own_job(id uuid, its_lane text, its_kind text, its_payload jsonb, its_priority smallint,
                                  delay double precision, lease double precision, tries smallint, dedupe text, mutex text)
    returns uuid
    language plpgsql security definer
    set search_path = ''
as $$
declare
    asker constant uuid := (select app.user_id());
begin
    if asker is null or its_lane = 'upkeep' then
        raise exception 'this job cannot be asked for' using errcode = '42501';
    end if;
    return app.queue_job(id, asker, its_lane, its_kind, its_payload, its_priority, delay, lease, tries, dedupe, mutex);
end $$;

-- Takes back a job of whoever asks; whoever does it finds the token gone.
create function app.cancel_own_job(id uuid) returns boolean
    language plpgsql security definer
    set search_path = ''
as $$
begin
    delete from public.job_queue where job_id = id and user_id = (select app.user_id());
    return found;
end $$;

-- Whether the token still holds the job, and keeps it so until the transaction ends. The token is the right to ask: these two
-- stand in transactions of people, too, so that what a job does under somebody's name ends with the job.
create function app.hold_job(id uuid, token uuid) returns boolean
    language plpgsql security definer
    set search_path = ''
as $$
begin
    perform from public.job_queue where job_id = id and lease_token = token for no key update;
    return found;
end $$;

-- The end of a job, in the transaction of what it did; false: somebody else has it, and nothing of this may hold.
create function app.finish_job(id uuid, token uuid) returns boolean
    language plpgsql security definer
    set search_path = ''
as $$
begin
    delete from public.job_queue where job_id = id and lease_token = token;
    return found;
end $$;

revoke execute on function app.queue_own_job(uuid, text, text, jsonb, smallint, double precision, double precision, smallint, text, text),
    app.cancel_own_job(uuid), app.hold_job(uuid, uuid), app.finish_job(uuid, uuid) from public;
grant execute on function app.queue_own_job(uuid, text, text, jsonb, smallint, double precision, double precision, smallint, text, text),
    app.cancel_own_job(uuid) to sf_app;
grant execute on function app.hold_job(uuid, uuid), app.finish_job(uuid, uuid) to sf_app, sf_worker;
