//! Who the caller is, for those who hold a token and wonder.

use axum::{Extension, Json};
use serde::Serialize;

use crate::{
    core::{
        status::Role,
        tenant::{Reach, Tenant},
    },
    server::auth::Caller,
};

/// The caller.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Caller")]
pub struct View {
    /// The token's name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The tenants that it is limited to; null: it sees the whole house.
    #[schemars(with = "Option<Vec<Tenant>>")]
    pub tenants: Reach,
}

/// `GET /me`
pub(in crate::server) async fn get(Extension(caller): Extension<Caller>) -> Json<View> {
    Json(View {
        name: caller.name.to_string(),
        role: caller.role,
        tenants: (*caller.reach).clone(),
    })
}
