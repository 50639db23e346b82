//! A look at every object of a system: is it reached, does it let us in, does it say what the connector says?

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use chrono::TimeDelta;

use super::{Finding, Look, advice, clocks};
use crate::{
    catalog::load::Catalog,
    cli::output::count,
    client::{Remark, Road, Seen, Sight, System, Trouble},
    core::{connector::Object, fault::Fault, mapping::Mapping, status::Side},
    settings,
};

/// How long one object is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is tried, and what depends on it.
pub(super) struct Patient<'a> {
    pub(super) part: &'a str,
    pub(super) system: &'a System,
    pub(super) given: &'a settings::System,
    /// The objects that mappings are about.
    pub(super) mapped: BTreeSet<&'a str>,
    /// Those of them that are asked for changes.
    pub(super) polled: BTreeSet<&'a str>,
    /// Whether no object could be read.
    is_dark: bool,
}

impl<'a> Patient<'a> {
    pub(super) fn new(catalog: &'a Catalog, part: &'a str, system: &'a System, given: &'a settings::System) -> Self {
        let mappings = catalog.mappings.values();
        let ends = mappings.flat_map(|mapping| [Side::Left, Side::Right].map(|side| (mapping, side)));
        let own: Vec<_> = ends
            .filter(|(mapping, side)| mapping.end(*side).system == system.name())
            .collect();
        let object = |(mapping, side): &(&'a Arc<Mapping>, Side)| mapping.end(*side).object.as_str();
        Self {
            part,
            system,
            given,
            mapped: own.iter().map(object).collect(),
            polled: own
                .iter()
                .filter(|(mapping, side)| mapping.poll.get(*side).is_some())
                .map(object)
                .collect(),
            is_dark: false,
        }
    }

    /// Everything that a look finds.
    pub(super) async fn examine(mut self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.mapped.is_empty() {
            let found = Finding::notable(self.part, "no mapping uses it");
            findings.push(found.next("map one of its objects, or remove it from the settings"));
        }
        let sights = self.system.probe(PATIENCE).await;
        self.is_dark = sights.iter().all(|sight| sight.found.is_err());
        for sight in &sights {
            findings.push(match &sight.found {
                Ok(seen) => self.seen(sight, seen).await,
                Err(trouble) => self.trouble(&sight.object, trouble),
            });
        }
        if sights.is_empty() {
            let found = Finding::notable(self.part, "no object of its connector can be listed: nothing was tried");
            findings.push(found.next("describe `list:` of its objects in the connector"));
        }
        findings.extend(self.tables().await);
        findings.extend(self.clock(&sights));
        findings.extend(self.limits(&sights));
        findings
    }

    /// What the catalog of a database says of the tables that mappings read.
    async fn tables(&self) -> Vec<Finding> {
        let objects: Vec<&str> = self.mapped.iter().copied().collect();
        let looking = tokio::time::timeout(PATIENCE, self.system.inspect(&objects));
        let remarks = looking.await.unwrap_or_default();
        let told = |remark: Remark| {
            let finding = match (&remark.next, remark.is_wrong) {
                (None, _) => Finding::good(self.part, remark.found),
                (Some(_), false) => Finding::notable(self.part, remark.found),
                (Some(_), true) => Finding::wrong(self.part, remark.found),
            };
            Finding {
                next: remark.next,
                ..finding.about(remark.object)
            }
        };
        remarks.into_iter().map(told).collect()
    }

    async fn seen(&self, sight: &Sight, seen: &Seen) -> Finding {
        let took = u64::try_from(sight.took.as_millis()).unwrap_or(u64::MAX);
        let more = if seen.has_more { ", more follow" } else { "" };
        let mut found = format!(
            "reached, signed in, {} seen in {took} ms{more}",
            count(seen.records, "record")
        );
        let mut look = Look {
            took_ms: took,
            status: seen.status,
            records: seen.records,
            has_more: seen.has_more,
            clock_skew_s: seen.skew.map(|skew| skew.num_seconds()),
            limits: seen.limits.iter().cloned().collect(),
            filters_changes: None,
        };
        let filter = self.filter(&sight.object).await;
        look.filters_changes = filter.as_ref().map(Result::is_ok);
        let finding = match filter {
            Some(Err(fault)) => {
                let next = fault.hint.clone().unwrap_or_default();
                self.by_use(&sight.object, format!("{found}; {fault}")).next(next)
            }
            filter => {
                if filter.is_some() {
                    found.push_str("; filters by time of change");
                }
                if seen.records == 0 && self.mapped.contains(sight.object.as_str()) {
                    Finding::notable(self.part, found).next(format!(
                        "if there should be some, look at what these credentials may see of `{}`",
                        sight.object
                    ))
                } else if let Some(total) = seen.short_of {
                    self.short(&sight.object, &found, total)
                } else if seen.is_undated {
                    self.undated(&sight.object, &found)
                } else {
                    Finding::good(self.part, found)
                }
            }
        };
        finding.about(&sight.object).with_look(look)
    }

    /// The listing ends although the system says that there is more.
    fn short(&self, object: &str, found: &str, total: u64) -> Finding {
        let found = format!("{found}, though the system says that there are {total}");
        self.by_use(object, found).next(format!(
            "correct `page:` of `{object}` in connectors/{}.yaml: it does not lead to the next page; `syncline connector try {} {object}` shows the answer",
            self.given.connector,
            self.system.name()
        ))
    }

    /// No record shows when it changed last.
    fn undated(&self, object: &str, found: &str) -> Finding {
        let paths = self.object(object).map(|object| object.updated_at.paths());
        let paths: Vec<String> = paths.iter().flatten().map(|path| format!("`{path}`")).collect();
        let found = format!("{found}; none of them has a time at {}", paths.join(", "));
        Finding::notable(self.part, found).next(format!(
            "correct `updated_at:` of `{object}` in connectors/{}.yaml: without it `newest` decides nothing",
            self.given.connector
        ))
    }

    /// Whether its filter by time of change filters; none where it has none, or the answer did not come.
    async fn filter(&self, object: &str) -> Option<Result<(), Fault>> {
        if !self.object(object)?.lists_changes() {
            return None;
        }
        let check = self.system.check_since(object, Road::Manual);
        tokio::time::timeout(PATIENCE, check).await.ok()
    }

    fn trouble(&self, object: &str, trouble: &Trouble) -> Finding {
        let told = trouble.fault.to_string();
        let mut finding = if trouble.kind.is_of_the_system() {
            Finding::wrong(self.part, told)
        } else {
            self.by_use(object, told)
        };
        finding.trouble = Some(trouble.kind);
        finding
            .about(object)
            .next(advice::next(self.system, self.given, object, trouble))
    }

    /// Wrong where a mapping needs the object, or where there is no mapping yet and nothing can be read; else worth a look.
    fn by_use(&self, object: &str, found: String) -> Finding {
        if self.mapped.contains(object) || (self.mapped.is_empty() && self.is_dark) {
            Finding::wrong(self.part, found)
        } else {
            Finding::notable(self.part, format!("{found}; no mapping uses it"))
        }
    }

    fn object(&self, name: &str) -> Option<&'a Object> {
        self.system.connector().objects.get(name)
    }

