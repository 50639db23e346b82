//! What the console answers when it does not do what was asked.

use std::borrow::Cow;

use askama::Template;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    detail,
    frame::{Frame, Page},
    language::Language,
};
use crate::server::error::{Problem, Result};

#[derive(Template)]
#[template(path = "refusal.html")]
struct Refusal<'a> {
    f: Frame,
    title: &'static str,
    next: &'static str,
    detail: Cow<'a, str>,
    status: u16,
}

/// A refusal as a page: what, why, and what to do next.
pub fn page(f: Frame, problem: &Problem) -> Response {
    let (title, next) = words(&f, problem.code());
    let status = problem.status();
    let told = match f.language {
        Language::English => None,
        Language::Portuguese => detail::portuguese(problem.detail()),
    };
    let refusal = Refusal {
        f,
        title,
        next,
        detail: told.map_or(Cow::Borrowed(problem.detail()), Cow::Owned),
        status: status.as_u16(),
    };
    let mut response = (status, Page(refusal)).into_response();
    if let Some(seconds) = problem.seconds() {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn words(f: &Frame, code: &str) -> (&'static str, &'static str) {
    let t = f.t;
    match code {
        "forbidden" => (t.refused_forbidden, t.refused_forbidden_next),
        "not_found" => (t.refused_not_found, t.refused_not_found_next),
        "conflict" => (t.refused_conflict, t.refused_conflict_next),
        "too_many_requests" => (t.refused_too_many, t.refused_too_many_next),
        "unavailable" | "upstream" | "internal" => (t.refused_failed, t.refused_failed_next),
        _ => (t.refused_invalid, t.refused_invalid_next),
    }
}

/// What is answered at an address of the console that leads nowhere.
pub async fn nowhere() -> Result<StatusCode> {
    Err(Problem::not_found("nothing is served at this path"))
}
