//! What PostgreSQL tells by itself: messages on channels, sent when the transaction that they belong to is committed.

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};

use super::Error;

/// A connection on which channels are heard.
pub(crate) struct Heard(PgListener);

impl Heard {
    pub(super) async fn on(options: &PgConnectOptions, channels: &[&str]) -> Result<Self, Error> {
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .connect_lazy_with(options.clone());
        let mut listener = PgListener::connect_with(&pool).await?;
        // Made anew by whoever listens, who looks first at whether the address may still be reached.
        listener.eager_reconnect(false);
        listener.listen_all(channels.iter().copied()).await?;
        Ok(Self(listener))
    }

    /// The next message and its channel; none where the connection broke, and with it what was told meanwhile.
    pub(crate) async fn next(&mut self) -> Option<(String, String)> {
        let told = self.0.try_recv().await.ok()??;
        Some((told.channel().to_owned(), told.payload().to_owned()))
    }
}
