//! The address that paths are appended to.

use serde_json::Value as Json;
use url::Url;

use super::Language;
use crate::{
    core::connector::form::{SettingForm, SettingKind},
    draft::{Draft, name, one_line},
};

/// Sets `base_url` and the settings that it needs. The host is always a setting: an installation of one's own, a sandbox and the
/// real system differ in it.
pub(super) fn put(draft: &mut Draft, root: &Json, language: Language, address: Option<&str>) {
    let server = match language {
        Language::OpenApi => server(draft, root),
        Language::Swagger => Some(swagger(root)),
    };
    let server = server.unwrap_or_default();
    let from = address.and_then(|address| Url::parse(address).ok());
    let (origin, path) = split(&server, from.as_ref());
    set(draft, origin.as_deref(), &path);
    if origin.is_none() {
        draft.check(
            "/settings",
            "the description names no host: `base_url` of the system says where it is",
        );
    }
}

/// `base_url` of this origin, where it is known, and this path.
pub(in crate::draft) fn set(draft: &mut Draft, origin: Option<&str>, path: &str) {
    let setting = SettingForm {
        kind: SettingKind::Url,
        default: origin.map(Into::into),
        title: Some("Where the system answers".to_owned()),
    };
    draft.form.settings.insert("base_url".to_owned(), setting);
    draft.form.base_url = format!("{{{{ settings.base_url }}}}{}", path.trim_end_matches('/'));
}

/// The first server, with the variables of its path as settings and those of its host filled in.
fn server(draft: &mut Draft, root: &Json) -> Option<String> {
    let servers = root.get("servers")?.as_array()?;
    let server = servers.first()?;
    if servers.len() > 1 {
        let others: Vec<String> = servers
            .iter()
            .skip(1)
            .take(5)
            .filter_map(|other| other.get("url")?.as_str().map(one_line))
            .collect();
        draft.remark(
            "/settings/base_url",
            format!("the description also names {}", others.join(", ")),
        );
    }
    let url = server.get("url")?.as_str()?;
    let mut text = String::new();
    let mut rest = url;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(&bare(before));
        let (variable, behind) = after.split_once('}')?;
        let default = server
            .pointer(&format!(
                "/variables/{}/default",
                variable.replace('~', "~0").replace('/', "~1")
            ))
            .and_then(Json::as_str)
            .filter(|default| !default.is_empty());
        let is_in_host = !text
            .trim_start_matches("https://")
            .trim_start_matches("http://")
            .contains('/');
        if is_in_host {
            draft.check(
                "/settings",
                format!("`{variable}` is a part of the host: write the whole address of your system in `base_url`"),
            );
            text.push_str(default?);
        } else {
            let word = name::word(variable);
            let setting = SettingForm {
                kind: SettingKind::Text,
                default: default.map(Into::into),
                title: Some(one_line(variable)),
            };
            draft.form.settings.insert(word.clone(), setting);
            text.push_str("{{ settings.");
            text.push_str(&word);
            text.push_str(" }}");
        }
        rest = behind;
    }
    text.push_str(&bare(rest));
    Some(text)
}

/// A part of an address between its variables: braces of somebody else are no expressions of ours.
fn bare(text: &str) -> String {
    text.replace(['{', '}'], "")
}

fn swagger(root: &Json) -> String {
    let text = |key: &str| root.get(key).and_then(Json::as_str);
    let path = text("basePath").unwrap_or_default();
    let Some(host) = text("host") else {
        return path.to_owned();
    };
    let schemes = root.get("schemes").and_then(Json::as_array);
    let is_http = schemes
        .is_some_and(|schemes| !schemes.is_empty() && schemes.iter().all(|scheme| scheme.as_str() == Some("http")));
    let scheme = if is_http { "http" } else { "https" };
    format!("{scheme}://{host}{path}")
}

/// Origin and path of an address that may be relative to where the description was read.
fn split(server: &str, from: Option<&Url>) -> (Option<String>, String) {
    let plain = |url: &Url| url.username().is_empty() && url.password().is_none() && url.has_host();
    let origin_of = |url: &Url| matches!(url.scheme(), "http" | "https").then(|| url.origin().ascii_serialization());
    let is_absolute = server.starts_with("http://") || server.starts_with("https://");
    if is_absolute {
        let (head, path) = match server.splitn(4, '/').collect::<Vec<_>>().as_slice() {
            [scheme, empty, host, path] => (format!("{scheme}/{empty}/{host}"), format!("/{path}")),
            _ => (server.trim_end_matches('/').to_owned(), String::new()),
        };
        let origin = Url::parse(&head).ok().filter(plain).and_then(|url| origin_of(&url));
        return (origin, clean(&path));
    }
    let path = if server.starts_with('/') {
        server.to_owned()
    } else {
        format!("/{server}")
    };
    (
        from.filter(|url| plain(url)).and_then(origin_of),
        clean(path.trim_end_matches('/')),
    )
}

/// A path without what cannot stand in `base_url`.
fn clean(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    if path == "/" {
        String::new()
    } else {
        path.trim_end_matches('/').to_owned()
    }
}
