//! What a form says, in the forms that the functions of the API take.

use axum::extract::Query;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::form_urlencoded;

use crate::server::{
    error::{Problem, Result},
    extract::Body,
};

/// A body as the API reads it.
pub fn body<T: DeserializeOwned>(body: Value) -> Result<Body<T>> {
    let body = serde_json::from_value(body);
    body.map(Body).map_err(|error| Problem::invalid(error.to_string()))
}

/// A query as the API reads it; what is empty is not asked for.
pub fn asked<'a, T: DeserializeOwned>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<T> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs.into_iter().filter(|(_, value)| !value.is_empty()));
    let uri = format!("/?{}", query.finish()).parse();
    let uri = uri.map_err(|_| Problem::invalid("the address is too long"))?;
    match Query::<T>::try_from_uri(&uri) {
        Ok(Query(asked)) => Ok(asked),
        Err(rejection) => Err(Problem::invalid(rejection.body_text())),
    }
}
