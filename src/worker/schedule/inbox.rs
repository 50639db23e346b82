//! Events that no change came of when they were stored: those that say "read again", those of objects that nothing maps,
//! and those whose mapping was not loaded then.

use std::{collections::BTreeMap, sync::Arc};

use super::{State, poll::AGAIN};
use crate::{
    client::System,
    core::{
        mapping::Mapping,
        record::RecordKey,
        status::{ChangeOrigin, EventKind, EventStatus, Side, Trigger},
    },
    store::{
        self, Op,
        change::NewChange,
        event::{Event, FinishedEvent, QueuedEvent},
    },
    sync,
};

/// Events worked through in one look.
const BATCH: u32 = 500;

/// What events of one object say is to be read again.
struct Reread {
    ends: Vec<(Arc<Mapping>, Side)>,
    event_ids: Vec<i64>,
}

impl State {
    /// Works through events that wait for somebody to look at them.
    pub(super) async fn work_through_inbox(self: &Arc<Self>) -> Result<(), store::Error> {
        let store = self.engine.store();
        let events = store.events_received(BATCH).await?;
        let (rereads, events): (Vec<Event>, Vec<Event>) = events
            .into_iter()
            .partition(|event| event.kind == EventKind::Reread && !event.own);
        let ops: Vec<Op> = events.iter().flat_map(|event| self.settle(event)).collect();
        if !ops.is_empty() {
            store.commit(ops).await?;
        }
        self.read_again(rereads).await
    }

    /// What becomes of an event that names a record.
    fn settle(&self, event: &Event) -> Vec<Op> {
        let ends = self.ends(event);
        let (Some(record_id), false) = (&event.record_id, ends.is_empty() || event.own) else {
            return vec![outcome(event.event_id, EventStatus::Ignored, self.reason(event))];
        };
        let enqueue = |(mapping, side): &(Arc<Mapping>, Side)| {
            let key = RecordKey::new(mapping.name.as_str(), *side, record_id.clone());
            Op::Enqueue(NewChange {
                merged_into: event.merged_into.clone(),
                event_id: Some(event.event_id),
                ..NewChange::new(key, ChangeOrigin::Event, event.kind)
            })
        };
        let mut ops: Vec<Op> = ends.iter().map(enqueue).collect();
        ops.push(Op::QueueEvent(QueuedEvent {
            event_id: event.event_id,
            ends: ends
                .iter()
                .map(|(mapping, side)| (Arc::from(mapping.name.as_str()), *side))
                .collect(),
        }));
        ops
    }

    /// Why an event is ignored that is not our own.
    fn reason(&self, event: &Event) -> Option<String> {
        let Event { system, object, .. } = event;
        let is_known = |system: &Arc<System>| system.connector().objects.contains_key(object);
        if event.own || event.record_id.is_none() && event.kind != EventKind::Reread {
            return None;
        }
        Some(match self.engine.system(system) {
            None => format!("there is no system `{system}` any more"),
            Some(known) if is_known(known) => format!("no mapping is about `{object}` of {system}"),
            Some(known) => format!(
                "connector `{}` has no object `{object}`: if one of its objects is meant, say so in `objects:` of its `webhooks:`",
                known.connector().name
            ),
        })
    }

    /// The mappings that an event concerns, and on which side.
    fn ends(&self, event: &Event) -> Vec<(Arc<Mapping>, Side)> {
        let system = self.engine.system(&event.system);
        let is_known = system.is_some_and(|system| system.connector().objects.contains_key(&event.object));
        // Who says "read everything again" may name no object of ours.
        let is_whole_system = event.kind == EventKind::Reread && !is_known;
        let of_system = sync::ends(self.engine.mappings(), &event.system);
        of_system
            .filter(|(mapping, side)| is_whole_system || mapping.end(*side).object == event.object)
            .map(|(mapping, side)| (Arc::clone(mapping), side))
            .collect()
    }

    /// Reads again what events say has changed too much to be told: asked what changed where the side is polled, compared as a whole
    /// where not. However many events say so, it is done once.
    async fn read_again(self: &Arc<Self>, events: Vec<Event>) -> Result<(), store::Error> {
        let mut ignored = Vec::new();
        let mut groups: BTreeMap<String, Reread> = BTreeMap::new();
        for event in events {
            let ends = self.ends(&event);
            if ends.is_empty() {
                ignored.push(outcome(event.event_id, EventStatus::Ignored, self.reason(&event)));
                continue;
            }
            let name = format!("reread/{}/{}", event.system, event.object);
            let group = groups.entry(name).or_insert_with(|| Reread {
                ends,
                event_ids: Vec::new(),
            });
            group.event_ids.push(event.event_id);
        }
        if !ignored.is_empty() {
            self.engine.store().commit(ignored).await?;
        }
        for (name, group) in groups {
            if self.is_running(&name) || !self.may_try(&name, AGAIN) {
                continue;
            }
            let state = Arc::clone(self);
            self.begin(name.clone(), async move { state.reread(&name, group).await });
        }
        Ok(())
    }

    async fn reread(&self, name: &str, group: Reread) {
        let mut is_done = true;
        for (mapping, side) in group.ends {
            is_done &= if mapping.poll.get(side).is_some() {
                Box::pin(self.poll(&mapping, side, Trigger::Webhook)).await
            } else {
                Box::pin(self.reconcile(&mapping, Trigger::Webhook)).await
            };
        }
        let (status, error) = if is_done {
            self.note_success(name);
            (EventStatus::Done, None)
        } else {
            self.note_failure(name);
            let error = "reading again did not go well; the runs say why, and it is tried again".to_owned();
            (EventStatus::Received, Some(error))
        };
        let ops = group
            .event_ids
            .into_iter()
            .map(|event_id| outcome(event_id, status, error.clone()));
        if let Err(error) = self.engine.store().commit(ops.collect()).await {
            tracing::error!(%error, "cannot store what came of events; they are worked through again");
        }
    }
}

fn outcome(event_id: i64, status: EventStatus, last_error: Option<String>) -> Op {
    Op::FinishEvent(FinishedEvent {
        event_id,
        change: None,
        status,
        last_error,
        processing_ms: 0,
    })
}
