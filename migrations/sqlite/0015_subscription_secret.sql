-- The secret that a system made for a subscription, sealed: its pushes are signed with it.
alter table subscription add column secret blob;
