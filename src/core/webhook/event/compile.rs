//! From the `webhooks:` block to a definition that can only be run.

use std::{collections::BTreeSet, time::Duration};

use super::{
    BodyFormat, Definition, Fields, Handshake, Uses,
    form::{AnswerForm, BodyForm, HandshakeForm, WebhooksForm},
};
use crate::core::{
    connector::form::PREFIX_HINT,
    expr::{self, Names, Structure, Template},
    period::Period,
    problem::{Problem, Problems, nearest, pointer},
    status::EventKind,
    value::xml::Namespaces,
    webhook::{Recipe, compile::is_token},
};

/// The names that templates know about the request.
const REQUEST_NAMES: [&str; 5] = ["body", "headers", "query", "method", "settings"];
/// The longest time that a record is left alone after an event: a sender that takes longer is better polled.
const SETTLE_MAX: Period = Period::from_secs(600);
/// The name of one event.
const EVENT: &str = "event";

impl Definition {
    /// Checks `form`, which stands at `at` in its document, for a connector with these `objects`; `None` if it cannot be
    /// used, with the reasons in `problems`.
    pub fn compile(form: &WebhooksForm, at: &str, objects: &BTreeSet<&str>, problems: &mut Problems) -> Option<Self> {
        let mut compiler = Compiler {
            at,
            problems: Problems::new(),
        };
        let recipe = Recipe::compile(&form.verify, &pointer(at, "verify"), &mut compiler.problems);
        let fields = compiler.fields(form);
        let events = compiler.optional("events", form.events.as_ref(), &Names::new(REQUEST_NAMES));
        let handshake = form.handshake.as_ref().map(|form| compiler.handshake(form));
        compiler.objects(form, objects);
        compiler.completeness(form);
        compiler.settle(form);
        compiler.answer(&form.answer);
        let body = compiler.body(form);

        let is_usable = !compiler.problems.has_errors();
        for problem in compiler.problems.into_vec() {
            problems.push(problem);
        }
        let (fields, handshake) = (
            fields?,
            match handshake {
                Some(handshake) => Some(handshake?),
                None => None,
            },
        );
        let uses = |root| {
            events.as_ref().is_some_and(|events: &Template| events.uses(root))
                || fields.uses(root)
                || handshake
                    .as_ref()
                    .is_some_and(|handshake: &Handshake| handshake.uses(root))
        };
        let definition = Self {
            recipe: match &body {
                BodyFormat::Json => recipe?,
                BodyFormat::Xml(namespaces) => recipe?.in_xml(namespaces),
            },
            body,
            uses: Uses {
                headers: uses("headers"),
                query: uses("query"),
            },
            events,
            fields,
            objects: form.objects.clone(),
            kinds: form.kinds.clone(),
            is_complete: form.complete,
            settle: form.settle.map_or(Duration::ZERO, Period::duration),
            handshake,
            answer: form.answer.clone(),
        };
        is_usable.then_some(definition)
    }
}

impl Fields {
    fn uses(&self, root: &str) -> bool {
        let optional = [
            &self.id,
            &self.occurred_at,
            &self.record_id,
            &self.kind,
            &self.own,
            &self.record,
            &self.version,
            &self.merged_into,
            &self.renamed_from,
        ];
        self.object.uses(root) || optional.into_iter().flatten().any(|template| template.uses(root))
    }
}

impl Handshake {
    fn uses(&self, root: &str) -> bool {
        self.when.uses(root)
            || self.headers.iter().any(|(_, template)| template.uses(root))
            || self.body.as_ref().is_some_and(|body| body.uses(root))
    }
}

struct Compiler<'a> {
    at: &'a str,
    problems: Problems,
}

