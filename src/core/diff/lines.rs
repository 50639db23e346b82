//! Two lists of lines: whether they are the same, and what is told of them where they are not.

use super::{Context, Pair, target};
use crate::core::{
    mapping::{
        Convert, Field, Flow,
        lines::{Lines, Others},
    },
    status::Sides,
    value::Value,
};

/// Whether what is offered to the target is what it has.
pub(super) fn same(lines: &Lines, flow: Flow, offered: &Value, there: &Value) -> bool {
    let differing = lines.differing(target(flow), offered, there);
    // One way, what only the target has is no difference where it may stay.
    let may_stay = lines.others == Others::Keep && flow != Flow::Both && !offered.is_empty();
    differing.offered.is_empty() && (differing.there.is_empty() || may_stay)
}

/// What a report tells of both values: of two lists of lines, those that differ.
pub(super) fn told(
    context: Context<'_>,
    field: &Field,
    pair: &Pair<'_>,
    values: Sides<Option<Value>>,
) -> Sides<Option<Value>> {
    let Convert::Lines(lines) = &field.convert else {
        return values;
    };
    let target = target(field.flow);
    let source = target.other();
    let offered = field.offer(context.mapping, source, pair.sources.get(source), context.references);
    let (Ok(Some(offered)), Some(there)) = (offered, values.get(target)) else {
        return values;
    };
    let differing = lines.differing(target, &offered, there);
    Sides::of(|side| {
        let places = if side == target {
            &differing.there
        } else {
            &differing.offered
        };
        let lines = values.get(side).as_ref()?.as_list()?;
        let told = places.iter().filter_map(|place| lines.get(*place).cloned());
        Some(Value::List(told.collect()))
    })
}
