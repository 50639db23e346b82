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
    /// The answer says something else than it should, in the histories where that happens at all.
    pub garbled: u64,
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
        garbled: 4,
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
        garbled: 12,
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

/// What becomes of an answer on its way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Garbled {
    /// It breaks off in its middle, and HTTP is fine.
    Cut,
    /// It shows another record than the one that was asked for.
    Foreign,
}

impl Garbled {
    /// The chance of it, in the histories where answers are garbled at all: every tenth of those that a night plays, behind the ones
    /// of a commit. It is not the history's own, so that the others are as they would be without it.
    pub fn chance(seed: u64) -> Option<Chance> {
        (seed >= 2_000 && seed % 10 == 4).then(|| Chance::new(seed ^ 0x6172_626c_6564))
    }

    pub fn draw(weather: Weather, chance: &mut Chance) -> Option<Self> {
        if !chance.percent(weather.garbled) {
            return None;
        }
        Some(if chance.percent(50) { Self::Cut } else { Self::Foreign })
    }
}
