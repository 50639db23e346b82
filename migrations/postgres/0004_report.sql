-- What a finished list of differences says, as JSON; taken when the reconciliation ended.
alter table drift_summary add column report text;

-- The evidence of a cause: the event that came, and the run in which the failure happened.
alter table drift add column event_id bigint;
alter table drift add column cause_run_id bigint;

-- One row a report, for people and their tools.
create view drift_report_v as
select
    s.run_id,
    s.mapping,
    r.kind,
    r.status,
    to_char(to_timestamp(s.created_at / 1000) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as reported_at,
    (s.run_id = (select max(l.run_id) from drift_summary as l where l.mapping = s.mapping)) as is_last,
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
    (s.run_id = (select max(l.run_id) from drift_summary as l where l.mapping = s.mapping)) as is_last,
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
