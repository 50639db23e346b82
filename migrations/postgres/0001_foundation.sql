-- Times are milliseconds since 1970-01-01T00:00:00Z. Statuses are stored by the names in src/core/status.rs.
-- docs/database.md explains every table to people who query them.

create table meta (
    key text primary key not null,
    value text not null
);

create table link (
    link_id bigint generated always as identity primary key,
    mapping text not null,
    left_id text not null,
    right_id text not null,
    base bytea not null,
    status text not null,
    missing_side text,
    missing_since bigint,
    left_version text,
    right_version text,
    left_updated_at bigint,
    right_updated_at bigint,
    last_synced_at bigint,
    created_at bigint not null,
    updated_at bigint not null
);
-- A record has one living link in a mapping; ended links stay as tombstones.
create unique index link_left on link (mapping, left_id) where status <> 'ended';
create unique index link_right on link (mapping, right_id) where status <> 'ended';
create index link_page on link (mapping, link_id);
create index link_pending on link (link_id) where status = 'pending_delete';

create table event (
    event_id bigint generated always as identity primary key,
    system text not null,
    external_id text not null,
    object text not null,
    record_id text,
    kind text not null,
    own boolean not null,
    merged_into text,
    version text,
    status text not null,
    attempts bigint not null default 0,
    last_error text,
    occurred_at bigint,
    received_at bigint not null,
    processed_at bigint,
    processing_ms bigint,
    request_id text not null,
    payload bytea,
    unique (system, external_id)
);
create index event_record on event (system, object, record_id, event_id);
create index event_open on event (status, event_id) where status in ('received', 'queued', 'failed');
create index event_received_at on event (received_at);

-- The dirty set: one row a record, however many events told of it.
create table change (
    mapping text not null,
    side text not null,
    record_id text not null,
    origin text not null,
    kind text not null,
    merged_into text,
    generation bigint not null default 1,
    priority bigint not null,
    not_before bigint not null,
    attempts bigint not null default 0,
    waiting_mapping text,
    waiting_side text,
    waiting_record_id text,
    run_id bigint,
    event_id bigint,
    first_at bigint not null,
    updated_at bigint not null,
    primary key (mapping, side, record_id)
);
create index change_due on change (priority, not_before) where waiting_mapping is null;
create index change_next on change (not_before) where waiting_mapping is null;
create index change_waiting on change (waiting_mapping, waiting_side, waiting_record_id)
    where waiting_mapping is not null;
create index change_first_at on change (first_at);

-- Who works on which record, until when. A row is one lease; `epoch` tells this acquisition from every other.
create table lock (
    mapping text not null,
    side text not null,
    record_id text not null,
    holder text not null,
    epoch bigint not null,
    until bigint not null,
    primary key (mapping, side, record_id)
);
create index lock_epoch on lock (holder, epoch);

create table run (
    run_id bigint generated always as identity primary key,
    kind text not null,
    mapping text,
    trigger text not null,
    status text not null,
    started_at bigint not null,
    ended_at bigint,
    node text not null,
    requests bigint not null default 0,
    bytes bigint not null default 0,
    read bigint not null default 0,
    linked bigint not null default 0,
    created bigint not null default 0,
    updated bigint not null default 0,
    deleted bigint not null default 0,
    unchanged bigint not null default 0,
    skipped bigint not null default 0,
    conflicts bigint not null default 0,
    failed bigint not null default 0,
    note text,
    released_by text,
    job_key text unique
);
create index run_mapping on run (mapping, run_id);
create index run_status on run (status, run_id);

create table failure (
    failure_id bigint generated always as identity primary key,
    run_id bigint,
    mapping text not null,
    side text not null,
    record_id text not null,
    left_id text,
    right_id text,
    class text not null,
    stage text not null,
    status text not null,
    code text not null,
    http_status bigint,
    message text not null,
    hint text,
    field text,
    attempts bigint not null,
    first_at bigint not null,
    last_at bigint not null,
    next_attempt_at bigint,
    resolved_at bigint,
    event_id bigint
);
-- A record has one open failure at a time.
create unique index failure_open on failure (mapping, side, record_id)
    where status in ('retrying', 'open', 'parked');
create index failure_page on failure (mapping, failure_id);
create index failure_run on failure (run_id, failure_id);
create index failure_status on failure (status, failure_id);

create table write (
    write_id bigint generated always as identity primary key,
    run_id bigint,
    mapping text not null,
    side text not null,
    kind text not null,
    record_id text,
    partner_id text not null,
    node text not null,
    idempotency_key text not null,
    values_hash bigint not null,
    result_version text,
    status text not null,
    http_status bigint,
    started_at bigint not null,
    ended_at bigint
);
create index write_record on write (mapping, side, record_id, started_at);
create index write_partner on write (mapping, side, partner_id, started_at);
create index write_open on write (write_id) where status in ('intended', 'unknown');
create index write_started_at on write (started_at);

create table drift (
    drift_id bigint generated always as identity primary key,
    run_id bigint not null,
    mapping text not null,
    situation text not null,
    cause text not null,
    field text,
    left_id text,
    right_id text,
    left_value text,
    right_value text,
    left_sealed bytea,
    right_sealed bytea,
    sensitive boolean not null,
    first_seen_at bigint not null,
    age_runs bigint not null,
    last_changed_side text,
    outcome text not null,
    note text,
    failure_id bigint
);
create index drift_left on drift (run_id, left_id);
create index drift_right on drift (run_id, right_id);
create index drift_page on drift (run_id, drift_id);

create table drift_summary (
    run_id bigint primary key not null,
    mapping text not null,
    summary text not null,
    created_at bigint not null
);
create index drift_summary_mapping on drift_summary (mapping, run_id);

create table conflict (
    conflict_id bigint generated always as identity primary key,
    mapping text not null,
    left_id text not null,
    right_id text not null,
    field text not null,
    left_value text,
    right_value text,
    left_sealed bytea,
    right_sealed bytea,
    sensitive boolean not null,
    status text not null,
    run_id bigint,
    created_at bigint not null,
    resolved_at bigint,
    resolved_by text,
    winner text,
    applied_at bigint
);
create unique index conflict_open on conflict (mapping, left_id, right_id, field) where status = 'open';
create index conflict_pair on conflict (mapping, left_id, right_id);
create index conflict_status on conflict (status, conflict_id);

create table cursor (
    mapping text not null,
    side text not null,
    value text not null,
    updated_at bigint not null,
    primary key (mapping, side)
);

create table token (
    system text primary key not null,
    sealed bytea not null,
    expires_at bigint,
    version bigint not null,
    updated_at bigint not null
);

create table audit (
    audit_id bigint generated always as identity primary key,
    at bigint not null,
    actor text not null,
    action text not null,
    subject text not null,
    detail text
);

create table lease (
    name text primary key not null,
    holder text not null,
    epoch bigint not null,
    until bigint not null
);

create table api_token (
    api_token_id bigint generated always as identity primary key,
    name text not null,
    hash bytea not null unique,
    role text not null,
    created_at bigint not null,
    expires_at bigint,
    last_used_at bigint,
    revoked_at bigint
);

-- One run of a scheduled job a local date, whatever the clock does.
create table job (
    name text not null,
    local_date text not null,
    node text not null,
    claimed_at bigint not null,
    primary key (name, local_date)
);

-- Requests spent from a system's daily quota, by all nodes.
create table quota (
    system text not null,
    day text not null,
    spent bigint not null,
    primary key (system, day)
);
