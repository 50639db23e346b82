//! The budget towards one system.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::period::{Period, Rate, Share};

/// The budget towards one system.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsForm {
    /// Requests in flight at once (default 4).
    #[serde(default)]
    pub concurrency: Option<u32>,
    /// The sustained rate (default: no limit).
    #[serde(default)]
    pub rate: Option<Rate>,
    /// How many may go at once after a rest (default: the rate's count).
    #[serde(default)]
    pub burst: Option<u32>,
    /// Requests in 24 hours (default: no limit).
    #[serde(default)]
    pub daily: Option<u64>,
    /// The part of the daily quota that only live events may use (default 10%).
    #[serde(default)]
    pub reserve: Option<Share>,
    /// How long one request may take (default 30s).
    #[serde(default)]
    pub timeout: Option<Period>,
    /// How long a connection may take to stand (default 10s).
    #[serde(default)]
    pub connect_timeout: Option<Period>,
    /// How long an answer may stand still (default 15s).
    #[serde(default)]
    pub idle_timeout: Option<Period>,
    /// The largest answer, in decoded bytes (default 32 MiB).
    #[serde(default)]
    pub body_bytes_max: Option<u64>,
    /// The most pages of one listing (default 100000).
    #[serde(default)]
    pub pages_max: Option<u32>,
    /// From when on a query of a database is logged with its plan (default 1s).
    #[serde(default)]
    pub slow_query: Option<Period>,
}
