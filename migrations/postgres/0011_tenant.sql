-- The tenants that a person or a token is limited to, with commas between them; null: not limited, and nothing: to none.
alter table console_user add column tenants text;
alter table api_token add column tenants text;

-- Whoever is limited to tenants lists the events of their systems, and the notices about their systems and mappings, newest first.
create index event_system on event (system, event_id);
create index notice_subject on notice (subject, notice_id);
