-- Subscriptions to other systems' pushes, as they were last seen or made: where a system has no list of them, all that is known.
create table subscription (
    system text not null,
    remote_id text not null,
    topic text not null,
    expires_at bigint,
    seen_at bigint not null,
    primary key (system, remote_id)
);
