-- Events of a record are also looked for by its id alone, without the system and object it is of.
drop index event_record;
create index event_record on event (record_id, system, object, event_id);
