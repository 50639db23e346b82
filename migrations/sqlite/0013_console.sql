-- A report of what changed alone says nothing about what it did not look at: whoever asks for the last report or for the trend passes
-- over it, by an index instead of one by one.
alter table drift_summary add column is_whole integer not null default 1;
update drift_summary set is_whole = 0 where run_id in (select run_id from run where kind = 'incremental');
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
    strftime('%Y-%m-%dT%H:%M:%SZ', s.created_at / 1000, 'unixepoch') as reported_at,
    case when s.run_id = (select max(l.run_id) from drift_summary as l where l.mapping = s.mapping and l.is_whole) then 1 else 0 end as is_last,
    case when json_extract(s.summary, '$.complete') = 1 then 1 else 0 end as is_complete,
    round(cast(json_extract(s.report, '$.numbers.match_score') as integer) / 100.0, 2) as match_percent,
    cast(json_extract(s.summary, '$.left_records') as integer) as left_records,
    cast(json_extract(s.summary, '$.right_records') as integer) as right_records,
    cast(json_extract(s.report, '$.numbers.compared') as integer) as compared,
    cast(json_extract(s.report, '$.numbers.in_step') as integer) as in_step,
    cast(json_extract(s.report, '$.numbers.drifted') as integer) as drifted,
    cast(json_extract(s.report, '$.numbers.filtered') as integer) as filtered,
    cast(json_extract(s.report, '$.numbers.missing_left') as integer) as missing_left,
    cast(json_extract(s.report, '$.numbers.missing_right') as integer) as missing_right,
    cast(json_extract(s.report, '$.numbers.conflicts') as integer) as conflicts,
    cast(json_extract(s.report, '$.numbers.ignored') as integer) as ignored,
    cast(json_extract(s.report, '$.numbers.in_flux') as integer) as in_flux,
    cast(json_extract(s.report, '$.numbers.items') as integer) as items,
    cast(json_extract(s.report, '$.numbers.repaired') as integer) as repaired,
    cast(json_extract(s.report, '$.numbers.failed') as integer) as failed,
    cast(json_extract(s.report, '$.since.new') as integer) as new_items,
    cast(json_extract(s.report, '$.since.still') as integer) as still_items,
    cast(json_extract(s.report, '$.since.returned') as integer) as returned_items,
    cast(json_extract(s.report, '$.since.gone') as integer) as gone_items
from drift_summary as s
left join run as r on r.run_id = s.run_id;

-- One row a difference, with the evidence of its cause. Sensitive values are sealed and empty here.
create view drift_item_v as
select
    d.drift_id,
    d.run_id,
    d.mapping,
    strftime('%Y-%m-%dT%H:%M:%SZ', s.created_at / 1000, 'unixepoch') as reported_at,
    case when s.run_id = (select max(l.run_id) from drift_summary as l where l.mapping = s.mapping and l.is_whole) then 1 else 0 end as is_last,
    d.situation,
    d.cause,
    d.field,
    d.left_id,
    d.right_id,
    d.left_value,
    d.right_value,
    d.sensitive as is_sensitive,
    strftime('%Y-%m-%dT%H:%M:%SZ', d.first_seen_at / 1000, 'unixepoch') as first_seen_at,
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
    strftime('%Y-%m-%dT%H:%M:%SZ', e.received_at / 1000, 'unixepoch') as event_received_at,
    e.status as event_status,
    d.cause_run_id
from drift as d
join drift_summary as s on s.run_id = d.run_id
left join failure as f on f.failure_id = d.failure_id
left join event as e on e.event_id = d.event_id;
