//! How the last hour went, as a page shows it.

use std::time::Duration;

use syncline::{clock::Clock, core::status::Role};

use crate::{
    api::operation::event,
    support::{app::Setup, database::start_of_test, visitor::Visitor},
};

#[tokio::test]
async fn the_last_hour_is_drawn_with_every_number_beside_it() {
    let mut setup = Setup::new("");
    setup.clock = Clock::manual(start_of_test());
    let app = setup.start().await;
    let mut viewer = Visitor::signed_in(&app, Role::Viewer).await;
    let empty = viewer.get("/console/operations").await.text();
    assert!(empty.contains("No event came in within the last hour"), "{empty}");
    assert!(!empty.contains("<svg class=\"chart\""), "there is nothing to draw");
    event(&app, "e-1", Some(Duration::from_millis(40))).await;
    event(&app, "e-2", None).await;
    app.clock.set(start_of_test() + Duration::from_secs(61));
    let page = viewer.get("/console/operations").await.text();
    assert!(page.contains("aria-label=\"Events a minute: 0 – 2\""), "{page}");
    assert!(page.contains("<title>09:00: 2</title>"), "every point says what it is");
    assert!(
        page.contains("<tr><td>09:00</td><td class=\"n\">2</td></tr>"),
        "and stands in a table"
    );
    assert!(page.contains("<title>99 of 100, 08:57: 50 ms</title>"), "{page}");
    for class in ["trend\"", "trend dashed\"", "trend dotted\""] {
        assert!(page.contains(class), "lines are told apart by more than their colour");
    }
    assert!(
        page.contains("No effect, or not yet</dt><dd class=\"big\">1<"),
        "{page}"
    );
    let overview = viewer.get("/console").await.text();
    assert!(
        overview.contains("Events of the last hour</a>: <strong>2</strong>"),
        "{overview}"
    );
}
