-- How far a reconciliation is, as JSON; and where its scratch files are, while it may still be gone on with.
alter table run add column progress text;
alter table run add column scratch text;
