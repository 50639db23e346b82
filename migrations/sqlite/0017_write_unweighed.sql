-- Set for a delete that neither a reconciliation has weighed as a whole nor a person has asked for: so many a day are let through.
alter table write add column unweighed integer not null default 0;
create index write_unweighed on write (mapping, write_id) where unweighed;
