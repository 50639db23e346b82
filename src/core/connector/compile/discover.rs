//! Where a system says what its objects have.

use super::Compiler;
use crate::core::{
    connector::{
        discover::{Description, Discover, FieldList, Said},
        form::{ConnectorForm, DiscoverForm, RequestForm},
    },
    path::Path,
    problem::{nearest, pointer},
};

const PLACE: &str = "/discover";

impl Compiler<'_> {
    pub(super) fn discover(&mut self, form: &ConnectorForm) -> Option<Discover> {
        let discover = form.discover.as_ref()?;
        for name in discover.names.keys().filter(|name| !form.objects.contains_key(*name)) {
            let near = nearest(name, form.objects.keys().map(String::as_str));
            let hint = near.map(|near| format!("did you mean `{near}`?")).unwrap_or_default();
            let place = pointer(&pointer(PLACE, "names"), name);
            self.error("CN040", &place, &format!("there is no object `{name}`"), &hint);
        }
        let has_request = !discover.request().targets.is_empty();
        let given = [discover.openapi.is_some(), discover.odata.is_some(), has_request];
        if form.database.is_some() || given.into_iter().filter(|is_given| *is_given).count() != 1 {
            let hint =
                "give exactly one of `openapi:`, `odata:` and a request (`get:`, `post:`); a database describes itself";
            self.error(
                "CN040",
                PLACE,
                "it is not said where the system describes its objects",
                hint,
            );
            return None;
        }
        let whole = |path: &Option<String>| {
            path.as_ref().map(|path| RequestForm {
                get: Some(path.clone()),
                headers: discover.headers.clone(),
                query: discover.query.clone(),
                ..RequestForm::default()
            })
        };
        let names = &["settings", "object"];
        let (request, answer) = match (whole(&discover.openapi), whole(&discover.odata)) {
            (Some(get), _) => (self.request(&get.request(), PLACE, names), Description::OpenApi),
            (_, Some(get)) => (self.request(&get.request(), PLACE, names), Description::OData),
            _ => (
                self.request(&discover.request(), PLACE, names),
                Description::Fields(self.field_list(discover)),
            ),
        };
        let base_url = discover.base_url.as_ref();
        Some(Discover {
            request,
            answer,
            names: discover.names.clone(),
            base_url: base_url.map(|text| self.template(text, &pointer(PLACE, "base_url"), &["settings"])),
            besides: self.besides(discover),
        })
    }

    fn field_list(&mut self, form: &DiscoverForm) -> FieldList {
        let types = pointer(PLACE, "types");
        FieldList {
            fields: self.path_or_whole(form.fields.as_ref(), &pointer(PLACE, "fields")),
            name: self.said(form.name.as_ref(), "name"),
            kind: self.said(form.kind.as_ref(), "type"),
            read_only: self.said(form.read_only.as_ref(), "read_only"),
            kinds: form
                .types
                .iter()
                .map(|(word, kind)| (word.clone(), self.kind(kind, &pointer(&types, word))))
                .collect(),
        }
    }

    fn said(&mut self, text: Option<&String>, key: &str) -> Option<Said> {
        let place = pointer(PLACE, key);
        text.map(|text| {
            if text.contains("{{") {
                Said::Template(self.template(text, &place, &["field", "key"]))
            } else {
                Said::Path(self.path(text, &place))
            }
        })
    }

    fn besides(&mut self, form: &DiscoverForm) -> Vec<Path> {
        let place = pointer(PLACE, "besides");
        let one = |(index, text): (usize, &String)| self.path(text, &pointer(&place, index));
        form.besides.iter().enumerate().map(one).collect()
    }
}
