-- People who sign in at an OpenID provider: who they are there (issuer and subject), which no name can take from them.
alter table console_user add column subject text;
create unique index console_user_subject on console_user (subject) where subject is not null;
