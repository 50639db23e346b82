//! Match rules: which fields couple records, and what of them counts.

use super::{
    super::{Field, form::RuleForm},
    Compiler,
};
use crate::core::{
    matching::{Country, Counts, Likeness, Normalizer, Rule, Suggest},
    problem::{Problem, nearest, pointer},
    status::{Side, Sides},
    value::{compare::Compare, kind::Kind},
};

/// The keys of a match rule beside the two systems' names.
const RULE_KEYS: &[&str] = &["compare", "normalize", "country"];

/// How similar records have to be where nothing is said.
const AT_LEAST: f64 = 0.9;
/// What does not count in names where nothing is said.
const NAMES: [Normalizer; 4] = [
    Normalizer::Accents,
    Normalizer::Case,
    Normalizer::LegalForm,
    Normalizer::Space,
];

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
            if form.sides.keys().all(|key| self.ends.side_of_system(key).is_some()) {
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

    /// What is suggested where no rule couples.
    pub(super) fn suggest(&mut self, fields: &[Field]) -> Option<Suggest> {
        let form = self.form.suggest.clone()?;
        let least = form.at_least.unwrap_or(AT_LEAST);
        if !(least > 0.0 && least <= 1.0) {
            let problem = Problem::error("MP046", "/suggest/at_least", format!("`{least}` is no share of 1"));
            self.problems
                .push(problem.with_hint("more than 0 and at most 1, as in `at_least: 0.9`"));
        }
        if form.fields.is_empty() {
            let problem = Problem::error("MP046", "/suggest/fields", "nothing is compared");
            self.problems
                .push(problem.with_hint("name fields of both systems that are alike, such as names and cities"));
        }
        let likeness = |(index, rule): (usize, &RuleForm)| self.likeness(index, rule, fields);
        let likenesses = form.fields.iter().enumerate().filter_map(likeness).collect();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 1000"
        )]
        let at_least = (least.clamp(0.0, 1.0) * 1_000.0).round() as u16;
        Some(Suggest {
            fields: likenesses,
            at_least,
        })
    }

    fn likeness(&mut self, index: usize, form: &RuleForm, fields: &[Field]) -> Option<Likeness> {
        let place = format!("/suggest/fields/{index}");
        if form.compare.is_some() {
            let message = "texts are compared by their likeness";
            let problem = Problem::error("MP046", pointer(&place, "compare"), message);
            self.problems
                .push(problem.with_hint("write what does not count under `normalize:`, or leave it out"));
        }
        let mut form = form.clone();
        form.compare = None;
        if form.normalize.is_empty() {
            form.normalize = NAMES.to_vec();
        }
        let rule = self.rule(&place, &form)?;
        let sensitive = [Side::Left, Side::Right].into_iter().any(|side| {
            let path = rule.paths.get(side);
            let is_it = |field: &&Field| field.paths.get(side).as_ref() == Some(path);
            fields.iter().find(is_it).is_some_and(|field| field.sensitive)
                || self.declared(side, path).is_some_and(|field| field.sensitive)
        });
        Some(Likeness { rule, sensitive })
    }

    fn counts(&mut self, place: &str, form: &RuleForm) -> Counts {
        let country = form
            .country
            .as_deref()
            .and_then(|code| self.country(&pointer(place, "country"), code));
        if form.normalize.is_empty() {
            if form.country.is_some() {
                let problem = Problem::error(
                    "MP044",
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
            let problem = Problem::error("MP044", pointer(place, "compare"), message);
            self.problems
                .push(problem.with_hint("what is normalized is compared exactly: leave `compare` out"));
        }
        let alone = form.normalize.iter().find(|one| one.stands_alone());
        if let Some(alone) = alone.filter(|alone| form.normalize.iter().any(|other| other != *alone)) {
            let message = format!("`{alone}` stands alone: it knows what counts");
            let problem = Problem::error("MP044", pointer(place, "normalize"), message);
            self.problems
                .push(problem.with_hint(format!("write `normalize: [{alone}]`, or a rule for each")));
        }
        if form.country.is_none() && form.normalize.contains(&Normalizer::Phone) {
            let message = "`phone` needs the country of numbers that are written without one";
            self.problems
                .push(Problem::error("MP045", place, message).with_hint("add `country:`, as in `country: BR`"));
        }
        Counts::normalized(form.normalize.clone(), country)
    }

    fn country(&mut self, place: &str, code: &str) -> Option<Country> {
        let country = Country::parse(code);
        if country.is_none() {
            let problem = Problem::error("MP045", place, format!("unknown country `{code}`"));
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
