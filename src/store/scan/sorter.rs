//! Entries sorted on disk: collected in memory up to a limit, written as sorted runs beyond it, merged as a stream.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, binary_heap::PeekMut},
    fs::File,
    io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _},
};

/// One link or one listed record, as far as they are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// What both are joined by: a keyed hash of the record's id.
    pub(super) print: u128,
    /// What it is, and where: see [`super::join`].
    pub(super) place: u64,
    /// What it looks like, or was agreed to look like; 0 equals nothing.
    pub(super) digest: u64,
}

/// The bytes of one stored entry.
const ENTRY_BYTES: usize = 32;
/// No read of a run is smaller, unless the run is.
const READ_BYTES_MIN: u64 = 16 << 10;
/// No read of a run is larger: ten times as many runs must not take ten times the memory.
const READ_BYTES_MAX: u64 = 64 << 10;

impl Entry {
    fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        let (print, rest) = bytes.split_at_mut(16);
        let (place, digest) = rest.split_at_mut(8);
        print.copy_from_slice(&self.print.to_le_bytes());
        place.copy_from_slice(&self.place.to_le_bytes());
        digest.copy_from_slice(&self.digest.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; ENTRY_BYTES]) -> Self {
        let (print, rest) = bytes.split_first_chunk().unwrap_or((&[0; 16], &[]));
        let (place, rest) = rest.split_first_chunk().unwrap_or((&[0; 8], &[]));
        Self {
            print: u128::from_le_bytes(*print),
            place: u64::from_le_bytes(*place),
            digest: u64::from_le_bytes(rest.first_chunk().copied().unwrap_or_default()),
        }
    }
}

/// A sorted stretch of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Run {
    start: u64,
    end: u64,
}

/// Entries on their way into order.
#[derive(Debug)]
pub(super) struct Sorter {
    buffer: Vec<Entry>,
    capacity: usize,
    file: File,
    written: u64,
    runs: Vec<Run>,
}

impl Sorter {
    /// Sorts in `file`, which is empty, with at most `memory_max` bytes in memory.
    pub(super) fn new(file: File, memory_max: u64) -> Self {
        let capacity = usize::try_from(memory_max / ENTRY_BYTES as u64).unwrap_or(usize::MAX);
        Self {
            buffer: Vec::new(),
            capacity: capacity.max(1_024),
            file,
            written: 0,
            runs: Vec::new(),
        }
    }

    /// The same with the runs that an earlier process left in `file`.
    pub(super) fn resumed(file: File, memory_max: u64, runs: Vec<Run>) -> Self {
        Self {
            written: runs.iter().map(|run| run.end).max().unwrap_or_default(),
            runs,
            ..Self::new(file, memory_max)
        }
    }

    /// Writes what is in memory, so that another process can go on with it: the runs.
    pub(super) fn save(&mut self) -> io::Result<&[Run]> {
        self.spill()?;
        Ok(&self.runs)
    }

    /// Whether much has come since the last time it was written.
    pub(super) fn is_filling(&self) -> bool {
        self.buffer.len() >= self.capacity / 4 * 3
    }

    /// Adds an entry.
    pub(super) fn push(&mut self, entry: Entry) -> io::Result<()> {
        if self.buffer.len() >= self.capacity {
            self.spill()?;
        }
        if self.buffer.capacity() == 0 {
            // Room that is never touched takes no memory; growing step by step takes half as much again at each step. Where there
            // is no such room, it grows step by step after all.
            let _ = self.buffer.try_reserve_exact(self.capacity);
        }
        self.buffer.push(entry);
        Ok(())
    }

