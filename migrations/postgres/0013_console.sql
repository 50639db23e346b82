-- A report of what changed alone says nothing about what it did not look at: whoever asks for the last report or for the trend passes
-- over it, by an index instead of one by one.
alter table drift_summary add column is_whole boolean not null default true;
update drift_summary set is_whole = false where run_id in (select run_id from run where kind = 'incremental');
create index drift_summary_whole on drift_summary (mapping, run_id) where is_whole;
create index drift_summary_trend on drift_summary (run_id) where is_whole;

-- The overview asks for the last reconciliation of each mapping among all its runs, people for the runs of one kind.
create index run_mapping_kind on run (mapping, kind, run_id);
create index run_kind on run (kind, run_id);

-- Events are looked for by how they stand, also those that nothing maps, which are few among those that are done or many.
drop index event_open;
create index event_status on event (status, event_id);

-- Links that have ended are found among the millions that live.
create index link_ended on link (link_id) where status = 'ended';
create index link_ended_mapping on link (mapping, link_id) where status = 'ended';

-- Notices are looked for by what they are about.
create index notice_condition on notice (condition, notice_id);

-- The last report of a mapping is the last one of everything.
drop view drift_item_v;
drop view drift_report_v;

-- One row a report, for people and their tools.
create view drift_report_v as
select
    s.run_id,
    s.mapping,
    r.kind,
    r.status,
    to_char(to_timestamp(s.created_at / 1000) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as reported_at,
    (s.run_id = (select max(l.run_id) from drift_summary as l where l.mapping = s.mapping and l.is_whole)) is true as is_last,
    ((s.summary::jsonb ->> 'complete')::boolean is true) as is_complete,
    round((s.report::jsonb #>> '{numbers,match_score}')::bigint / 100.0, 2) as match_percent,
    (s.summary::jsonb #>> '{left_records}')::bigint as left_records,
    (s.summary::jsonb #>> '{right_records}')::bigint as right_records,
    (s.report::jsonb #>> '{numbers,compared}')::bigint as compared,
    (s.report::jsonb #>> '{numbers,in_step}')::bigint as in_step,
    (s.report::jsonb #>> '{numbers,drifted}')::bigint as drifted,
    (s.report::jsonb #>> '{numbers,filtered}')::bigint as filtered,
    (s.report::jsonb #>> '{numbers,missing_left}')::bigint as missing_left,
    (s.report::jsonb #>> '{numbers,missing_right}')::bigint as missing_right,
    (s.report::jsonb #>> '{numbers,conflicts}')::bigint as conflicts,
    (s.report::jsonb #>> '{numbers,ignored}')::bigint as ignored,
    (s.report::jsonb #>> '{numbers,in_flux}')::bigint as in_flux,
    (s.report::jsonb #>> '{numbers,items}')::bigint as items,
    (s.report::jsonb #>> '{numbers,repaired}')::bigint as repaired,
    (s.report::jsonb #>> '{numbers,failed}')::bigint as failed,
    (s.report::jsonb #>> '{since,new}')::bigint as new_items,
    (s.report::jsonb #>> '{since,still}')::bigint as still_items,
    (s.report::jsonb #>> '{since,returned}')::bigint as returned_items,
    (s.report::jsonb #>> '{since,gone}')::bigint as gone_items
from drift_summary as s
left join run as r on r.run_id = s.run_id;

-- One row a difference, with the evidence of its cause. Sensitive values are sealed and empty here.
create view drift_item_v as
select
    d.drift_id,
    d.run_id,
    d.mapping,
    to_char(to_timestamp(s.created_at / 1000) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as reported_at,
    (s.run_id = (select max(l.run_id) from drift_summary as l where l.mapping = s.mapping and l.is_whole)) is true as is_last,
    d.situation,
    d.cause,
    d.field,
    d.left_id,
    d.right_id,
    d.left_value,
    d.right_value,
    d.sensitive as is_sensitive,
    to_char(to_timestamp(d.first_seen_at / 1000) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as first_seen_at,
    round((s.created_at - d.first_seen_at) / 86400000.0, 1) as age_days,
    d.age_runs,
    d.last_changed_side,
    d.outcome,
    d.note,
    d.failure_id,
    f.code as failure_code,
    f.message as failure_message,
    f.hint as failure_hint,
    d.event_id,
    to_char(to_timestamp(e.received_at / 1000) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as event_received_at,
    e.status as event_status,
    d.cause_run_id
from drift as d
join drift_summary as s on s.run_id = d.run_id
left join failure as f on f.failure_id = d.failure_id
left join event as e on e.event_id = d.event_id;
