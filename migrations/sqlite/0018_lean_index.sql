-- Every event and every write pays for each index. Nothing is looked for by the time a record came up first, and when the next
-- change is due is found priority by priority, along the index that claims go by.
drop index change_first_at;
drop index change_next;

-- A new record has no id before it is made: until then it is looked for by its partner.
drop index write_record;
create index write_record on write (mapping, side, record_id, started_at) where record_id is not null;
