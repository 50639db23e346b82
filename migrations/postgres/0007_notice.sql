-- How each watched condition of a mapping or system stands, and since when what is seen says the contrary. `version` lets one
-- node alone turn it.
create table notice_standing (
    condition text not null,
    subject text not null,
    state text not null,
    leaning_since bigint,
    first_at bigint not null,
    changed_at bigint not null,
    version bigint not null,
    primary key (condition, subject)
);

-- What a node sees that no other can: a mapping that rests, a system that does not answer.
create table notice_sign (
    node text not null,
    condition text not null,
    subject text not null,
    since bigint not null,
    reason text,
    seen_at bigint not null,
    primary key (node, condition, subject)
);

-- What was told; stored together with the change that it tells, and with what is to be sent.
create table notice (
    notice_id bigint generated always as identity primary key,
    event_id text not null unique,
    condition text not null,
    state text not null,
    subject text not null,
    occurred_at bigint not null,
    payload text not null,
    letter_subject text not null,
    letter_body text not null
);
create index notice_occurred_at on notice (occurred_at);

create table notice_delivery (
    notice_delivery_id bigint generated always as identity primary key,
    notice_id bigint not null references notice (notice_id) on delete cascade,
    target text not null,
    status text not null,
    attempts bigint not null default 0,
    next_attempt_at bigint not null,
    until bigint not null,
    last_attempt_at bigint,
    last_error text,
    ended_at bigint,
    unique (notice_id, target)
);
create index notice_delivery_due on notice_delivery (status, next_attempt_at);
