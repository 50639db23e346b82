-- The ids that a linked record had before it was renamed, or merged into another: what happened to it stands under these.
create table link_move (
    link_move_id bigint generated always as identity primary key,
    link_id bigint not null,
    mapping text not null,
    side text not null,
    from_id text not null,
    to_id text not null,
    moved_at bigint not null
);
create index link_move_link on link_move (link_id, link_move_id);
create index link_move_from on link_move (from_id, mapping, side, link_move_id);
