-- Of an event that brought changes of several mappings, how each of them stands; an event with one change has no row here.
create table event_change (
    event_id integer not null references event (event_id) on delete cascade,
    mapping text not null,
    side text not null,
    status text not null,
    primary key (event_id, mapping, side)
) strict, without rowid;

-- How many processes have ended while they worked on the record.
alter table change add column crashes integer not null default 0;

-- When the run of the job ended; none while it is at work, or when it was cut off.
alter table job add column ended_at integer;
update job set ended_at = claimed_at;
