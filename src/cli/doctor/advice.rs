//! What to do about each kind of trouble that a look at a system can meet.

use crate::{
    client::{System, Trouble, TroubleKind},
    settings,
};

/// The next step, with the names that stand in the settings.
pub(in crate::cli) fn next(system: &System, given: &settings::System, object: &str, trouble: &Trouble) -> String {
    let name = system.name();
    let address = system.origin();
    let hint = trouble.fault.hint.as_deref().unwrap_or_default();
    let is_database = system.connector().database.is_some();
    match (trouble.kind, trouble.fault.code) {
        (TroubleKind::Forbidden, _) if is_database => format!(
            "if {address} is meant, add its network to `allow_networks` of [systems.{name}]; if not, correct the credential `url`"
        ),
        (TroubleKind::Unreachable | TroubleKind::Broken, _) if is_database => format!(
            "is {address} the right database (the credential `url` of [systems.{name}])? If so, look whether it runs and this \
             machine reaches it; if a query takes long, look at its plan in the log and raise `timeout` in `limits`"
        ),
        (TroubleKind::Denied, _) if is_database => format!(
            "let the database user of {name} read what stands behind `{object}`: `grant select on …`"
        ),
        (TroubleKind::Forbidden, _) => format!(
            "if this address is meant, add its network to `allow_networks` of [systems.{name}]; if not, correct `base_url` or `token_url`"
        ),
        (TroubleKind::Unreachable, "AU008") => {
            "check `token_url`, then whether the sign-in server runs and this machine reaches it; the credentials were not \
             looked at"
                .to_owned()
        }
        (TroubleKind::Unreachable, "RQ009") => hint.to_owned(),
        (TroubleKind::Unreachable, _) => format!(
            "is {address} the right address (`settings` of [systems.{name}])? If so, look whether the system runs and this \
             machine reaches it: `curl -sSI {address}`"
        ),
        (TroubleKind::Broken, _) => format!(
            "try `curl -sS {address}` from this machine and look at proxies and firewalls in between; if the system is slow \
             by nature, raise `timeout` in `limits` of [systems.{name}]"
        ),
        (TroubleKind::Busy, _) => busy(name, trouble, hint),
        (TroubleKind::SignIn, _) => sign_in(name, given, trouble, hint),
        (TroubleKind::Denied, _) => format!(
            "let the integration user of {name} read `{object}`: give it the right, role or scope in the system, then call \
             `syncline doctor {name}` again"
        ),
        (TroubleKind::WrongAddress, _) => format!(
            "something else answers at {address}: a login page, a proxy, or another path; correct the address in `settings` \
             of [systems.{name}], or the paths in connectors/{}.yaml",
            given.connector
        ),
        // What is corrected is no record: nothing was written.
        (TroubleKind::Mismatch, "RQ026") => format!(
            "the system refuses the request as it is described: correct `list:` of `{object}` in connectors/{}.yaml (path, query, \
             headers)",
            given.connector
        ),
        (TroubleKind::Mismatch, _) => {
            let step = format!("correct `{object}` in connectors/{}.yaml", given.connector);
            if hint.is_empty() { step } else { format!("{step}: {hint}") }
        }
    }
}

fn busy(name: &str, trouble: &Trouble, hint: &str) -> String {
    let wait = match trouble.fault.retry_after {
        Some(wait) => format!("try again in {} s", wait.as_secs().max(1)),
        None => "try again in a minute".to_owned(),
    };
    match trouble.fault.code {
        "RQ011" | "RQ012" | "RQ020" => format!(
            "{wait}; if it happens often, lower `rate` or `concurrency` in `limits` of [systems.{name}], or ask the vendor for \
             more"
        ),
        _ => format!(
            "{wait}; if it stays so, ask whoever runs the system{}",
            if hint.is_empty() {
                ""
            } else {
                ": work goes on by itself when it is well again"
            }
        ),
    }
}

fn sign_in(name: &str, given: &settings::System, trouble: &Trouble, hint: &str) -> String {
    let whom = given
        .secret_owner
        .as_deref()
        .map_or_else(String::new, |owner| format!("; {owner} answers for them"));
    match trouble.fault.code {
        // These name what is missing or refused.
        "AU003" | "AU004" | "AU005" | "AU009" | "AU010" | "AU011" if !hint.is_empty() => {
            format!("{hint} (they stand in `credentials` of [systems.{name}]{whom})")
        }
        _ => {
            format!("replace the credentials of [systems.{name}] in the settings: the system does not take them{whom}")
        }
    }
}
