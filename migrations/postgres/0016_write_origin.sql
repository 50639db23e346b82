-- What the record that a create comes from looked like when it was sent: whoever finds what was made after a crash knows by it what a
-- person has changed since.
alter table write add column origin bytea;
