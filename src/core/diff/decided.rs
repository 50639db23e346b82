//! What a person's decision about a field in conflict comes to.

use super::{Context, Judged, Reason, Verdict, hash};
use crate::core::{
    mapping::convert::Refusal,
    settled::{Choice, Settlement},
    status::{Side, Sides},
};

/// What comes of a decision.
pub(super) enum Decided {
    /// This side's value is taken.
    Winner(Side),
    /// This is done.
    Verdict(Verdict, Reason),
}

/// What a decision says of these values; nothing where they are others than the person saw, or where it asks for a write that
/// the field does not allow.
pub(super) fn decided(
    context: Context<'_>,
    judged: Judged<'_>,
    settlement: &Settlement,
) -> Result<Option<Decided>, Refusal> {
    let is_seen = |side: Side| {
        let now = judged.hashes.get(side);
        settlement.seen.is_none_or(|seen| seen.get(side) == now)
    };
    let is_all_seen = is_seen(Side::Left) && is_seen(Side::Right);
    Ok(match &settlement.choice {
        Choice::Take(side) => {
            let may_be = is_all_seen && judged.field.flow.reaches(side.other());
            may_be.then_some(Decided::Winner(*side))
        }
        Choice::Accept => is_all_seen.then_some(Decided::Verdict(Verdict::Kept, Reason::Accepted)),
        Choice::Set(text) => set(context, judged, text, Sides::of(is_seen))?,
    })
}

/// What setting a value comes to. A side that was written before the work broke off has it already.
fn set(context: Context<'_>, judged: Judged<'_>, text: &str, is_seen: Sides<bool>) -> Result<Option<Decided>, Refusal> {
    let Judged {
        field, values, hashes, ..
    } = judged;
    let forms = field.set(context.mapping, text, values)?;
    let is_set = Sides::of(|side| hash(context.key, field, side, Some(forms.get(side))) == *hashes.get(side));
    let is_possible = [Side::Left, Side::Right].into_iter().all(|side| {
        let is_set = *is_set.get(side);
        is_set || (*is_seen.get(side) && field.flow.reaches(side))
    });
    if !is_possible {
        return Ok(None);
    }
    let (verdict, reason) = match (is_set.left, is_set.right) {
        (true, true) => (Verdict::Equal, Reason::Equal),
        (true, false) => {
            let (to, value) = (Side::Right, forms.right);
            (Verdict::Write { to, value }, Reason::DecidedValue)
        }
        (false, true) => {
            let (to, value) = (Side::Left, forms.left);
            (Verdict::Write { to, value }, Reason::DecidedValue)
        }
        (false, false) => (Verdict::WriteBoth(forms), Reason::DecidedValue),
    };
    Ok(Some(Decided::Verdict(verdict, reason)))
}
