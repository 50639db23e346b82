//! Webhooks, with and without somebody who looks at the console meanwhile.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use crate::{
    Args,
    load::{self, Seen, Sender},
    page::{self, Ids},
    report::{Report, Row, Wanted, median},
    visitor::Visitor,
};

/// Webhooks a second.
const RATE: usize = 200;
/// How long whoever looks reads before they open the next page: two pages a second are several people at once.
const READS: Duration = Duration::from_millis(500);
/// How often both take turns.
const TURNS: usize = 3;

/// Webhooks at a steady rate, alone and beside somebody who opens page after page.
pub fn measure(
    address: &str,
    visitor: &mut Visitor,
    ids: &Ids,
    args: &Args,
    (group, report): (&str, &mut Report),
) -> Result<()> {
    if args.seconds == 0 {
        return Ok(());
    }
    let sender = Paced {
        sender: Sender::new(address.to_owned(), usize::try_from(ids.links)?)?,
        sent: AtomicUsize::new(0),
    };
    let count = RATE * args.seconds;
    sender.send(count / 5)?;
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        alone.push(sender.send(count)?);
        beside.push(looked_at(&sender, count, visitor.again()?, &page::walk(ids))?);
    }
    let millis =
        |turns: &[Seen], of: fn(&Seen) -> Duration| median(turns.iter().map(|seen| of(seen).as_secs_f64() * 1e3));
    for (name, of) in [
        ("p50", (|seen| seen.p50) as fn(&Seen) -> Duration),
        ("p99", |seen| seen.p99),
    ] {
        let (alone, beside) = (millis(&alone, of), millis(&beside, of));
        let what = format!("webhook answered, {RATE}/s, {name}, nobody looks");
        report.add(Row::new(group, &what, alone, "ms"));
        let what = format!("the same, {name}, two pages opened a second");
        report.add(Row::new(group, &what, beside, "ms"));
        let row = Row::new(
            group,
            &format!("the same, {name}, more than alone"),
            (beside / alone - 1.0) * 100.0,
            "%",
        );
        report.add(row.value_wanted(Wanted::AtMost(10.0)));
    }
    Ok(())
}

/// Sends webhooks at a steady rate.
struct Paced {
    sender: Sender,
    /// How many there were, since no event comes twice.
    sent: AtomicUsize,
}

impl Paced {
    fn send(&self, count: usize) -> Result<Seen> {
        let first = self.sent.fetch_add(count, Ordering::Relaxed);
        let started = Instant::now();
        let sent = self.sender.at_rate(RATE, count, first, |_| {})?;
        let seconds = started.elapsed().as_secs_f64();
        Ok(load::seen(sent.into_iter().map(|(.., took)| took).collect(), seconds))
    }
}

/// Webhooks while somebody opens page after page.
fn looked_at(sender: &Paced, count: usize, mut visitor: Visitor, pages: &[String]) -> Result<Seen> {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let looking = scope.spawn(|| -> Result<()> {
            for path in pages.iter().cycle() {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                visitor.get(path).with_context(|| path.clone())?;
                thread::sleep(READS);
            }
            Ok(())
        });
        let seen = sender.send(count);
        is_over.store(true, Ordering::Relaxed);
        looking
            .join()
            .map_err(|_| anyhow::anyhow!("whoever looked broke off"))??;
        seen
    })
}