    fn clock(&self, sights: &[Sight]) -> Option<Finding> {
        let skews = seen(sights).filter_map(|seen| seen.skew);
        let skew = skews.max_by_key(TimeDelta::abs)?;
        let polled: Vec<_> = self.polled.iter().filter_map(|name| self.object(name)).collect();
        let webhooks = self.system.connector().webhooks.as_ref();
        let recipe = webhooks.map(|webhooks| webhooks.recipe());
        Some(clocks::finding(self.part, skew, recipe, &polled))
    }

    /// What the system said last about its own limits.
    fn limits(&self, sights: &[Sight]) -> Option<Finding> {
        let last = seen(sights).filter(|seen| !seen.limits.is_empty()).last()?;
        let told: Vec<_> = last
            .limits
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        let is_used_up = last
            .limits
            .iter()
            .any(|(name, value)| name.contains("remaining") && value.trim() == "0");
        let told = told.join(", ");
        let finding = if is_used_up {
            Finding::notable(self.part, told).next(format!(
                "nothing is left for now; keep `limits` of [systems.{}] below what the system grants",
                self.system.name()
            ))
        } else {
            Finding::good(self.part, told)
        };
        Some(finding.about("rate limit"))
    }
}

fn seen(sights: &[Sight]) -> impl Iterator<Item = &Seen> {
    sights.iter().filter_map(|sight| sight.found.as_ref().ok())
}
