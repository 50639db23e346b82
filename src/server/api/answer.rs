//! What routes answer with, read from the types of their handlers: the description cannot say anything else.

use std::future::Future;

use axum::{
    Json,
    http::{HeaderName, StatusCode},
    response::Response,
};
use schemars::{JsonSchema, SchemaGenerator};

use super::Described;

/// What is answered when all is well.
pub trait Answer {
    /// The schema of its body; none where it has no body, or one that is no JSON of ours.
    const BODY: Option<Described>;
}

impl<T: JsonSchema> Answer for Json<T> {
    const BODY: Option<Described> = Some(SchemaGenerator::subschema_for::<T>);
}

impl<T: JsonSchema> Answer for (StatusCode, Json<T>) {
    const BODY: Option<Described> = Json::<T>::BODY;
}

impl<T: JsonSchema> Answer for (StatusCode, [(HeaderName, String); 1], Json<T>) {
    const BODY: Option<Described> = Json::<T>::BODY;
}

impl Answer for StatusCode {
    const BODY: Option<Described> = None;
}

impl Answer for Response {
    const BODY: Option<Described> = None;
}

impl<T: Answer, E> Answer for Result<T, E> {
    const BODY: Option<Described> = T::BODY;
}

/// A handler, which takes `Taken` and answers with something that is described.
pub trait Answering<Taken> {
    /// The schema of the body of its answer.
    const BODY: Option<Described>;
}

macro_rules! answering {
    ($($taken:ident),*) => {
        impl<F, Work, $($taken),*> Answering<($($taken,)*)> for F
        where
            F: Fn($($taken),*) -> Work,
            Work: Future,
            Work::Output: Answer,
        {
            const BODY: Option<Described> = <Work::Output as Answer>::BODY;
        }
    };
}

answering!();
answering!(A);
answering!(A, B);
answering!(A, B, C);
answering!(A, B, C, D);
answering!(A, B, C, D, E);
answering!(A, B, C, D, E, G);
answering!(A, B, C, D, E, G, H);
