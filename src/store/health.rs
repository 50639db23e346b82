//! Whether the store can take what comes.

use super::{
    Store,
    engine::{Engine, args},
    error::Error,
};

impl Store {
    /// Writes and commits a heartbeat on the same path as everything else: what `/readyz` means.
    pub async fn ping(&self) -> Result<(), Error> {
        let sql = "insert into meta (key, value) values ($1, $2) \
             on conflict (key) do update set value = excluded.value";
        let args = args![format!("heartbeat/{}", self.node()), self.now().to_string()];
        self.engine().execute(sql, args).await.map(drop)
    }

    /// `sqlite` or `postgres`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.engine() {
            Engine::Sqlite(_) => "sqlite",
            Engine::Postgres(_) => "postgres",
        }
    }
}
