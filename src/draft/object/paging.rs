//! How a listing goes on, from its parameters and what its answer says.

use serde_json::{Map, Value as Json};

use super::{Call, Parameter};
use crate::{
    core::connector::form::{PageForm, SendForm},
    draft::{
        guess::{self, List},
        listing::Hints,
        name::folded,
        schema::Schemas,
    },
};

/// Records a page where the description says nothing, and the most that a draft asks for.
const SIZE_DEFAULT: u64 = 100;
const SIZE_MAX: u64 = 500;

/// What came of it.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) page: Option<PageForm>,
    pub(super) query: Map<String, Json>,
    /// The default of the setting `page_size`, where pages have a size.
    pub(super) size: Option<u64>,
    /// What is not certain.
    pub(super) open: Vec<String>,
}

/// Decides it. Addresses and cursors of the answer are believed before places and numbers, which shift while records change.
pub(super) fn plan<'a>(schemas: &Schemas<'a>, call: &Call<'a>, hints: &Hints, id: &str) -> Plan {
    let named = |list: List| {
        let names = call.query().map(|parameter| parameter.name.as_str());
        let name = guess::best(list, names)?;
        call.query().find(|parameter| parameter.name == name)
    };
    let mut plan = Plan::default();
    let size = named(List::Size);
    if let Some(parameter) = size {
        let look = schemas.look(parameter.schema);
        let most = look
            .maximum
            .and_then(|most| u64::try_from(most).ok())
            .filter(|most| *most > 0);
        plan.size = Some(most.unwrap_or(SIZE_DEFAULT).min(SIZE_MAX));
        plan.query.insert(parameter.name.clone(), "{{ page.size }}".into());
    }
    let mut page = way(schemas, call, hints, id, &named, &mut plan);
    if let Some(page) = &mut page {
        page.size = plan.size.map(|_| "{{ settings.page_size }}".into());
        page.total.clone_from(&hints.total);
        page.more.clone_from(&hints.more);
        let is_trusted_alone =
            page.total.is_none() && page.more.is_none() && (page.cursor.is_some() || page.next_url.is_some());
        if is_trusted_alone {
            plan.open.push("nothing in the answer says how many records there are or whether more follow (`total:`, `more:`): a wrong path of the next page would read the first one only".to_owned());
        }
    } else {
        // A page of a size that nothing leads on from would be all that is read.
        if let Some(parameter) = size {
            plan.query.remove(&parameter.name);
        }
        plan.size = None;
        plan.open
            .push("how the next page is reached is not known (`page:`): only the first page is read".to_owned());
    }
    plan.page = page;
    plan
}

fn way<'c, 'a: 'c>(
    schemas: &Schemas<'a>,
    call: &'c Call<'a>,
    hints: &Hints,
    id: &str,
    named: &dyn Fn(List) -> Option<&'c Parameter<'a>>,
    plan: &mut Plan,
) -> Option<PageForm> {
    let send = |parameter: &Parameter<'_>| SendForm {
        query: Some(parameter.name.clone()),
        header: None,
    };
    let cursor = named(List::Cursor);
    if let Some(next) = &hints.next_url {
        return Some(PageForm {
            next_url: Some(next.clone()),
            ..PageForm::default()
        });
    }
    if let (Some(parameter), Some(path)) = (cursor, hints.cursor.as_ref().or(hints.next.as_ref())) {
        return Some(PageForm {
            cursor: Some(path.clone()),
            send: send(parameter),
            ..PageForm::default()
        });
    }
    if let Some(next) = &hints.next {
        plan.open.push(format!(
            "`{next}` is taken for the address of the next page: is it one?"
        ));
        return Some(PageForm {
            next_url: Some(next.clone()),
            ..PageForm::default()
        });
    }
    if call.answer_headers.iter().any(|name| folded(name) == "link") {
        return Some(PageForm {
            link_header: Some("next".to_owned()),
            ..PageForm::default()
        });
    }
    if let Some(parameter) = named(List::LastId) {
        let last = format!("{{{{ page.last.{id} if page.last else none }}}}");
        plan.query.insert(parameter.name.clone(), last.into());
        return Some(PageForm {
            keyset: Some(id.to_owned()),
            ..PageForm::default()
        });
    }
    if let Some(parameter) = named(List::Number).filter(|parameter| is_number(schemas, parameter)) {
        return Some(PageForm {
            number: Some(first(schemas, parameter, 1)),
            send: send(parameter),
            ..PageForm::default()
        });
    }
    if let Some(parameter) = named(List::Offset).filter(|parameter| is_number(schemas, parameter)) {
        return Some(PageForm {
            offset: Some(first(schemas, parameter, 0)),
            send: send(parameter),
            ..PageForm::default()
        });
    }
    let parameter = cursor?;
    plan.open.push(format!(
        "`{}` leads on, and where the answer has its next value is not described: write `page: {{ cursor: path, send: {{ query: {} }} }}`",
        parameter.name, parameter.name
    ));
    None
}

fn is_number(schemas: &Schemas<'_>, parameter: &Parameter<'_>) -> bool {
    !matches!(
        schemas.look(parameter.schema).kind,
        Some("boolean" | "array" | "object")
    )
}

/// Where counting begins: at the default or the smallest value that the description has.
fn first(schemas: &Schemas<'_>, parameter: &Parameter<'_>, usual: u64) -> u64 {
    let look = schemas.look(parameter.schema);
    let said = look.default.and_then(Json::as_i64).or(look.minimum);
    said.and_then(|first| u64::try_from(first).ok())
        .filter(|first| *first <= 1)
        .unwrap_or(usual)
}
