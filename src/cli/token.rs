//! `syncline token`: who may use the API.

use chrono::{DateTime, Utc};
use clap::Subcommand;
use secrecy::ExposeSecret;
use serde::Serialize;

use super::{
    Exit,
    context::{Context, block_on},
    error::{Error, Result},
    list::{decide, look, maybe_time, reach, time},
    output::print,
};
use crate::{
    core::{
        period::Period,
        status::Role,
        tenant::{Reach, Tenant},
    },
    server::auth,
    store::{Op, api_token::ApiToken, audit::NewAudit},
};

/// Tokens of the API.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline token create grafana --role viewer
  syncline token create ops --role admin --expires 90d
  syncline token create acme-bi --tenant acme      sees what belongs to this tenant, and nothing else
  syncline token list
  syncline token revoke 3")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a token; it is printed once and kept by nobody
    Create {
        /// Who or what it is for, as the audit shows it
        name: String,
        /// What it may do: viewer looks, analyst also sees personal data, operator starts runs and decides, admin reprocesses and edits links
        #[arg(long, default_value = "viewer")]
        role: Role,
        /// A tenant that it is limited to; may be given several times. Without it the token sees the whole house
        #[arg(long = "tenant", value_name = "TENANT")]
        tenants: Vec<Tenant>,
        /// When it ends, from now on (90d)
        #[arg(long, value_name = "PERIOD")]
        expires: Option<Period>,
    },
    /// All tokens, without what their bearers send
    List,
    /// Take a token back at once
    Revoke {
        /// The id that `list` shows
        id: i64,
    },
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    block_on(async {
        match &args.action {
            Action::Create {
                name,
                role,
                tenants,
                expires,
            } => create(context, name, (*role, tenants), *expires).await,
            Action::List => list(context).await,
            Action::Revoke { id } => revoke(context, *id).await,
        }
    })
}

async fn create(context: &Context, name: &str, (role, tenants): (Role, &[Tenant]), expires: Option<Period>) -> Result {
    let (store, settings) = decide(context).await?;
    let reach = reach(&settings, tenants)?;
    let expires_at = expires.map(|period| context.clock.now() + period.duration());
    let told = |id| vec![audit(context, "token.create", id)];
    let issued = auth::issue_within(&store, name, (role, &reach), expires_at, told).await?;
    let token = issued.token.expose_secret();
    if context.output.is_json() {
        let view = serde_json::json!({
            "api_token_id": issued.api_token_id, "name": name, "role": role, "tenants": reach,
            "expires_at": expires_at, "token": token,
        });
        context.output.json(&view)?;
    } else {
        print(token)?;
    }
    context.output.talk(format!(
        "token {} with the role {role}: keep it now, it is not shown again",
        issued.api_token_id
    ));
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct View {
    api_token_id: i64,
    name: String,
    role: Role,
    tenants: Reach,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
}

impl From<ApiToken> for View {
    fn from(token: ApiToken) -> Self {
        Self {
            api_token_id: token.api_token_id,
            name: token.name,
            role: token.role,
            tenants: token.reach,
            created_at: token.created_at,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
            revoked_at: token.revoked_at,
        }
    }
}

async fn list(context: &Context) -> Result {
    let tokens = look(context).await?.api_tokens().await?;
    let views: Vec<View> = tokens.into_iter().map(View::from).collect();
    let head = [
        "id",
        "name",
        "role",
        "tenants",
        "created",
        "expires",
        "last used",
        "revoked",
    ];
    context.output.rows(&head, &views, |token| {
        vec![
            token.api_token_id.to_string(),
            token.name.clone(),
            token.role.to_string(),
            token.tenants.text().unwrap_or_else(|| "all".to_owned()),
            time(token.created_at),
            maybe_time(token.expires_at),
            maybe_time(token.last_used_at),
            maybe_time(token.revoked_at),
        ]
    })?;
    Ok(Exit::Done)
}

async fn revoke(context: &Context, id: i64) -> Result {
    let (store, _) = decide(context).await?;
    let told = vec![audit(context, "token.revoke", id)];
    if !store.revoke_api_token(id, told).await? {
        return Err(Error::failed(format!("there is no living token {id}")).with_hint("syncline token list"));
    }
    context.output.talk(format!("token {id}: revoked"));
    Ok(Exit::Done)
}

fn audit(context: &Context, action: &str, id: i64) -> Op {
    Op::Audit(NewAudit {
        actor: context.actor(),
        action: action.to_owned(),
        subject: format!("token/{id}"),
        detail: None,
    })
}
