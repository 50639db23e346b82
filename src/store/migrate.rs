//! Migrations: numbered files, embedded, run in order, each in one transaction together with its entry in
//! `_sqlx_migrations`. A crash leaves the database before or after a migration, so running again goes on.

use sqlx::{
    SqlSafeStr as _,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

use super::{
    engine::{Engine, Number, args},
    error::Error,
};
use crate::seam;

/// (version, description, SQLite's text, PostgreSQL's text); only ever added to.
const MIGRATIONS: &[(i64, &str, &str, &str)] = &[
    (
        1,
        "foundation",
        include_str!("../../migrations/sqlite/0001_foundation.sql"),
        include_str!("../../migrations/postgres/0001_foundation.sql"),
    ),
    (
        2,
        "api_request",
        include_str!("../../migrations/sqlite/0002_api_request.sql"),
        include_str!("../../migrations/postgres/0002_api_request.sql"),
    ),
    (
        3,
        "daemon",
        include_str!("../../migrations/sqlite/0003_daemon.sql"),
        include_str!("../../migrations/postgres/0003_daemon.sql"),
    ),
    (
        4,
        "report",
        include_str!("../../migrations/sqlite/0004_report.sql"),
        include_str!("../../migrations/postgres/0004_report.sql"),
    ),
    (
        5,
        "progress",
        include_str!("../../migrations/sqlite/0005_progress.sql"),
        include_str!("../../migrations/postgres/0005_progress.sql"),
    ),
    (
        6,
        "decision",
        include_str!("../../migrations/sqlite/0006_decision.sql"),
        include_str!("../../migrations/postgres/0006_decision.sql"),
    ),
    (
        7,
        "notice",
        include_str!("../../migrations/sqlite/0007_notice.sql"),
        include_str!("../../migrations/postgres/0007_notice.sql"),
    ),
    (
        8,
        "console",
        include_str!("../../migrations/sqlite/0008_console.sql"),
        include_str!("../../migrations/postgres/0008_console.sql"),
    ),
    (
        9,
        "subscription",
        include_str!("../../migrations/sqlite/0009_subscription.sql"),
        include_str!("../../migrations/postgres/0009_subscription.sql"),
    ),
    (
        10,
        "identity",
        include_str!("../../migrations/sqlite/0010_identity.sql"),
        include_str!("../../migrations/postgres/0010_identity.sql"),
    ),
    (
        11,
        "tenant",
        include_str!("../../migrations/sqlite/0011_tenant.sql"),
        include_str!("../../migrations/postgres/0011_tenant.sql"),
    ),
    (
        12,
        "event_record",
        include_str!("../../migrations/sqlite/0012_event_record.sql"),
        include_str!("../../migrations/postgres/0012_event_record.sql"),
    ),
    (
        13,
        "console",
        include_str!("../../migrations/sqlite/0013_console.sql"),
        include_str!("../../migrations/postgres/0013_console.sql"),
    ),
    (
        14,
        "link_move",
        include_str!("../../migrations/sqlite/0014_link_move.sql"),
        include_str!("../../migrations/postgres/0014_link_move.sql"),
    ),
    (
        15,
        "subscription_secret",
        include_str!("../../migrations/sqlite/0015_subscription_secret.sql"),
        include_str!("../../migrations/postgres/0015_subscription_secret.sql"),
    ),
    (
        16,
        "write_origin",
        include_str!("../../migrations/sqlite/0016_write_origin.sql"),
        include_str!("../../migrations/postgres/0016_write_origin.sql"),
    ),
    (
        17,
        "write_unweighed",
        include_str!("../../migrations/sqlite/0017_write_unweighed.sql"),
        include_str!("../../migrations/postgres/0017_write_unweighed.sql"),
    ),
    (
        18,
        "lean_index",
        include_str!("../../migrations/sqlite/0018_lean_index.sql"),
        include_str!("../../migrations/postgres/0018_lean_index.sql"),
    ),
];

/// The newest version this Syncline knows.
#[must_use]
pub fn newest() -> i64 {
    MIGRATIONS
        .iter()
        .map(|(version, ..)| *version)
        .max()
        .unwrap_or_default()
}

/// Brings the database to the newest version; several nodes may do so at once.
pub(super) async fn run(engine: &Engine) -> Result<(), Error> {
    let found = version(engine).await?;
    if found > newest() {
        return Err(Error::Newer { found, known: newest() });
    }
    if found == newest() && seam::is_simulated() {
        return Ok(());
    }
    let migrator = Migrator::with_migrations(
        MIGRATIONS
            .iter()
            .map(|(version, description, sqlite, postgres)| {
                Migration::new(
                    *version,
                    (*description).into(),
                    MigrationType::Simple,
                    engine.pick(sqlite, postgres).into_sql_str(),
                    false,
                )
            })
            .collect(),
    );
    match engine {
        Engine::Sqlite(sqlite) => migrator.run(&sqlite.read).await,
        Engine::Postgres(pool) => migrator.run(pool).await,
    }
    .map_err(|error| explain(&error))
}

/// Refuses a database that is not at the newest version.
pub(super) async fn check(engine: &Engine) -> Result<(), Error> {
    let (found, known) = (version(engine).await?, newest());
    match found.cmp(&known) {
        std::cmp::Ordering::Less => Err(Error::Outdated { found, known }),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(Error::Newer { found, known }),
    }
}

/// The database's version; 0 when nothing was ever migrated.
async fn version(engine: &Engine) -> Result<i64, Error> {
    let exists = engine.pick(
        "select count(*) as number from sqlite_master where type = 'table' and name = '_sqlx_migrations'",
        "select case when to_regclass('_sqlx_migrations') is null then 0 else 1 end::bigint as number",
    );
    if engine
        .row::<Number>(exists, args![])
        .await?
        .is_none_or(|found| found.0 == 0)
    {
        return Ok(0);
    }
    let newest = "select coalesce(max(version), 0) as number from _sqlx_migrations where success";
    Ok(engine.row::<Number>(newest, args![]).await?.map_or(0, |found| found.0))
}

fn explain(error: &MigrateError) -> Error {
    match error {
        MigrateError::Execute(inner) => Error::of("migrate", inner),
        MigrateError::ExecuteMigration(inner, version) => Error::of(&format!("migration {version}"), inner),
        MigrateError::VersionMismatch(version) | MigrateError::Dirty(version) => Error::Altered { version: *version },
        MigrateError::VersionMissing(found) => Error::Newer {
            found: *found,
            known: newest(),
        },
        _ => Error::Sql {
            code: "migrate".into(),
            message: "the migrations cannot be run".into(),
            statement: "migrate".into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_databases_get_the_same_tables_and_indexes() {
        let names = |text: &str| {
            text.lines()
                .filter(|line| line.starts_with("create "))
                .map(|line| line.split('(').next().unwrap_or(line).trim().to_owned())
                .collect::<Vec<_>>()
        };
        for (version, _, sqlite, postgres) in MIGRATIONS {
            assert_eq!(names(sqlite), names(postgres), "migration {version}");
        }
    }
}
