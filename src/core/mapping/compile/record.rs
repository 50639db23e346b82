//! What a mapping does with whole records: filters, creates, polls, situations, reconciliation.

use chrono::NaiveTime;
use serde_json::Value as Json;

use super::{
    super::{
        Actions, Choice, Field, Filtered, Guard, Missing, Reconcile,
        form::{ReconcileForm, SituationAction, SituationsForm},
    },
    Compiler,
};
use crate::core::{
    expr::{Expr, Names},
    period::{Period, Share},
    problem::{Problem, nearest, pointer},
    status::{Side, Sides},
};

impl Compiler<'_> {
    pub(super) fn filters(&mut self) -> Sides<Option<Expr>> {
        let form = self.form;
        let mut filters = Sides {
            left: None,
            right: None,
        };
        for (system, text) in &form.filter {
            let place = pointer("/filter", system);
            let Some(side) = self.named_by_key(system, &place) else {
                continue;
            };
            let Json::String(text) = text else {
                self.problems.error(
                    "MP029",
                    place,
                    "a filter is an expression, as in `\"{{ erp.kind == 'customer' }}\"`",
                );
                continue;
            };
            let inner = text
                .trim()
                .strip_prefix("{{")
                .and_then(|text| text.strip_suffix("}}"))
                .unwrap_or(text);
            match Expr::parse(inner, &Names::new([system.as_str()])) {
                Ok(expr) => {
                    for path in expr.paths_of(system) {
                        self.check_used(side, &path, &place);
                    }
                    *filters.get_mut(side) = Some(expr);
                }
                Err(error) => self.expression(error, place),
            }
        }
        filters
    }

    pub(super) fn create(&mut self, fields: &[Field]) -> Sides<bool> {
        let form = self.form;
        let mut create = Sides {
            left: false,
            right: false,
        };
        for (system, answer) in &form.create {
            let place = pointer("/create", system);
            let Some(side) = self.named_by_key(system, &place) else {
                continue;
            };
            let wanted = match answer {
                Json::Bool(wanted) => *wanted,
                Json::String(word) if word == "yes" => true,
                Json::String(word) if word == "no" => false,
                _ => {
                    self.problems.error("MP030", place, "say `yes` or `no`");
                    continue;
                }
            };
            if wanted && !fields.iter().any(|field| field.flow.reaches(side)) {
                self.problems.error(
                    "MP031",
                    place.clone(),
                    format!("no field goes to `{system}`, so nothing can be created there"),
                );
            }
            let can = self
                .known
                .object(self.ends.get(side))
                .is_none_or(|object| object.can.create);
            if wanted && !can {
                let end = self.ends.get(side);
                let message = format!("the connector cannot create `{}` in `{}`", end.object, end.system);
                self.problems
                    .push(Problem::error("MP032", place, message).with_hint("give the object a `create:` operation"));
            }
            *create.get_mut(side) = wanted;
        }
        create
    }

    pub(super) fn poll(&mut self) -> Sides<Option<Period>> {
        let form = self.form;
        let mut poll = Sides {
            left: None,
            right: None,
        };
        for (system, period) in &form.poll {
            let place = pointer("/poll", system);
            let Some(side) = self.named_by_key(system, &place) else {
                continue;
            };
            let text = match period {
                Json::String(text) => text.clone(),
                other => other.to_string(),
            };
            match text.parse::<Period>() {
                Ok(period) if period.millis() >= 1_000 => *poll.get_mut(side) = Some(period),
                Ok(_) => self
                    .problems
                    .error("MP033", place.clone(), "a poll less than a second apart is no poll"),
                Err(error) => self.problems.error("MP033", place.clone(), error.to_string()),
            }
            let can = self
                .known
                .object(self.ends.get(side))
                .is_none_or(|object| object.can.changed);
            if !can {
                let end = self.ends.get(side);
                let message = format!("the connector cannot tell which `{}` changed", end.object);
                self.problems.push(
                    Problem::error("MP034", place, message)
                        .with_hint("use `since` in its `list:` request, or give the object a `changed:` listing"),
                );
            }
        }
        poll
    }

    pub(super) fn actions(&mut self, form: &SituationsForm) -> Actions {
        let mut choice = |given: Option<SituationAction>, act: SituationAction, name: &str| match given {
            None => Choice::Act,
            Some(action) if action == act => Choice::Act,
            Some(SituationAction::Report) => Choice::Report,
            Some(_) => {
                let place = format!("/situations/{name}");
                self.problems
                    .error("MP035", place, format!("`{name}` can be `report` or the default"));
                Choice::Report
            }
        };
        let differs = choice(form.differs, SituationAction::Sync, "differs");
        let unlinked_match = choice(form.unlinked_match, SituationAction::Link, "unlinked_match");
        let absent = choice(form.absent, SituationAction::Create, "absent");
        let missing = match form.missing {
            None | Some(SituationAction::Report) => Missing::Report,
            Some(SituationAction::Recreate | SituationAction::Create) => Missing::Recreate,
            Some(SituationAction::Delete) => Missing::Delete,
            Some(SituationAction::Archive) => Missing::Archive,
            Some(SituationAction::Unlink) => Missing::Unlink,
            Some(_) => {
                let message = "`missing` can be `report`, `recreate`, `delete`, `archive` or `unlink`";
                self.problems.error("MP035", "/situations/missing", message);
                Missing::Report
            }
        };
        let filtered = match form.filtered {
            None | Some(SituationAction::Report) => Filtered::Report,
            Some(SituationAction::Unlink) => Filtered::Unlink,
            Some(SituationAction::Sync) => Filtered::Sync,
            Some(_) => {
                let message = "`filtered` can be `report`, `sync` or `unlink`";
                self.problems.error("MP035", "/situations/filtered", message);
                Filtered::Report
            }
        };
        Actions {
            differs,
            unlinked_match,
            absent,
            missing,
            filtered,
        }
    }

    pub(super) fn reconcile(&mut self, form: &ReconcileForm) -> Reconcile {
        let at = form.at.as_deref().and_then(|text| {
            let time = NaiveTime::parse_from_str(text, "%H:%M").ok();
            if time.is_none() {
                let problem = Problem::error("MP036", "/reconcile/at", format!("`{text}` is no time of day"));
                self.problems.push(problem.with_hint("write `HH:MM`, as in `02:00`"));
            }
            time
        });
        let timezone = form.timezone.as_deref().map_or(chrono_tz::UTC, |name| {
            name.parse().unwrap_or_else(|_| {
                let near = nearest(name, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()));
                let problem = Problem::error("MP037", "/reconcile/timezone", format!("unknown time zone `{name}`"));
                self.problems.push(match near {
                    Some(near) => problem.with_hint(format!("did you mean `{near}`?")),
                    None => problem.with_hint("use an IANA name, as in `America/Sao_Paulo`"),
                });
                chrono_tz::UTC
            })
        });
        let guard = Guard {
            delete: form.limits.delete,
            change: form.limits.change.unwrap_or(Share::Percent(25_000)),
            create: form.limits.create,
            shrink: form.limits.shrink.unwrap_or(Share::Percent(50_000)),
        };
        Reconcile {
            at,
            timezone,
            incremental: form.incremental.filter(|period| self.is_incremental(*period)),
            repair: form.repair.unwrap_or(true),
            guard,
        }
    }

    /// Whether what changed can be compared alone, so often.
    fn is_incremental(&mut self, period: Period) -> bool {
        const PLACE: &str = "/reconcile/incremental";
        if period.millis() < 60_000 {
            let message = "less than a minute apart is too often for a reconciliation";
            let problem = Problem::error("MP047", PLACE, message);
            self.problems
                .push(problem.with_hint("write `15m`, or use `poll:`, which brings changes within seconds"));
            return false;
        }
        let can = [Side::Left, Side::Right].into_iter().any(|side| {
            let object = self.known.object(self.ends.get(side));
            object.is_none_or(|object| object.can.changed)
        });
        if !can {
            let message = "neither connector can tell what changed";
            self.problems.push(
                Problem::error("MP047", PLACE, message)
                    .with_hint("use `since` in a `list:` request, or give an object a `changed:` listing"),
            );
        }
        can
    }

    /// What the mapping asks of the connectors.
    pub(super) fn operations(&mut self, fields: &[Field]) {
        for side in [Side::Left, Side::Right] {
            let end = self.ends.get(side);
            let Some(object) = self.known.object(end) else { continue };
            let can = object.can;
            let writes = fields.iter().any(|field| field.flow.reaches(side));
            let needs = [
                ("get", can.get, true),
                ("list", can.list, true),
                ("update", can.update, writes),
            ];
            for (name, can, needed) in needs {
                if needed && !can {
                    let message = format!("object `{}` of `{}` has no `{name}:` operation", end.object, end.system);
                    let hint = "the mapping needs it: add it to the connector";
                    self.problems
                        .push(Problem::error("MP038", pointer("/between", &end.system), message).with_hint(hint));
                }
            }
        }
    }
}
