-- What people decide about drift, and what their decisions are about.

-- Hashes of both values of a conflict: a decision about other values than these says nothing.
alter table conflict add column left_hash integer;
alter table conflict add column right_hash integer;
-- The value that a person has set for both sides.
alter table conflict add column decided_value text;
alter table conflict add column decided_sealed blob;

-- What a person has decided about a pending delete.
alter table link add column missing_decision text;
alter table link add column missing_decided_by text;
alter table link add column missing_decided_at integer;

-- Unlinked records that are similar; a person says whether they are the same thing.
create table suggestion (
    suggestion_id integer primary key autoincrement,
    mapping text not null,
    left_id text not null,
    right_id text not null,
    score integer not null,
    compared text,
    compared_sealed blob,
    sensitive integer not null,
    left_hash integer not null,
    right_hash integer not null,
    status text not null,
    run_id integer not null,
    created_at integer not null,
    seen_at integer not null,
    decided_at integer,
    decided_by text
) strict;
create unique index suggestion_pair on suggestion (mapping, left_id, right_id);
create index suggestion_right on suggestion (mapping, right_id);
create index suggestion_status on suggestion (status, suggestion_id);

-- Differences that are left as they are, until a date.
create table ignore_rule (
    ignore_rule_id integer primary key autoincrement,
    mapping text not null,
    side text,
    record_id text,
    field text,
    situation text,
    until integer not null,
    reason text not null,
    owner text not null,
    created_at integer not null,
    removed_at integer,
    removed_by text
) strict;
create index ignore_rule_active on ignore_rule (mapping, until) where removed_at is null;
