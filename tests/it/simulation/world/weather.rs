//! How bad the network and the systems are, and what that does to a request.

use syncline::seam::Request;

use super::ERP;
use crate::support::rig::Chance;

/// How bad the network and the systems are, in percent of the requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Weather {
    /// No connection.
    pub refused: u64,
    /// The connection breaks before the system got the request.
    pub lost: u64,
    /// The connection breaks after the system did what was asked.
    pub unanswered: u64,
    /// The system does what was asked after the caller has given up.
    pub late: u64,
    /// The system asks for a rest.
    pub throttled: u64,
    /// The system fails before it does anything.
    pub failing: u64,
    /// The system does what was asked and says that it failed.
    pub confused: u64,
}

impl Weather {
    /// Everything goes wrong at times.
    pub const RAIN: Self = Self {
        refused: 3,
        lost: 3,
        unanswered: 6,
        late: 2,
        throttled: 2,
        failing: 3,
        confused: 2,
    };
    /// Most of the writes are in doubt.
    pub const STORM: Self = Self {
        refused: 8,
        lost: 8,
        unanswered: 25,
        late: 6,
        throttled: 3,
        failing: 6,
        confused: 6,
    };
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Good,
    Refused,
    Lost,
    Unanswered,
    Late,
    Throttled,
    Failing,
    Confused,
}

impl Fate {
    pub fn draw(weather: Weather, chance: &mut Chance, request: &Request) -> Self {
        let mut drawn = chance.below(100);
        // An update that arrives after a newer one wins over it at a system that checks no versions: nothing that a caller
        // does can prevent that.
        let is_unchecked = request.url.starts_with(ERP) && request.method == "PATCH";
        let late = if is_unchecked { 0 } else { weather.late };
        for (share, fate) in [
            (weather.refused, Self::Refused),
            (weather.lost, Self::Lost),
            (weather.unanswered, Self::Unanswered),
            (late, Self::Late),
            (weather.throttled, Self::Throttled),
            (weather.failing, Self::Failing),
            (weather.confused, Self::Confused),
        ] {
            if drawn < share {
                return fate;
            }
            drawn -= share;
        }
        Self::Good
    }
}