    /// Writes what is in memory as one sorted run.
    fn spill(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        // Written behind an end that was lost, it would be a hole that reads as entries.
        if self.file.metadata()?.len() < self.written {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.buffer.sort_unstable();
        let start = self.written;
        let mut out = BufWriter::with_capacity(128 << 10, &self.file);
        out.seek(SeekFrom::Start(start))?;
        for entry in &self.buffer {
            out.write_all(&entry.to_bytes())?;
        }
        out.flush()?;
        drop(out);
        let end = start + self.buffer.len() as u64 * ENTRY_BYTES as u64;
        self.buffer.clear();
        self.runs.push(Run { start, end });
        self.written = end;
        Ok(())
    }

    /// Gives every entry to `take`, in order.
    pub(super) fn drain<E: From<io::Error>>(&mut self, mut take: impl FnMut(Entry) -> Result<(), E>) -> Result<(), E> {
        if self.runs.is_empty() {
            self.buffer.sort_unstable();
            return std::mem::take(&mut self.buffer).into_iter().try_for_each(take);
        }
        self.spill()?;
        self.buffer = Vec::new();
        self.narrow()?;
        merge(&self.file, &self.runs, self.read_bytes(self.runs.len()), &mut take)
    }

    /// What is read of each run at once.
    fn read_bytes(&self, runs: usize) -> u64 {
        let memory = self.capacity as u64 * ENTRY_BYTES as u64;
        let share = memory / (runs as u64).max(1);
        share.clamp(READ_BYTES_MIN, READ_BYTES_MAX) / ENTRY_BYTES as u64 * ENTRY_BYTES as u64
    }

    /// Merges runs into longer ones until they can be read side by side in the memory there is.
    fn narrow(&mut self) -> io::Result<()> {
        let memory = self.capacity as u64 * ENTRY_BYTES as u64;
        let runs_max = usize::try_from(memory / READ_BYTES_MIN).unwrap_or(usize::MAX).max(2);
        while self.runs.len() > runs_max {
            let rest = self.runs.split_off(runs_max);
            let first = std::mem::replace(&mut self.runs, rest);
            let start = self.written;
            let mut at = start;
            let mut bytes = Vec::with_capacity(128 << 10);
            let file = &self.file;
            merge::<io::Error>(file, &first, self.read_bytes(first.len()), &mut |entry| {
                bytes.extend(entry.to_bytes());
                if bytes.len() >= 128 << 10 {
                    write_at(file, &mut at, &mut bytes)?;
                }
                Ok(())
            })?;
            write_at(file, &mut at, &mut bytes)?;
            self.written = at;
            self.runs.push(Run { start, end: at });
        }
        Ok(())
    }
}

/// Writes what has come together; the readers of runs move the file's position, too.
fn write_at(mut file: &File, at: &mut u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    file.seek(SeekFrom::Start(*at))?;
    file.write_all(bytes)?;
    *at += bytes.len() as u64;
    bytes.clear();
    Ok(())
}

/// One run on its way into memory, piece by piece.
struct Reader<'f> {
    file: &'f File,
    run: Run,
    read_bytes: u64,
    piece: Vec<u8>,
    at: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> io::Result<Option<Entry>> {
        if self.at >= self.piece.len() {
            let count = self.read_bytes.min(self.run.end - self.run.start);
            if count == 0 {
                return Ok(None);
            }
            self.file.seek(SeekFrom::Start(self.run.start))?;
            self.piece.resize(usize::try_from(count).unwrap_or_default(), 0);
            self.file.read_exact(&mut self.piece)?;
            self.run.start += count;
            self.at = 0;
        }
        let bytes = self.piece.get(self.at..).and_then(<[u8]>::first_chunk);
        self.at += ENTRY_BYTES;
        Ok(bytes.map(Entry::from_bytes))
    }
}

fn merge<E: From<io::Error>>(
    file: &File,
    runs: &[Run],
    read_bytes: u64,
    take: &mut impl FnMut(Entry) -> Result<(), E>,
) -> Result<(), E> {
    let mut readers: Vec<Reader<'_>> = Vec::with_capacity(runs.len());
    let mut heads = BinaryHeap::with_capacity(runs.len());
    for run in runs {
        let mut reader = Reader {
            file,
            run: *run,
            read_bytes,
            piece: Vec::new(),
            at: 0,
        };
        if let Some(entry) = reader.next()? {
            heads.push(Reverse((entry, readers.len())));
        }
        readers.push(reader);
    }
    while let Some(mut head) = heads.peek_mut() {
        let Reverse((entry, from)) = *head;
        take(entry)?;
        let next = match readers.get_mut(from) {
            Some(reader) => reader.next()?,
            None => None,
        };
        match next {
            Some(next) => head.0.0 = next,
            None => {
                PeekMut::pop(head);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u64) -> Entry {
        // An even spread, as hashes have it.
        let print = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_0c5f_1234_5677);
        Entry {
            print,
            place: number,
            digest: number + 1,
        }
    }

    fn sorted(count: u64, memory_max: u64) -> (Vec<Entry>, usize) {
        let mut sorter = Sorter::new(tempfile::tempfile().unwrap(), memory_max);
        for number in 0..count {
            sorter.push(entry(number)).unwrap();
        }
        let runs = sorter.runs.len();
        let mut found = Vec::new();
        sorter
            .drain::<io::Error>(|entry| {
                found.push(entry);
                Ok(())
            })
            .unwrap();
        (found, runs)
    }

    #[test]
    fn entries_come_in_order_whether_they_fit_into_memory_or_not() {
        let mut wanted: Vec<Entry> = (0..100_000).map(entry).collect();
        wanted.sort_unstable();
        let (in_memory, runs) = sorted(100_000, 64 << 20);
        assert_eq!((in_memory == wanted, runs), (true, 0));
        let (spilled, runs) = sorted(100_000, 1 << 20);
        assert_eq!((spilled == wanted, runs), (true, 3));
        // So little memory that the runs cannot be read side by side.
        let (narrowed, runs) = sorted(100_000, 1);
        assert_eq!((narrowed == wanted, runs), (true, 97));
    }

    #[test]
    fn an_entry_survives_its_stored_form() {
        let one = Entry {
            print: u128::MAX - 5,
            place: u64::MAX,
            digest: 7,
        };
        assert_eq!(Entry::from_bytes(&one.to_bytes()), one);
    }

    #[test]
    fn a_file_that_lost_its_end_is_an_error_and_not_an_end() {
        let mut sorter = Sorter::new(tempfile::tempfile().unwrap(), 1 << 20);
        (0..100_000).try_for_each(|number| sorter.push(entry(number))).unwrap();
        sorter.file.set_len(1_000_000).unwrap();
        let found = sorter.drain::<io::Error>(|_| Ok(()));
        assert!(found.is_err());
    }
}
