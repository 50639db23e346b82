-- People who sign in at the console. A password is only kept as an Argon2 hash; without one nobody signs in by it. A link lets
-- whoever holds it set the password, once.
create table console_user (
    console_user_id bigint generated always as identity primary key,
    name text not null unique,
    role text not null,
    password text,
    link_hash bytea,
    link_until bigint,
    created_at bigint not null,
    signed_in_at bigint
);
create unique index console_user_link on console_user (link_hash) where link_hash is not null;

-- Who is signed in. Of what the browser holds only a hash is kept.
create table session (
    hash bytea primary key,
    console_user_id bigint not null references console_user (console_user_id) on delete cascade,
    created_at bigint not null,
    seen_at bigint not null,
    ends_at bigint not null
);
create index session_console_user_id on session (console_user_id);
create index session_ends_at on session (ends_at);

-- The overview counts the pending deletes of each mapping among its millions of links.
create index link_pending_mapping on link (mapping) where status = 'pending_delete';
