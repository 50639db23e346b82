//! Tokens that are renewed by a refresh token (RFC 6749, section 6), which many providers use up by that.
//!
//! One process renews at a time, whoever holds the turn; it looks into the store first, and what it got is stored before it
//! is used. A refresh token that is refused may have been used up by somebody else: the store is read again before that
//! is believed.

use std::{sync::Arc, time::Duration};

use super::{Authenticator, Renewed, Saved, State, Token, Turn, oauth2::Proof, refused};
use crate::{
    client::{
        budget::Road,
        exchange::{Exchange, Refused},
        write::Outcome,
    },
    core::{
        connector::{auth::OAuth2, form::Grant},
        fault::Fault,
        status::{FailureClass, Stage},
    },
};

/// How often it is looked whether another process is done.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long another process is waited for.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// How often the store is asked to take a renewed token before the caller is told.
const SAVES_MAX: u32 = 3;

impl Authenticator {
    /// Renews the token, alone of all processes.
    pub(super) async fn refresh(
        &self,
        exchange: &Exchange,
        oauth2: &OAuth2,
        state: &mut State,
        road: Road,
    ) -> Result<(Arc<Token>, Renewed), Refused> {
        let mut waited = Duration::ZERO;
        let turn = loop {
            match self.tokens.take_turn(&exchange.name).await {
                Turn::Ours(turn) => break turn,
                Turn::Theirs if waited < WAIT_MAX.min(road.patience()) => {}
                Turn::Theirs => return Err(unsettled(exchange, "another process is renewing the token")),
                Turn::Failed => return Err(unsettled(exchange, "our own database does not answer")),
            }
            tokio::time::sleep(LOOK_EVERY).await;
            waited += LOOK_EVERY;
            if let Some(token) = self.look(exchange, state).await {
                return Ok((state.adopt(token), Renewed::Found));
            }
        };
        let renewed = self.refresh_alone(exchange, oauth2, state, road).await;
        self.tokens.end_turn(&exchange.name, turn).await;
        renewed
    }

    async fn refresh_alone(
        &self,
        exchange: &Exchange,
        oauth2: &OAuth2,
        state: &mut State,
        road: Road,
    ) -> Result<(Arc<Token>, Renewed), Refused> {
        if let Some(token) = self.look(exchange, state).await {
            return Ok((state.adopt(token), Renewed::Found));
        }
        let before = state.shelved.clone().filter(|token| token.refresh.is_some());
        let given = self.credentials.get(REFRESH_TOKEN).cloned();
        let before = before.or_else(|| {
            given.map(|refresh| Token {
                refresh: Some(refresh),
                ..Token::default()
            })
        });
        let Some((before, refresh)) = before.and_then(|token| Some((token.clone(), token.refresh?))) else {
            return Err(ended(exchange, oauth2, without(state.shelved.as_ref())));
        };
        match Box::pin(self.granted(exchange, oauth2, Proof::Refresh(&refresh), road)).await {
            Ok(granted) => {
                let token = self.token_of(exchange, granted, Some(before));
                self.keep(exchange, state, token).await
            }
            Err(refused) if refused.fault.code == ENDED => self.used_up(exchange, state, refused).await,
            Err(refused) => Err(refused),
        }
    }

    /// A refresh token was refused: somebody else may have used it, and stored what came of it.
    async fn used_up(
        &self,
        exchange: &Exchange,
        state: &mut State,
        refused: Refused,
    ) -> Result<(Arc<Token>, Renewed), Refused> {
        match self.look(exchange, state).await {
            Some(token) => Ok((state.adopt(token), Renewed::Found)),
            None => Err(refused),
        }
    }

    /// Stores a renewed token, and only then takes it into use.
    pub(super) async fn keep(
        &self,
        exchange: &Exchange,
        state: &mut State,
        token: Token,
    ) -> Result<(Arc<Token>, Renewed), Refused> {
        for attempt in 1..=SAVES_MAX {
            match self.tokens.save(&exchange.name, &token, state.kept).await {
                Saved::As(version) => {
                    state.kept = Some(version);
                    state.shelved = Some(token.clone());
                    return Ok((state.adopt(token), Renewed::SignedIn));
                }
                Saved::Overtaken => {
                    // Only one that the provider gave later can stand there: ours comes of what it has seen before.
                    if let Some(theirs) = self.look(exchange, state).await {
                        return Ok((state.adopt(theirs), Renewed::Found));
                    }
                }
                Saved::Failed if attempt < SAVES_MAX => tokio::time::sleep(LOOK_EVERY).await,
                Saved::Failed => {}
            }
        }
        state.unsaved = Some(token);
        Err(unsettled(exchange, "our own database does not take the renewed token"))
    }
}

/// The credential that stands for a first sign-in.
pub(super) const REFRESH_TOKEN: &str = "refresh_token";
/// The code of a sign-in that a person has to make again.
const ENDED: &str = "AU010";

/// Nothing leads to a token but a person.
pub(super) fn ended(exchange: &Exchange, oauth2: &OAuth2, reason: &str) -> Refused {
    let message = format!("system `{}`: the sign-in has ended: {reason}", exchange.name);
    match oauth2.grant {
        Grant::RefreshToken => refused(
            ENDED,
            message,
            "get a new refresh token from the vendor and give it as the credential `refresh_token`",
        ),
        _ => refused(
            ENDED,
            message,
            &format!("sign in again: `syncline auth login {}`", exchange.name),
        ),
    }
}

const fn without(shelved: Option<&Token>) -> &'static str {
    match shelved {
        None => "nobody has signed in yet",
        Some(_) => "its token is used up, and no refresh token came with it",
    }
}

/// The token cannot be renewed now, and nothing is wrong with it.
fn unsettled(exchange: &Exchange, reason: &str) -> Refused {
    let message = format!("system `{}`: the token waits to be renewed: {reason}", exchange.name);
    let fault = Fault::new("AU009", FailureClass::Transient, Stage::Fetch, message)
        .with_hint("it is tried again by itself; if it stays so, look at the database (`syncline doctor`)");
    Refused {
        fault,
        outcome: Outcome::NotWritten,
    }
}
