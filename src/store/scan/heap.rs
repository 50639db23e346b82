//! The ids and match keys of records that are most likely linked, one after another in a file: written for each of them, read
//! for the few that turn out to matter.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek as _, SeekFrom, Write as _},
};

/// What is written before it goes to the file.
const WRITE_BYTES: usize = 128 << 10;

/// Ids and match keys on disk.
#[derive(Debug)]
pub(super) struct Heap {
    out: BufWriter<File>,
    end: u64,
}

/// One record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Kept {
    /// Its id.
    pub(super) id: String,
    /// Its match keys, as [`super::keys`] puts them together; empty where it has none.
    pub(super) keys: Vec<u8>,
}

impl Heap {
    /// Writes to `file`, which is empty.
    pub(super) fn new(file: File) -> Self {
        Self {
            out: BufWriter::with_capacity(WRITE_BYTES, file),
            end: 0,
        }
    }

    /// The same with the first `end` bytes that an earlier process left in `file`.
    pub(super) fn resumed(mut file: File, end: u64) -> io::Result<Self> {
        if file.seek(SeekFrom::End(0))? < end {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        file.seek(SeekFrom::Start(end))?;
        Ok(Self { end, ..Self::new(file) })
    }

    /// Writes what is in memory, so that another process can go on with it: where the file ends.
    pub(super) fn save(&mut self) -> io::Result<u64> {
        self.out.flush()?;
        Ok(self.end)
    }

    /// Adds a record; where it stands.
    pub(super) fn add(&mut self, id: &str, keys: &[u8]) -> io::Result<u64> {
        let place = self.end;
        for part in [id.as_bytes(), keys] {
            let length = u32::try_from(part.len()).map_err(|_| io::Error::other("an id of more than 4 GiB"))?;
            self.out.write_all(&length.to_le_bytes())?;
        }
        self.out.write_all(id.as_bytes())?;
        self.out.write_all(keys)?;
        self.end += 8 + (id.len() + keys.len()) as u64;
        Ok(place)
    }

    /// The record at this place.
    pub(super) fn at(&mut self, place: u64) -> io::Result<Kept> {
        self.out.flush()?;
        let mut file = self.out.get_ref();
        file.seek(SeekFrom::Start(place))?;
        let kept = read(&mut BufReader::with_capacity(256, file));
        self.out.get_ref().seek(SeekFrom::Start(self.end))?;
        kept
    }

    /// Gives every record to `take`, in the order of their places.
    pub(super) fn each<E: From<io::Error>>(&mut self, mut take: impl FnMut(&Kept) -> Result<(), E>) -> Result<(), E> {
        self.out.flush()?;
        self.out.get_ref().seek(SeekFrom::Start(0))?;
        let mut file = BufReader::with_capacity(WRITE_BYTES, self.out.get_ref());
        let (mut place, mut kept) = (0, Kept::default());
        while place < self.end {
            read_into(&mut file, &mut kept)?;
            place += 8 + (kept.id.len() + kept.keys.len()) as u64;
            take(&kept)?;
        }
        Ok(())
    }
}

fn read(from: &mut impl Read) -> io::Result<Kept> {
    let mut kept = Kept::default();
    read_into(from, &mut kept)?;
    Ok(kept)
}

fn read_into(from: &mut impl Read, kept: &mut Kept) -> io::Result<()> {
    let mut length = || {
        let mut bytes = [0; 4];
        from.read_exact(&mut bytes)?;
        Ok::<_, io::Error>(u64::from(u32::from_le_bytes(bytes)))
    };
    let (id_length, keys_length) = (length()?, length()?);
    kept.id.clear();
    let id = from.take(id_length).read_to_string(&mut kept.id)?;
    kept.keys.clear();
    let keys = from.take(keys_length).read_to_end(&mut kept.keys)?;
    // No memory is taken for what is not there.
    if (id as u64, keys as u64) == (id_length, keys_length) {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_at_their_places_and_one_after_another() {
        let mut heap = Heap::new(tempfile::tempfile().unwrap());
        let places: Vec<u64> = (0..10_000)
            .map(|number| heap.add(&format!("id-{number}"), &[7; 10]).unwrap())
            .collect();
        assert_eq!(heap.at(*places.get(4_711).unwrap()).unwrap().id, "id-4711");
        let late = heap.add("late", &[]).unwrap();
        assert_eq!(heap.at(late).unwrap().id, "late");
        let mut found = Vec::new();
        heap.each::<io::Error>(|kept| {
            found.push(kept.id.clone());
            Ok(())
        })
        .unwrap();
        assert_eq!(found.len(), 10_001);
        assert_eq!(found.last().map(String::as_str), Some("late"));
    }
}