impl Compiler<'_> {
    fn template(&mut self, place: &str, source: &str, names: &Names) -> Option<Template> {
        match Template::parse(source, names) {
            Ok(template) => Some(template),
            Err(error) => {
                self.expression(place.to_owned(), error);
                None
            }
        }
    }

    fn expression(&mut self, place: String, error: expr::Error) {
        let problem = Problem::error("WH020", place, error.message).with_range(error.range);
        self.problems.push(match error.hint {
            Some(hint) => problem.with_hint(hint),
            None => problem,
        });
    }

    fn optional(&mut self, key: &str, source: Option<&String>, names: &Names) -> Option<Template> {
        let place = pointer(self.at, key);
        source.and_then(|source| self.template(&place, source, names))
    }

    fn fields(&mut self, form: &WebhooksForm) -> Option<Fields> {
        let names = Names::new(REQUEST_NAMES.into_iter().chain([EVENT]));
        let object = self.template(&pointer(self.at, "object"), &form.object, &names);
        let mut optional = |key, source| self.optional(key, source, &names);
        Some(Fields {
            id: optional("id", form.id.as_ref()),
            occurred_at: optional("occurred_at", form.occurred_at.as_ref()),
            record_id: optional("record_id", form.record_id.as_ref()),
            kind: optional("kind", form.kind.as_ref()),
            own: optional("own", form.own.as_ref()),
            record: optional("record", form.record.as_ref()),
            version: optional("version", form.version.as_ref()),
            merged_into: optional("merged_into", form.merged_into.as_ref()),
            renamed_from: optional("renamed_from", form.renamed_from.as_ref()),
            object: object?,
        })
    }

    fn handshake(&mut self, form: &HandshakeForm) -> Option<Handshake> {
        let names = Names::new(REQUEST_NAMES);
        let at = pointer(self.at, "handshake");
        let answer_at = pointer(&at, "answer");
        let when = self.template(&pointer(&at, "when"), &form.when, &names);
        let body = form.answer.body.as_ref().map(|body| {
            let mut report = |place, error| self.expression(place, error);
            Structure::parse(body, &names, &pointer(&answer_at, "body"), &mut report)
        });
        let mut headers = Vec::new();
        for (name, source) in &form.answer.headers {
            let place = pointer(&pointer(&answer_at, "headers"), name);
            if !is_token(name) {
                self.problems.error(
                    "WH006",
                    &place,
                    format!("`{}` is no header name", name.escape_default()),
                );
            }
            headers.push((name.to_lowercase(), self.template(&place, source, &names)?));
        }
        if !(200..=599).contains(&form.answer.status) {
            let message = format!("{} is no status code of an answer", form.answer.status);
            self.problems.error("WH024", pointer(&answer_at, "status"), message);
        }
        Some(Handshake {
            when: when?,
            is_unsigned: form.unsigned,
            status: form.answer.status,
            headers,
            body,
        })
    }

    /// A name that no object of the connector has would make every event of it pass unseen.
    fn objects(&mut self, form: &WebhooksForm, objects: &BTreeSet<&str>) {
        let fixed = (!form.object.contains("{{")).then_some((pointer(self.at, "object"), &form.object));
        let table = pointer(self.at, "objects");
        let listed = form
            .objects
            .iter()
            .map(|(theirs, ours)| (pointer(&table, theirs), ours));
        for (place, name) in fixed.into_iter().filter(|_| form.objects.is_empty()).chain(listed) {
            if objects.contains(name.as_str()) {
                continue;
            }
            let problem = Problem::error("WH021", place, format!("the connector has no object `{name}`"));
            self.problems.push(match nearest(name, objects.iter().copied()) {
                Some(near) => problem.with_hint(format!("did you mean `{near}`?")),
                None => problem,
            });
        }
    }

    fn completeness(&mut self, form: &WebhooksForm) {
        if form.complete && (form.record.is_none() || form.version.is_none()) {
            self.problems.push(
                Problem::error(
                    "WH022",
                    pointer(self.at, "complete"),
                    "`complete` needs `record` and `version`",
                )
                .with_hint(
                    "without a version an old event could undo a newer one; leave `complete` out to have records read",
                ),
            );
        }
        if form.kinds.values().any(|kind| *kind == EventKind::Merged) && form.merged_into.is_none() {
            self.problems.push(
                Problem::error("WH023", pointer(self.at, "kinds"), "`merged` needs `merged_into`")
                    .with_hint("add the template of the id that the record lives on under"),
            );
        }
        if form.kinds.values().any(|kind| *kind == EventKind::Renamed) && form.renamed_from.is_none() {
            self.problems.push(
                Problem::error("WH023", pointer(self.at, "kinds"), "`renamed` needs `renamed_from`")
                    .with_hint("add the template of the id that the record had before"),
            );
        }
    }

    fn settle(&mut self, form: &WebhooksForm) {
        if form.settle.is_some_and(|settle| settle > SETTLE_MAX) {
            let message = "records are left alone after an event for 10m at most";
            self.problems.push(
                Problem::error("WH025", pointer(self.at, "settle"), message)
                    .with_hint("a few seconds are enough for a sender to commit; what comes later is for `poll:`"),
            );
        }
    }

    /// Codes that would lose events or tell a stranger that a forged request was taken.
    fn answer(&mut self, form: &AnswerForm) {
        let at = pointer(self.at, "answer");
        for (key, status, allowed, expected) in [
            ("accepted", form.accepted, 200..=299, "between 200 and 299"),
            ("duplicate", form.duplicate, 200..=299, "between 200 and 299"),
            ("rejected", form.rejected, 400..=499, "between 400 and 499"),
            ("malformed", form.malformed, 200..=599, "between 200 and 599"),
            ("busy", form.busy, 400..=599, "between 400 and 599"),
        ] {
            if !allowed.contains(&status) {
                let message = format!("{status} is not {expected}");
                self.problems.error("WH024", pointer(&at, key), message);
            }
        }
        let is_type = |text: &String| {
            text.split_once('/')
                .is_some_and(|(kind, rest)| is_token(kind) && !rest.is_empty())
                && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        };
        if form.content_type.as_ref().is_some_and(|text| !is_type(text)) {
            self.problems.push(
                Problem::error("WH026", pointer(&at, "content_type"), "this is no media type")
                    .with_hint("as in `text/xml; charset=utf-8`"),
            );
        }
        if form.content_type.is_some() && form.body.is_none() {
            self.problems.push(
                Problem::error(
                    "WH026",
                    pointer(&at, "content_type"),
                    "`content_type` says what `body` is, and there is none",
                )
                .with_hint("add `body`, or leave `content_type` out"),
            );
        }
    }

    fn body(&mut self, form: &WebhooksForm) -> BodyFormat {
        let at = pointer(self.at, "xml");
        for prefix in form.xml.wrong_prefixes() {
            let place = pointer(&pointer(&at, "namespaces"), prefix);
            let message = format!("`{prefix}` stands for no namespace");
            self.problems
                .push(Problem::error("WH027", place, message).with_hint(PREFIX_HINT));
        }
        match form.format {
            BodyForm::Xml => BodyFormat::Xml(Namespaces(form.xml.namespaces.clone())),
            BodyForm::Json => {
                if !form.xml.is_plain() {
                    self.problems.push(
                        Problem::error("WH027", at, "`xml` says what XML looks like, and bodies are JSON")
                            .with_hint("write `format: xml` beside it"),
                    );
                }
                BodyFormat::Json
            }
        }
    }
}
