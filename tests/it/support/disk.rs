//! A disk that fails to order, for processes under test: `tests/fault/faultio.c`, preloaded.

use std::{
    fs::{self, File},
    ops::RangeInclusive,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, OnceLock},
};

use tempfile::TempDir;

/// What happens to the calls that are struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Order {
    None = 0,
    /// The disk fails.
    Eio = 1,
    /// The disk is full.
    Enospc = 2,
    /// Half of it is written.
    Short = 3,
    /// The process is killed.
    Kill = 4,
    /// What was not synced is lost in part, and the process ends.
    PowerLoss = 5,
}

/// Kinds of calls, to be added.
pub const OPEN: u64 = 1;
pub const WRITE: u64 = 2;
pub const TRUNCATE: u64 = 4;
pub const SYNC: u64 = 8;
pub const RENAME: u64 = 16;
pub const UNLINK: u64 = 32;
/// Every kind.
pub const ALL: u64 = OPEN | WRITE | TRUNCATE | SYNC | RENAME | UNLINK;

/// Places in the control file.
const ORDER: u64 = 0;
const FROM: u64 = 1;
const TO: u64 = 2;
const KINDS: u64 = 3;
const SEED: u64 = 4;
const CALLS: u64 = 5;
const STRUCK: u64 = 6;
const OF_KIND: u64 = 7;

/// A folder on such a disk.
pub struct Disk {
    folder: TempDir,
    control: File,
    library: PathBuf,
    /// What the processes on it die of.
    deadly: Mutex<Option<String>>,
}

impl Disk {
    /// A new empty folder. None, and a line that says so, where there is no C compiler; with `CI` set that is a failure.
    #[expect(
        clippy::print_stdout,
        reason = "whoever runs the tests has to see that one was skipped"
    )]
    pub fn new() -> Option<Self> {
        let Some(library) = library() else {
            assert!(
                std::env::var_os("CI").is_none(),
                "a C compiler (`cc`) must be there in CI"
            );
            println!("skipped: install a C compiler (`cc`) to run this test");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        let path = folder.path().join("control");
        fs::write(&path, [0; 4096]).unwrap();
        let control = File::options().read(true).write(true).open(path).unwrap();
        Some(Self {
            folder,
            control,
            library,
            deadly: Mutex::default(),
        })
    }

    /// The watched folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The address of a database in it.
    pub fn url(&self) -> String {
        format!("sqlite://{}", self.data().join("syncline.db").display())
    }

    /// Empties the watched folder, and forgets what a power loss would leave of it.
    pub fn clear(&self) {
        fs::remove_dir_all(self.data()).unwrap();
        fs::create_dir(self.data()).unwrap();
        // There is none unless a process has ended in order.
        let _ = fs::remove_file(self.folder.path().join("memory"));
    }

    /// Lets processes that are started from now on end by SIGABRT as soon as they are about to send this text to anybody.
    pub fn set_deadly(&self, text: Option<String>) {
        *self.deadly.lock().unwrap() = text;
    }

    /// Puts the disk under a process that is to be started.
    pub fn attach(&self, command: &mut Command) {
        if let Some(text) = &*self.deadly.lock().unwrap() {
            command.env("FAULTIO_ABORT", text);
        }
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAULTIO_DIR", self.data())
            .env("FAULTIO_CONTROL", self.folder.path().join("control"));
    }

    /// As [`Disk::attach`], and remembers what a power loss would leave. Only one process may use the folder.
    pub fn attach_with_power(&self, command: &mut Command) {
        self.attach(command);
        command.env("FAULTIO_POWER", self.folder.path().join("memory"));
    }

    /// Orders what happens to the calls of `kinds` in the range, counted anew from 1.
    pub fn order(&self, order: Order, calls: RangeInclusive<u64>, kinds: u64, seed: u64) {
        self.put(ORDER, Order::None as u64);
        for (place, word) in [
            (FROM, *calls.start()),
            (TO, *calls.end()),
            (KINDS, kinds),
            (SEED, seed),
            (CALLS, 0),
            (STRUCK, 0),
        ] {
            self.put(place, word);
        }
        self.put(ORDER, order as u64);
    }

    /// How many calls of the ordered kinds there were since the order.
    pub fn calls(&self) -> u64 {
        self.get(CALLS)
    }

    /// How many of them were struck.
    pub fn struck(&self) -> u64 {
        self.get(STRUCK)
    }

    /// How many calls of one kind there ever were.
    pub fn calls_of(&self, kind: u64) -> u64 {
        self.get(OF_KIND + u64::from(kind.trailing_zeros()))
    }

    fn put(&self, place: u64, word: u64) {
        self.control.write_all_at(&word.to_le_bytes(), place * 8).unwrap();
    }

    fn get(&self, place: u64) -> u64 {
        let mut word = [0; 8];
        self.control.read_exact_at(&mut word, place * 8).unwrap();
        u64::from_le_bytes(word)
    }
}

/// The library, compiled once for each state of its source; none without a compiler.
fn library() -> Option<PathBuf> {
    static LIBRARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    LIBRARY
        .get_or_init(|| {
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fault/faultio.c");
            let hash = blake3::hash(&fs::read(&source).unwrap()).to_hex();
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
            let library = folder.join(format!("faultio-{hash}.so"));
            if library.exists() {
                return Some(library);
            }
            fs::create_dir_all(folder).unwrap();
            let fresh = tempfile::Builder::new().prefix("faultio-").tempdir_in(folder).unwrap();
            let built = fresh.path().join("faultio.so");
            let compiled = Command::new("cc")
                .args(["-O2", "-Wall", "-Wextra", "-std=gnu11", "-shared", "-fPIC", "-o"])
                .arg(&built)
                .arg(&source)
                .args(["-ldl", "-lpthread"])
                .output()
                .ok()?;
            assert!(
                compiled.status.success(),
                "{}",
                String::from_utf8_lossy(&compiled.stderr)
            );
            // Another test process may have been as fast; both made the same.
            fs::rename(built, &library).unwrap();
            Some(library)
        })
        .clone()
}
