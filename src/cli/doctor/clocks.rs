//! Two clocks that disagree: how far they may, and what goes wrong beyond.

use chrono::TimeDelta;

use super::Finding;
use crate::core::{connector::Object, webhook::Recipe};

/// Beyond this, a conflict that the newest side wins may go to the older one.
const NEWEST: TimeDelta = TimeDelta::minutes(1);
/// The time in an answer has no more than seconds, and it was on its way.
const NOISE: TimeDelta = TimeDelta::seconds(2);

/// Something that goes wrong from a skew on.
struct Bound {
    from: TimeDelta,
    what: &'static str,
}

/// What a skew of the system's clock (ahead where positive) means for its webhooks and for reading its changes.
pub(super) fn finding(part: &str, skew: TimeDelta, recipe: Option<&Recipe>, polled: &[&Object]) -> Finding {
    let size = skew.abs();
    if size <= NOISE {
        return Finding::good(part, "agrees with ours").about("clock");
    }
    let way = if skew < TimeDelta::zero() { "behind" } else { "ahead of" };
    let told = format!("{} s {way} ours", size.num_seconds());
    let next = "compare both with a third clock (`timedatectl` here) and set the one that is wrong; run NTP on it";
    let bounds = bounds(skew, recipe, polled);
    let Some(nearest) = bounds.iter().min_by_key(|bound| bound.from) else {
        return Finding::good(part, told).about("clock");
    };
    let limit = nearest.from.num_seconds();
    let finding = if size >= nearest.from {
        Finding::wrong(part, format!("{told}: {}", nearest.what))
    } else if size * 2 >= nearest.from {
        Finding::notable(part, format!("{told}; from {limit} s on, {}", nearest.what))
    } else {
        return Finding::good(part, format!("{told}, harmless below {limit} s")).about("clock");
    };
    finding.about("clock").next(next)
}

fn bounds(skew: TimeDelta, recipe: Option<&Recipe>, polled: &[&Object]) -> Vec<Bound> {
    let is_behind = skew < TimeDelta::zero();
    let mut bounds = vec![Bound {
        from: NEWEST,
        what: "`newest` decides conflicts wrongly",
    }];
    if let Some((past, future)) = recipe.and_then(Recipe::tolerance) {
        bounds.push(Bound {
            from: if is_behind { past } else { future },
            what: "its webhooks are refused as too old or too new (`tolerance:` of the connector)",
        });
    }
    // What is stamped by a clock ahead of ours comes early, never late.
    let overlaps = polled.iter().filter(|_| is_behind).filter_map(|object| {
        let list = object.listing(true)?;
        TimeDelta::from_std(list.overlap).ok()
    });
    bounds.extend(overlaps.map(|from| Bound {
        from,
        what: "polls miss changes (`overlap:` of the connector)",
    }));
    bounds
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::State, *};
    use crate::core::{
        connector::{Connector, form::ConnectorForm},
        problem::Problems,
    };

    fn connector() -> Connector {
        let form: ConnectorForm = serde_json::from_value(json!({
            "connector": "sample",
            "base_url": "https://crm.example.com",
            "objects": { "account": {
                "id": "id",
                "list": { "get": "/accounts", "query": { "since": "{{ since }}" }, "records": "items", "overlap": "40s" },
            } },
            "webhooks": {
                "verify": {
                    "hmac": "sha256", "header": "Signature", "format": "csv_kv", "tag": "v1",
                    "timestamp": { "tag": "t" }, "tolerance": { "past": "50s", "future": "20s" },
                },
                "id": "{{ event.id }}", "object": "account", "record_id": "{{ event.id }}", "kind": "updated",
            },
        }))
        .unwrap();
        let mut problems = Problems::new();
        let connector = Connector::compile(&form, &mut problems);
        connector.unwrap_or_else(|| panic!("{:#?}", problems.into_vec()))
    }

    fn told(seconds: i64, has_recipe: bool, is_polled: bool) -> (State, String) {
        let connector = connector();
        let recipe = connector.webhooks.as_ref().map(|webhooks| webhooks.recipe());
        let polled: Vec<_> = connector.objects.values().filter(|_| is_polled).collect();
        let skew = TimeDelta::seconds(seconds);
        let finding = finding("system crm", skew, recipe.filter(|_| has_recipe), &polled);
        (finding.state, finding.found)
    }

    #[test]
    fn a_skew_is_told_by_what_it_breaks_and_by_its_direction() {
        assert_eq!(told(1, true, true).0, State::Good);
        assert_eq!(told(-15, true, true).0, State::Good);
        let (state, found) = told(-25, true, true);
        assert!(
            state == State::Notable && found.contains("25 s behind ours; from 40 s on, polls"),
            "{found}"
        );
        let (state, found) = told(-45, true, true);
        assert!(state == State::Wrong && found.contains("polls miss changes"), "{found}");
        let (state, found) = told(-55, true, false);
        assert!(
            state == State::Wrong && found.contains("webhooks are refused"),
            "{found}"
        );
        let (state, found) = told(30, true, true);
        assert!(
            state == State::Wrong && found.contains("30 s ahead of ours: its webhooks"),
            "{found}"
        );
        assert_eq!(told(25, false, true).0, State::Good, "a clock ahead loses no poll");
        assert_eq!(told(70, false, false).0, State::Wrong);
    }
}
