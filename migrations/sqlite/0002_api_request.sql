-- Actions of the API that were sent with an `Idempotency-Key`: what was asked for, and what was answered. A row without a
-- status is being worked on. Rows go after a day.
create table api_request (
    api_token_id integer not null,
    idempotency_key text not null,
    request_hash blob not null,
    status integer,
    location text,
    body text,
    started_at integer not null,
    primary key (api_token_id, idempotency_key)
) strict, without rowid;
create index api_request_started_at on api_request (started_at);
