-- What came round by itself in each room comes round by the queue. The table `chores` is read by processes of the release before,
-- and goes with a later one.

-- Whether a job of whoever asks is open, by the key that makes it once.
create function app.has_open_job(its_kind text, key text) returns boolean
    language sql stable security definer
    set search_path = ''
as $$
    select exists (select from public.job_queue
                   where user_id = (select app.user_id()) and kind = its_kind and dedupe_key = key)
$$;
revoke execute on function app.has_open_job(text, text) from public;
grant execute on function app.has_open_job(text, text) to sf_app;
