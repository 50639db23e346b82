//! One element of a request, as the events that it stands for: one of each record that it names.

use super::{
    Definition, Malformed, NAME_BYTES_MAX, Pushed,
    field::{find, flag, moment, name, names, record},
};
use crate::core::{expr::Scope, status::EventKind};

impl Definition {
    /// What one element of a request tells: of one record, or of each of several.
    pub(super) fn told(&self, index: usize, scope: &Scope) -> Result<Vec<Pushed>, Malformed> {
        let event = self.event(index, scope)?;
        let mut ids = names("record_id", self.fields.record_id.as_ref(), scope)?;
        let missing = |field| Malformed::Missing { field, index };
        if ids.len() > 1 {
            return ids.into_iter().map(|id| one_of_several(&event, id)).collect();
        }
        let Some(id) = ids.pop() else {
            return match event.kind {
                EventKind::Reread => Ok(vec![event]),
                _ => Err(missing("record_id")),
            };
        };
        if event.kind != EventKind::Renamed {
            return Ok(vec![of_record(event, id)]);
        }
        let old = name("renamed_from", self.fields.renamed_from.as_ref(), scope)?;
        let old = old.ok_or_else(|| missing("renamed_from"))?;
        let merged_into = Some(id);
        Ok(vec![of_record(Pushed { merged_into, ..event }, old)])
    }

    /// An element of a request, without the record that it is about.
    fn event(&self, index: usize, scope: &Scope) -> Result<Pushed, Malformed> {
        let fields = &self.fields;
        let missing = |field| Malformed::Missing { field, index };
        let object = name("object", Some(&fields.object), scope)?.ok_or_else(|| missing("object"))?;
        let (kind, unknown_kind) = self.kind(name("kind", fields.kind.as_ref(), scope)?);
        let merged_into = name("merged_into", fields.merged_into.as_ref(), scope)?;
        if merged_into.is_none() && kind == EventKind::Merged {
            return Err(missing("merged_into"));
        }
        let occurred_at = match &fields.occurred_at {
            Some(template) => find("occurred_at", template, scope)?.as_ref().and_then(moment),
            None => None,
        };
        Ok(Pushed {
            event_id: name("id", fields.id.as_ref(), scope)?,
            kind,
            unknown_kind,
            object: self.objects.get(&object).cloned().unwrap_or(object),
            record_id: None,
            occurred_at,
            own: fields.own.as_ref().map_or(Ok(false), |own| flag("own", own, scope))?,
            record: fields
                .record
                .as_ref()
                .map_or(Ok(None), |template| record(template, scope))?,
            version: name("version", fields.version.as_ref(), scope)?,
            merged_into,
        })
    }

    fn kind(&self, word: Option<String>) -> (EventKind, Option<String>) {
        let Some(word) = word else {
            return (EventKind::Updated, None);
        };
        let last = word.rsplit(['.', ':', '/']).next().unwrap_or(&word);
        let ours = || last.to_ascii_lowercase().parse().ok();
        match self.kinds.get(&word).copied().or_else(ours) {
            Some(kind) => (kind, None),
            None => (EventKind::Updated, Some(word)),
        }
    }
}

/// The event as it is about this record. What lives on as itself only changed.
fn of_record(event: Pushed, id: String) -> Pushed {
    let is_itself = event.merged_into.as_ref() == Some(&id);
    let has_moved = matches!(event.kind, EventKind::Merged | EventKind::Renamed);
    Pushed {
        kind: match event.kind {
            _ if is_itself && has_moved => EventKind::Updated,
            kind => kind,
        },
        merged_into: event.merged_into.filter(|_| !is_itself),
        record_id: Some(id),
        ..event
    }
}

/// One of the events that a single one of the sender stands for. Its id tells it from the others, in whatever order the sender
/// names the records the next time; the record and version that came along are of nobody knows which. Several cannot have one new
/// id: where they are said to, each is looked at.
fn one_of_several(event: &Pushed, id: String) -> Result<Pushed, Malformed> {
    let event_id = event.event_id.as_ref().map(|of_all| format!("{of_all}/{id}"));
    if let Some(bytes) = event_id
        .as_ref()
        .map(String::len)
        .filter(|bytes| *bytes > NAME_BYTES_MAX)
    {
        return Err(Malformed::TooLong { field: "id", bytes });
    }
    let kind = match event.kind {
        EventKind::Renamed => EventKind::Updated,
        kind => kind,
    };
    let event = Pushed {
        event_id,
        kind,
        record: None,
        version: None,
        ..event.clone()
    };
    Ok(of_record(event, id))
}
