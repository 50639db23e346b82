//! Match rules: which fields couple records, and what of them counts.

use super::{super::form::RuleForm, Compiler};
use crate::core::{
    matching::{Country, Counts, Normalizer, Rule},
    problem::{Problem, nearest, pointer},
    status::{Side, Sides},
    value::{compare::Compare, kind::Kind},
};

/// The keys of a match rule beside the two systems' names.
const RULE_KEYS: &[&str] = &["compare", "normalize", "country"];

impl Compiler<'_> {
    pub(super) fn rules(&mut self) -> Vec<Rule> {
        let rules: Vec<RuleForm> = self.form.rules.clone();
        rules
            .iter()
            .enumerate()
            .filter_map(|(index, rule)| self.rule(&format!("/match/{index}"), rule))
            .collect()
    }

    pub(super) fn rule(&mut self, place: &str, form: &RuleForm) -> Option<Rule> {
        let paths = self.paths(&form.sides, place, RULE_KEYS);
        let counts = self.counts(place, form);
        let (Some(left), Some(right)) = (paths.left, paths.right) else {
            if form.sides.keys().all(|key| self.side(key).is_some()) {
                self.problems
                    .error("MP010", place, "a match rule names one field of each system");
            }
            return None;
        };
        let left_kind = self.field_kind(Side::Left, &left, place);
        let right_kind = self.field_kind(Side::Right, &right, place);
        let kind = match (&counts, left_kind) {
            // A system that keeps a number and one that keeps a text meet in the text.
            (Counts::Normalized { .. }, _) => Kind::Any,
            (Counts::Compare(_), Kind::Any) => right_kind,
            (Counts::Compare(_), kind) => kind,
        };
        Some(Rule {
            paths: Sides { left, right },
            kind,
            counts,
        })
    }

    fn counts(&mut self, place: &str, form: &RuleForm) -> Counts {
        let country = form
            .country
            .as_deref()
            .and_then(|code| self.country(&pointer(place, "country"), code));
        if form.normalize.is_empty() {
            if form.country.is_some() {
                let problem = Problem::error(
                    "MP041",
                    pointer(place, "country"),
                    "`country` is for what is normalized",
                );
                self.problems
                    .push(problem.with_hint("add `normalize: [phone]` or `[tax_id]`, or leave it out"));
            }
            return Counts::Compare(form.compare.unwrap_or(Compare::Exact));
        }
        if form.compare.is_some() {
            let message = "a rule has `compare` or `normalize`, not both";
            let problem = Problem::error("MP041", pointer(place, "compare"), message);
            self.problems
                .push(problem.with_hint("what is normalized is compared exactly: leave `compare` out"));
        }
        if form.country.is_none() && form.normalize.contains(&Normalizer::Phone) {
            let message = "`phone` needs the country of numbers that are written without one";
            self.problems
                .push(Problem::error("MP042", place, message).with_hint("add `country:`, as in `country: BR`"));
        }
        Counts::normalized(form.normalize.clone(), country)
    }

    fn country(&mut self, place: &str, code: &str) -> Option<Country> {
        let country = Country::parse(code);
        if country.is_none() {
            let problem = Problem::error("MP042", place, format!("unknown country `{code}`"));
            self.problems
                .push(match nearest(&code.to_ascii_uppercase(), Country::codes()) {
                    Some(near) => {
                        problem.with_hint(format!("did you mean `{near}`? Countries are two letters, as in `BR`"))
                    }
                    None => problem.with_hint("countries are two letters, as in `BR` (ISO 3166)"),
                });
        }
        country
    }
}
