//! The API is what its description for programs says, whatever is asked: by schemathesis.

use syncline::core::status::Role;

use super::system::tool;
use crate::{api::action::systems, console::scene, support::app::Setup};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_of_the_api_is_one_that_its_description_has_whatever_is_asked() {
    let systems = systems().await;
    let mut setup = Setup::between(&systems);
    setup.settings.server.api_burst = 1_000_000;
    setup.settings.server.api_heavy_burst = 1_000_000;
    setup.settings.server.auth_failure_burst = 1_000_000;
    let app = setup.start().await;
    scene::fill(&app, "customer-account", 5, |row| format!("value {row}")).await;
    let (url, token) = (format!("http://{}", app.address), app.token(Role::Admin).await);
    let asked = tokio::task::spawn_blocking(move || tool("check-api", &[&url, &token]));
    let Some((is_good, said)) = asked.await.unwrap() else {
        return;
    };
    assert!(is_good, "{said}");
}
