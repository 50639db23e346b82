//! The address of requests: one for all streams of a connector.

use serde_json::Value as Json;
use url::Url;

use super::{Import, text::Spot};
use crate::draft::openapi;

impl Import<'_> {
    /// The path of a requester behind the connector's one address; the error says why there is none.
    pub(super) fn path(&mut self, requester: &Json) -> Result<String, String> {
        let text = |key: &str| {
            requester
                .get(key)
                .and_then(Json::as_str)
                .filter(|text| !text.is_empty())
        };
        let (base, path) = match (text("url_base"), text("url"), text("path")) {
            (Some(base), _, path) => (base.to_owned(), path.unwrap_or_default().to_owned()),
            (None, Some(url), path) => {
                let (base, own) = cut(url);
                (
                    base,
                    path.map_or(own.clone(), |path| {
                        format!("{}/{}", own.trim_end_matches('/'), path.trim_start_matches('/'))
                    }),
                )
            }
            (None, None, _) => return Err("its requests have no address".to_owned()),
        };
        let base = base.trim_end_matches('/').to_owned();
        match &self.base {
            None => self.set_base(&base)?,
            Some(known) if *known == base => {}
            Some(known) => match base.strip_prefix(known.as_str()) {
                // A version or area of the same address.
                Some(more) if more.starts_with('/') => {
                    return self.plain_path(&format!("{more}/{}", path.trim_start_matches('/')));
                }
                _ => {
                    return Err(format!(
                        "it is at another address ({base}) than the others: it needs a connector of its own"
                    ));
                }
            },
        }
        self.plain_path(&path)
    }

    fn plain_path(&mut self, path: &str) -> Result<String, String> {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let path = self
            .translate(path, Spot::Request)
            .map_err(|expression| format!("its path has `{expression}`"))?;
        Ok(if path.starts_with('/') {
            path
        } else {
            format!("/{path}")
        })
    }

    fn set_base(&mut self, base: &str) -> Result<(), String> {
        self.base = Some(base.to_owned());
        if base.contains("{{") {
            let translated = self
                .translate(base, Spot::Request)
                .map_err(|expression| format!("the address has `{expression}`"))?;
            let is_absolute =
                translated.starts_with("http://") || translated.starts_with("https://") || translated.starts_with("{{");
            self.draft.form.base_url = if is_absolute {
                translated
            } else {
                format!("https://{translated}")
            };
            return Ok(());
        }
        let (origin, path) = cut(base);
        let known = Url::parse(&origin)
            .ok()
            .filter(|url| url.has_host() && url.username().is_empty());
        let known = known.map(|url| url.origin().ascii_serialization());
        openapi::set_base(&mut self.draft, known.as_deref(), &path);
        Ok(())
    }
}

/// An address in two: up to its host, and its path.
fn cut(url: &str) -> (String, String) {
    match url.splitn(4, '/').collect::<Vec<_>>().as_slice() {
        [scheme, empty, host, path] => (format!("{scheme}/{empty}/{host}"), format!("/{path}")),
        _ => (url.to_owned(), String::new()),
    }
}
