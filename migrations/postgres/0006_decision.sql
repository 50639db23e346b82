-- What people decide about drift, and what their decisions are about.

-- Hashes of both values of a conflict: a decision about other values than these says nothing.
alter table conflict add column left_hash bigint;
alter table conflict add column right_hash bigint;
-- The value that a person has set for both sides.
alter table conflict add column decided_value text;
alter table conflict add column decided_sealed bytea;

-- What a person has decided about a pending delete.
alter table link add column missing_decision text;
alter table link add column missing_decided_by text;
alter table link add column missing_decided_at bigint;

-- Unlinked records that are similar; a person says whether they are the same thing.
create table suggestion (
    suggestion_id bigint generated always as identity primary key,
    mapping text not null,
    left_id text not null,
    right_id text not null,
    score bigint not null,
    compared text,
    compared_sealed bytea,
    sensitive boolean not null,
    left_hash bigint not null,
    right_hash bigint not null,
    status text not null,
    run_id bigint not null,
    created_at bigint not null,
    seen_at bigint not null,
    decided_at bigint,
    decided_by text
);
create unique index suggestion_pair on suggestion (mapping, left_id, right_id);
create index suggestion_right on suggestion (mapping, right_id);
create index suggestion_status on suggestion (status, suggestion_id);

-- Differences that are left as they are, until a date.
create table ignore_rule (
    ignore_rule_id bigint generated always as identity primary key,
    mapping text not null,
    side text,
    record_id text,
    field text,
    situation text,
    until bigint not null,
    reason text not null,
    owner text not null,
    created_at bigint not null,
    removed_at bigint,
    removed_by text
);
create index ignore_rule_active on ignore_rule (mapping, until) where removed_at is null;
