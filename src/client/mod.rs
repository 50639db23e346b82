//! The client: the only room that sends requests to other systems, and statements to databases that are systems.
//!
//! [`System`] is one configured system. Everything it sends goes through one budget (how many at once, how fast, whether
//! at all), one way of signing in and one address guard. A write is repeated only where that can do no harm; where nobody
//! knows whether it went through, it says so.
//!
//! What is told to people and programs (notices) goes out here too: [`Poster`] sends to a webhook, [`Mailer`] by e-mail.

mod auth;
mod batch;
mod budget;
mod config;
mod deadline;
mod discover;
mod document;
mod exchange;
pub mod flight;
pub mod guard;
pub mod identity;
mod lister;
mod look;
mod mail;
mod meter;
mod part;
mod post;
mod probe;
mod redact;
mod script;
mod since;
mod sql;
mod subscription;
mod system;
mod tape;
mod transport;
mod verdict;
mod write;

pub use auth::{Kept, LoggedOut, Login, NoTokens, Pending, Saved, Standing, StandingState, Token, TokenStore, Turn};
pub use batch::BatchItem;
pub use budget::{Grant, OwnQuota, QuotaError, QuotaStore, Road, Usage};
pub use config::{Config, ConfigError};
pub use deadline::within;
pub use discover::Found;
pub use document::{DocumentError, document};
pub use lister::{Lister, Listing, Page};
pub use look::{Recording, Sample, Wanted};
pub use mail::{Letter, MailError, Mailer};
pub use meter::Meter;
pub use post::{PostError, Poster, Took};
pub use probe::{Seen, Sight, Trouble, TroubleKind};
pub use script::{Script, Scripted};
pub use sql::{Deaf, Hearing, Remark};
pub use subscription::{Callback, Registered};
pub use system::System;
pub use tape::{Exchanged, Text};
pub use write::{Outcome, WriteFault, Written};
