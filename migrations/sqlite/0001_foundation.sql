-- Times are milliseconds since 1970-01-01T00:00:00Z. Statuses are stored by the names in src/core/status.rs.
-- docs/database.md explains every table to people who query them.

create table meta (
    key text primary key not null,
    value text not null
) strict;

create table link (
    link_id integer primary key autoincrement,
    mapping text not null,
    left_id text not null,
    right_id text not null,
    base blob not null,
    status text not null,
    missing_side text,
    missing_since integer,
    left_version text,
    right_version text,
    left_updated_at integer,
    right_updated_at integer,
    last_synced_at integer,
    created_at integer not null,
    updated_at integer not null
) strict;
-- A record has one living link in a mapping; ended links stay as tombstones.
create unique index link_left on link (mapping, left_id) where status <> 'ended';
create unique index link_right on link (mapping, right_id) where status <> 'ended';
create index link_page on link (mapping, link_id);
create index link_pending on link (link_id) where status = 'pending_delete';

create table event (
    event_id integer primary key autoincrement,
    system text not null,
    external_id text not null,
    object text not null,
    record_id text,
    kind text not null,
    own integer not null,
    merged_into text,
    version text,
    status text not null,
    attempts integer not null default 0,
    last_error text,
    occurred_at integer,
    received_at integer not null,
    processed_at integer,
    processing_ms integer,
    request_id text not null,
    payload blob,
    unique (system, external_id)
) strict;
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
    generation integer not null default 1,
    priority integer not null,
    not_before integer not null,
    attempts integer not null default 0,
    waiting_mapping text,
    waiting_side text,
    waiting_record_id text,
    run_id integer,
    event_id integer,
    first_at integer not null,
    updated_at integer not null,
    primary key (mapping, side, record_id)
) strict, without rowid;
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
    epoch integer not null,
    until integer not null,
    primary key (mapping, side, record_id)
) strict, without rowid;
create index lock_epoch on lock (holder, epoch);

create table run (
    run_id integer primary key autoincrement,
    kind text not null,
    mapping text,
    trigger text not null,
    status text not null,
    started_at integer not null,
    ended_at integer,
    node text not null,
    requests integer not null default 0,
    bytes integer not null default 0,
    read integer not null default 0,
    linked integer not null default 0,
    created integer not null default 0,
    updated integer not null default 0,
    deleted integer not null default 0,
    unchanged integer not null default 0,
    skipped integer not null default 0,
    conflicts integer not null default 0,
    failed integer not null default 0,
    note text,
    released_by text,
    job_key text unique
) strict;
create index run_mapping on run (mapping, run_id);
create index run_status on run (status, run_id);

create table failure (
    failure_id integer primary key autoincrement,
    run_id integer,
    mapping text not null,
    side text not null,
    record_id text not null,
    left_id text,
    right_id text,
    class text not null,
    stage text not null,
    status text not null,
    code text not null,
    http_status integer,
    message text not null,
    hint text,
    field text,
    attempts integer not null,
    first_at integer not null,
    last_at integer not null,
    next_attempt_at integer,
    resolved_at integer,
    event_id integer
) strict;
-- A record has one open failure at a time.
create unique index failure_open on failure (mapping, side, record_id)
    where status in ('retrying', 'open', 'parked');
create index failure_page on failure (mapping, failure_id);
create index failure_run on failure (run_id, failure_id);
create index failure_status on failure (status, failure_id);

create table write (
    write_id integer primary key autoincrement,
    run_id integer,
    mapping text not null,
    side text not null,
    kind text not null,
    record_id text,
    partner_id text not null,
    node text not null,
    idempotency_key text not null,
    values_hash integer not null,
    result_version text,
    status text not null,
    http_status integer,
    started_at integer not null,
    ended_at integer
) strict;
create index write_record on write (mapping, side, record_id, started_at);
create index write_partner on write (mapping, side, partner_id, started_at);
create index write_open on write (write_id) where status in ('intended', 'unknown');
create index write_started_at on write (started_at);

create table drift (
    drift_id integer primary key autoincrement,
    run_id integer not null,
    mapping text not null,
    situation text not null,
    cause text not null,
    field text,
    left_id text,
    right_id text,
    left_value text,
    right_value text,
    left_sealed blob,
    right_sealed blob,
    sensitive integer not null,
    first_seen_at integer not null,
    age_runs integer not null,
    last_changed_side text,
    outcome text not null,
    note text,
    failure_id integer
) strict;
create index drift_left on drift (run_id, left_id);
create index drift_right on drift (run_id, right_id);
create index drift_page on drift (run_id, drift_id);

create table drift_summary (
    run_id integer primary key not null,
    mapping text not null,
    summary text not null,
    created_at integer not null
) strict;
create index drift_summary_mapping on drift_summary (mapping, run_id);

create table conflict (
    conflict_id integer primary key autoincrement,
    mapping text not null,
    left_id text not null,
    right_id text not null,
    field text not null,
    left_value text,
    right_value text,
    left_sealed blob,
    right_sealed blob,
    sensitive integer not null,
    status text not null,
    run_id integer,
    created_at integer not null,
    resolved_at integer,
    resolved_by text,
    winner text,
    applied_at integer
) strict;
create unique index conflict_open on conflict (mapping, left_id, right_id, field) where status = 'open';
create index conflict_pair on conflict (mapping, left_id, right_id);
create index conflict_status on conflict (status, conflict_id);

create table cursor (
    mapping text not null,
    side text not null,
    value text not null,
    updated_at integer not null,
    primary key (mapping, side)
) strict;

create table token (
    system text primary key not null,
    sealed blob not null,
    expires_at integer,
    version integer not null,
    updated_at integer not null
) strict;

create table audit (
    audit_id integer primary key autoincrement,
    at integer not null,
    actor text not null,
    action text not null,
    subject text not null,
    detail text
) strict;

create table lease (
    name text primary key not null,
    holder text not null,
    epoch integer not null,
    until integer not null
) strict;

create table api_token (
    api_token_id integer primary key autoincrement,
    name text not null,
    hash blob not null unique,
    role text not null,
    created_at integer not null,
    expires_at integer,
    last_used_at integer,
    revoked_at integer
) strict;

-- One run of a scheduled job a local date, whatever the clock does.
create table job (
    name text not null,
    local_date text not null,
    node text not null,
    claimed_at integer not null,
    primary key (name, local_date)
) strict;

-- Requests spent from a system's daily quota, by all nodes.
create table quota (
    system text not null,
    day text not null,
    spent integer not null,
    primary key (system, day)
) strict;
