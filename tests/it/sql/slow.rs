//! Slow queries in the log.

use std::{
    io,
    sync::{Arc, Mutex},
};

use syncline::{client::Road, core::connector::database::Engine};

use super::{Base, CUSTOMER};

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_slow_query_is_logged_with_its_plan_and_its_owner_and_without_a_value() {
    for base in Base::all().await {
        base.customers().await;
        base.rows(5).await;
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::WARN)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let guard = tracing::subscriber::set_default(subscriber);
        let system = base.system_with(CUSTOMER, "{ slow_query: 0s }");
        for _ in 0..2 {
            let found = system
                .find("customer", "email", &"c2@example.com".into(), Road::Manual)
                .await;
            assert_eq!(found.unwrap().len(), 1);
        }
        drop(guard);
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let plan = match base.engine() {
            Engine::Postgres => "Scan",
            Engine::Mysql => "query_block",
            Engine::Sqlite => "SEARCH",
        };
        assert_eq!(text.matches("a query was slow").count(), 2, "{text}");
        assert_eq!(text.matches("limit 100").count(), 1, "its plan is told once: {text}");
        assert!(text.contains(plan) && text.contains("erp-team@example.com"), "{text}");
        assert!(!text.contains("c2@example.com"), "{text}");
    }
}
