//! The join of two systems alone: in memory, as anybody would write it, and as Syncline does it with what it keeps of records.

use std::{
    collections::HashMap,
    fs::File,
    io::{BufReader, Read},
};

use anyhow::{Result, ensure};
use syncline::{
    core::{
        record::Record,
        status::Sides,
        value::{Map, fingerprint::Key},
    },
    store::scan::{Pair, Row, Scan},
};

use super::{Outcome, Task, Watch};

/// Fields of a record that are compared.
const FIELDS: usize = 8;
/// Rows in one go, as a page has them.
const PAGE: usize = 1_000;
/// Memory of the scan, as the settings have it.
const MEMORY: u64 = 64 << 20;

/// One record with its fields, as a file has it.
type Parsed = (String, Vec<String>);

/// What a field of a record says; every 1,000th record differs in one.
fn field(number: usize, field: usize, is_left: bool) -> String {
    let moved = if is_left && field == 3 && number.is_multiple_of(1_000) {
        "x"
    } else {
        ""
    };
    format!("value {field} of {number:08}{moved}")
}

/// Writes the two files of records that the floor joins: lengths and texts, nothing to be parsed.
pub fn write_files(folder: &std::path::Path, records: usize) -> Result<()> {
    use std::io::Write as _;
    for (name, is_left) in [("left", true), ("right", false)] {
        let mut out = std::io::BufWriter::new(File::create(folder.join(name))?);
        for number in 1..=records {
            let texts = std::iter::once(number.to_string()).chain((0..FIELDS).map(|at| field(number, at, is_left)));
            for text in texts {
                out.write_all(&u32::try_from(text.len())?.to_le_bytes())?;
                out.write_all(text.as_bytes())?;
            }
        }
        out.flush()?;
    }
    Ok(())
}

fn text(from: &mut impl Read) -> Result<String> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
    from.read_exact(&mut bytes)?;
    Ok(String::from_utf8(bytes)?)
}

fn parsed(from: &mut impl Read) -> Result<Parsed> {
    let id = text(from)?;
    let fields: Result<Vec<String>> = (0..FIELDS).map(|_| text(from)).collect();
    Ok((id, fields?))
}

/// The floor: one file into a map, the other one looked up in it, record by record and field by field.
pub fn floor(task: &Task) -> Result<Outcome> {
    let open = |name| File::open(task.folder.join(name)).map(|file| BufReader::with_capacity(128 << 10, file));
    let watch = Watch::start()?;
    let mut left: HashMap<String, Vec<String>> = HashMap::new();
    let mut file = open("left")?;
    for _ in 0..task.records {
        let (id, fields) = parsed(&mut file)?;
        left.insert(id, fields);
    }
    let mut file = open("right")?;
    let mut differing = 0;
    for _ in 0..task.records {
        let (id, fields) = parsed(&mut file)?;
        differing += usize::from(left.remove(&id).is_none_or(|known| known != fields));
    }
    ensure!(differing + left.len() == task.records / 1_000, "{differing} differ");
    watch.stop(task.records as u64, "")
}

/// Syncline: rows of both sides and links, as the listings and the store bring them, joined for what differs.
pub async fn own(task: &Task) -> Result<Outcome> {
    let key = Key::new([7; 32]);
    let print = |id: &str| key.print(id);
    let numbers = |first: usize| first..=(first + PAGE - 1).min(task.records);
    let scan = Scan::create(None, task.records as u64, MEMORY).await?;
    let row = |number: usize, is_left: bool| {
        let id = number.to_string();
        let digest = number as u64 + u64::from(is_left && number.is_multiple_of(1_000));
        Row {
            print: print(&id),
            record: Record {
                id,
                fields: Map::new(),
                version: None,
                updated_at: None,
            },
            digest: Some(digest),
            is_outside: false,
            match_keys: vec![Some(number as u64)],
        }
    };
    let watch = Watch::start()?;
    for first in (1..=task.records).step_by(PAGE) {
        let pair = |number: usize| Pair {
            link_id: (number as u64).cast_signed(),
            prints: Sides::of(|_| print(&number.to_string())),
            agreed: Sides::of(|_| Some(number as u64)),
        };
        let pairs: Vec<Pair> = numbers(first).map(pair).collect();
        scan.add_pairs(move || pairs).await?;
    }
    for side in [syncline::core::status::Side::Left, syncline::core::status::Side::Right] {
        let sieve = scan.sieve(side).await?;
        for first in (1..=task.records).step_by(PAGE) {
            let is_left = side == syncline::core::status::Side::Left;
            scan.add(sieve.sift(numbers(first).map(|number| row(number, is_left))))
                .await?;
        }
    }
    scan.join().await?;
    let mut differing = 0;
    let mut after = 0;
    loop {
        let suspects = scan.suspects(after, 400).await?;
        let Some(last) = suspects.last() else { break };
        after = last.link_id;
        differing += suspects.len();
    }
    ensure!(differing == task.records / 1_000, "{differing} differ");
    watch.stop(task.records as u64, "")
}
