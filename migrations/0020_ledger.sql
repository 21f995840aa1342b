-- A call of a model that is under way has a lease, which the process renews that waits for it. A call whose lease ran out belongs to
-- a process that went away: it is closed, and charged by what had left the house. Without one: opened before there were leases.
alter table usage_log add column lease_until timestamptz;
comment on column usage_log.prompt_tokens is 'While a call is open: what its prompt has, about, and what it is charged if nobody can say more.';
