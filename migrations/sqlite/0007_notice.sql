-- How each watched condition of a mapping or system stands, and since when what is seen says the contrary. `version` lets one
-- node alone turn it.
create table notice_standing (
    condition text not null,
    subject text not null,
    state text not null,
    leaning_since integer,
    first_at integer not null,
    changed_at integer not null,
    version integer not null,
    primary key (condition, subject)
) strict, without rowid;

-- What a node sees that no other can: a mapping that rests, a system that does not answer.
create table notice_sign (
    node text not null,
    condition text not null,
    subject text not null,
    since integer not null,
    reason text,
    seen_at integer not null,
    primary key (node, condition, subject)
) strict, without rowid;

-- What was told; stored together with the change that it tells, and with what is to be sent.
create table notice (
    notice_id integer primary key autoincrement,
    event_id text not null unique,
    condition text not null,
    state text not null,
    subject text not null,
    occurred_at integer not null,
    payload text not null,
    letter_subject text not null,
    letter_body text not null
) strict;
create index notice_occurred_at on notice (occurred_at);

create table notice_delivery (
    notice_delivery_id integer primary key autoincrement,
    notice_id integer not null references notice (notice_id) on delete cascade,
    target text not null,
    status text not null,
    attempts integer not null default 0,
    next_attempt_at integer not null,
    until integer not null,
    last_attempt_at integer,
    last_error text,
    ended_at integer,
    unique (notice_id, target)
) strict;
create index notice_delivery_due on notice_delivery (status, next_attempt_at);
