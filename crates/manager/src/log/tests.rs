//! What survives: crashes at any byte, and what must be refused: any changed bit.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::collection;
use proptest::prelude::{ProptestConfig, any, proptest};
use raft::{ConfChange, ConfChangeKind, ConfState, Entry, HardState, Payload, Persist, Snapshot, Stored};

use super::seal::{DataKey, Keys};
use super::{Log, LogError};
use crate::tests::SmallDisk;

fn keys() -> Keys {
    Keys::only(DataKey::new([42; 32]))
}

fn entry(index: u64, term: u64, text: &str) -> Entry {
    Entry { term, index, payload: Payload::Data(Arc::from(text.as_bytes())) }
}

fn persist(number: u64, entries: Vec<Entry>) -> Persist {
    let hard_state = HardState { term: 2, vote: 7, commit: number };
    Persist { number, hard_state, snapshot: None, entries }
}

fn snapshot(index: u64) -> Snapshot {
    let members = ConfState { voters: vec![1, 7], learners: vec![9] };
    Snapshot { index, term: 2, members, data: Arc::from(&b"the whole book"[..]) }
}

/// A log of three batches; the files, and what was stored after each batch.
fn three_batches(folder: &Path) -> Vec<Stored> {
    let (mut log, stored) = Log::open(folder, keys()).unwrap();
    let mut history = vec![stored];
    let change =
        ConfChange { id: 3, kind: ConfChangeKind::Add, replica: 7, context: Arc::from(&b"addr"[..]) };
    let batches = [
        vec![Entry { term: 1, index: 1, payload: Payload::Change(change) }],
        vec![Entry { term: 2, index: 2, payload: Payload::Nothing }, entry(3, 2, "three")],
        vec![entry(4, 2, &"four".repeat(300)), entry(5, 2, "five")],
    ];
    for (number, entries) in (1..).zip(batches) {
        let persist = persist(number, entries);
        log.persist(&persist).unwrap();
        let mut next = history.last().unwrap().clone();
        next.hard_state = persist.hard_state;
        next.entries.extend(persist.entries);
        history.push(next);
    }
    history
}

/// A folder in memory if possible: some tests write thousands of times.
fn memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// The files of a log, without its lock.
fn files(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    paths.filter(|path| !path.ends_with("lock")).collect()
}

fn only_file(folder: &Path) -> PathBuf {
    let files = files(folder);
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

/// The file of a log of three batches, cut behind its last frame; and what was stored.
fn small_log(folder: &Path) -> (PathBuf, Vec<u8>, Vec<Stored>) {
    let history = three_batches(folder);
    let path = only_file(folder);
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    bytes.truncate(end);
    (path, bytes, history)
}

#[test]
fn what_was_stored_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let history = three_batches(folder.path());
    let (mut log, stored) = Log::open(folder.path(), keys()).unwrap();
    assert_eq!(&stored, history.last().unwrap());
    log.persist(&persist(4, vec![entry(4, 2, "another four")])).unwrap();
    drop(log);
    let (_, stored) = Log::open(folder.path(), keys()).unwrap();
    assert_eq!(stored.entries.last(), Some(&entry(4, 2, "another four")));
}

#[test]
fn a_crash_at_any_byte_loses_only_what_was_not_acknowledged() {
    let folder = memory();
    let (path, bytes, history) = small_log(folder.path());
    let zeros = vec![0; 4096];
    for cut in super::segment::HEADER_BYTES as usize..=bytes.len() {
        for ahead in [&zeros[..0], &zeros[..]] {
            fs::write(&path, [&bytes[..cut], ahead].concat()).unwrap();
            let (_, stored) =
                Log::open(folder.path(), keys()).unwrap_or_else(|error| panic!("cut {cut}: {error}"));
            assert!(history.contains(&stored), "cut at {cut}");
        }
    }
}

#[test]
fn a_lost_sector_of_the_last_batch_is_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let (path, bytes, history) = small_log(folder.path());
    let last = bytes.len() / 512;
    for sector in last - 1..=last {
        let mut bytes = bytes.clone();
        let end = bytes.len().min(sector * 512 + 512);
        bytes[sector * 512..end].fill(0);
        fs::write(&path, [&bytes[..], &[0; 4096]].concat()).unwrap();
        let (_, stored) = Log::open(folder.path(), keys()).unwrap();
        assert_eq!(stored, history[2], "sector {sector}");
    }
}

#[test]
fn any_changed_bit_is_refused() {
    let folder = memory();
    let (path, bytes, history) = small_log(folder.path());
    let zeros = vec![0; 4096];
    let mut told = BTreeSet::new();
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, [&bytes[..], &zeros].concat()).unwrap();
        match Log::open(folder.path(), keys()) {
            Err(LogError::Damaged { path: named, offset, what }) => {
                assert_eq!(named, path);
                assert!(offset as usize <= bit / 8, "bit {bit}: told as at {offset}");
                told.insert(what);
            }
            // The filling between frames means nothing.
            Ok((_, stored)) => assert_eq!(&stored, history.last().unwrap(), "bit {bit}"),
            Err(other) => panic!("bit {bit}: {other}"),
        }
    }
    assert!(told.len() >= 3, "{told:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn garbage_never_becomes_history(at in 0.0..1.0, garbage in collection::vec(any::<u8>(), 1..80), ahead: bool) {
        let folder = memory();
        let (path, mut bytes, history) = small_log(folder.path());
        if ahead {
            bytes.extend([0; 2048]);
        }
        let at = (bytes.len() as f64 * at) as usize;
        let end = bytes.len().min(at + garbage.len());
        bytes[at..end].copy_from_slice(&garbage[..end - at]);
        fs::write(&path, bytes).unwrap();
        if let Ok((_, stored)) = Log::open(folder.path(), keys()) {
            assert!(history.contains(&stored));
        }
    }

    #[test]
    fn garbage_is_no_log_and_no_harm(bytes in collection::vec(any::<u8>(), 0..300), is_headed: bool) {
        let folder = memory();
        let (path, log, _) = small_log(folder.path());
        let head = if is_headed { &log[..64] } else { &[] };
        fs::write(&path, [head, &bytes].concat()).unwrap();
        let _ = Log::open(folder.path(), keys());
        fs::write(folder.path().join("snapshot-1"), [b"SKEPSNAP", &bytes[..]].concat()).unwrap();
        assert!(Log::open(folder.path(), keys()).is_err());
    }
}

#[test]
fn records_cannot_be_exchanged() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, _) = Log::open(folder.path(), keys()).unwrap();
    for number in 1..=3 {
        log.persist(&persist(number, vec![entry(number, 2, "same length")])).unwrap();
    }
    drop(log);
    let path = only_file(folder.path());
    let bytes = fs::read(&path).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let frames = &bytes[64..end];
    let length = frames.len() / 3;
    let swapped =
        [&bytes[..64], &frames[length..2 * length], &frames[..length], &frames[2 * length..]].concat();
    fs::write(&path, swapped).unwrap();
    assert!(matches!(Log::open(folder.path(), keys()), Err(LogError::Damaged { offset: 64, .. })));
}

#[test]
fn two_cannot_use_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(folder.path(), keys()).unwrap();
    assert!(matches!(Log::open(folder.path(), keys()), Err(LogError::InUse { .. })));
    drop(log);
    Log::open(folder.path(), keys()).unwrap();
}

#[test]
fn another_key_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    three_batches(folder.path());
    let other = Keys::only(DataKey::new([43; 32]));
    assert!(matches!(Log::open(folder.path(), other), Err(LogError::UnknownKey { .. })));
}

#[test]
fn a_missing_file_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    for number in 1..=3 {
        let (mut log, _) = Log::open(folder.path(), keys()).unwrap();
        log.persist(&persist(number, vec![entry(number, 2, "entry")])).unwrap();
    }
    fs::remove_file(folder.path().join("log-0000000000000002")).unwrap();
    assert!(matches!(Log::open(folder.path(), keys()), Err(LogError::Damaged { offset: 0, .. })));
}

#[test]
fn a_full_file_is_followed_by_another() {
    let folder = memory();
    let (mut log, _) = Log::open(folder.path(), keys()).unwrap();
    log.wal.file_bytes_max = 4096;
    let text = "x".repeat(300);
    let mut entries = Vec::new();
    for number in 1..=100 {
        // Now and then a new leader replaces the last entry.
        let index = number - number / 10;
        let entry = entry(index, 1 + number / 10, &text);
        log.persist(&persist(number, vec![entry.clone()])).unwrap();
        entries.truncate(index as usize - 1);
        entries.push(entry);
    }
    drop(log);
    let paths = files(folder.path());
    assert!(paths.len() > 5, "{paths:?}");
    let (mut log, stored) = Log::open(folder.path(), keys()).unwrap();
    assert_eq!(stored.entries, entries);

    log.persist(&persist(101, Vec::new())).unwrap();
    log.compact(&snapshot(50), 0).unwrap();
    drop(log);
    let left = files(folder.path());
    assert!(left.len() < paths.len(), "{left:?}");
    let (_, stored) = Log::open(folder.path(), keys()).unwrap();
    assert_eq!(stored.entries, entries[50..]);

    let oldest = left.iter().filter(|path| path.to_string_lossy().contains("log-")).min().unwrap();
    let mut bytes = fs::read(oldest).unwrap();
    *bytes.iter_mut().rev().find(|byte| **byte != 0xFF).unwrap() ^= 1;
    fs::write(oldest, bytes).unwrap();
    assert!(
        matches!(Log::open(folder.path(), keys()), Err(LogError::Damaged { path, .. }) if path == *oldest)
    );
}

#[test]
fn compaction_removes_old_files_and_keeps_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    for number in 1..=4 {
        let (mut log, _) = Log::open(folder.path(), keys()).unwrap();
        log.persist(&persist(number, vec![entry(number, 2, "entry")])).unwrap();
    }
    let (mut log, _) = Log::open(folder.path(), keys()).unwrap();
    log.compact(&snapshot(2), 0).unwrap();
    log.compact(&snapshot(3), 0).unwrap();
    assert_eq!(files(folder.path()).len(), 2);
    drop(log);
    let (_, stored) = Log::open(folder.path(), keys()).unwrap();
    assert_eq!(stored.snapshot, Some(snapshot(3)));
    assert_eq!(stored.entries, [entry(4, 2, "entry")]);
    assert_eq!(stored.hard_state, HardState { term: 2, vote: 7, commit: 4 });
}

#[test]
fn a_snapshot_from_the_leader_begins_the_log_anew() {
    let folder = tempfile::tempdir().unwrap();
    three_batches(folder.path());
    let (mut log, _) = Log::open(folder.path(), keys()).unwrap();
    let restart = Persist { snapshot: Some(snapshot(50)), ..persist(50, vec![entry(51, 2, "fifty-one")]) };
    log.persist(&restart).unwrap();
    drop(log);
    let (_, stored) = Log::open(folder.path(), keys()).unwrap();
    assert_eq!(stored.snapshot, Some(snapshot(50)));
    assert_eq!(stored.entries, [entry(51, 2, "fifty-one")]);
    fs::remove_file(folder.path().join(format!("snapshot-{:016x}-{:016x}", 50, 2))).unwrap();
    assert!(matches!(Log::open(folder.path(), keys()), Err(LogError::Gap { from: 1, .. })));
}

#[test]
fn a_changed_snapshot_is_refused() {
    let folder = memory();
    let (mut log, _) = Log::open(folder.path(), keys()).unwrap();
    log.compact(&snapshot(3), 0).unwrap();
    drop(log);
    let path = only_file(folder.path());
    let bytes = fs::read(&path).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &bytes).unwrap();
        assert!(matches!(Log::open(folder.path(), keys()), Err(LogError::Damaged { .. })), "bit {bit}");
    }
    for cut in 0..bytes.len() {
        fs::write(&path, &bytes[..cut]).unwrap();
        assert!(matches!(Log::open(folder.path(), keys()), Err(LogError::Damaged { .. })), "cut {cut}");
    }
}

/// The key that follows the usual one, while the usual one is needed.
fn both() -> Keys {
    Keys { current: DataKey::new([1; 32]), earlier: vec![keys().current] }
}

/// A log of several files and snapshots, as it is before and after it was sealed anew; and what it holds.
fn rotated(old: &Path, new: &Path) -> Stored {
    for number in 1..=4 {
        let (mut log, _) = Log::open(old, keys()).unwrap();
        log.persist(&persist(number, vec![entry(number, 2, "entry")])).unwrap();
        if number > 2 {
            log.compact(&snapshot(number - 2), 1).unwrap();
        }
    }
    for file in files(old) {
        fs::copy(&file, new.join(file.file_name().unwrap())).unwrap();
    }
    let (mut log, stored) = Log::open(new, keys()).unwrap();
    log.rotate(both()).unwrap();
    assert!(files(old).len() >= 4, "{:?}", files(old));
    stored
}

#[test]
fn a_new_key_takes_over() {
    let (old, new) = (memory(), memory());
    let stored = rotated(old.path(), new.path());
    assert!(matches!(Log::open(new.path(), keys()), Err(LogError::UnknownKey { .. })));
    let (mut log, again) = Log::open(new.path(), Keys::only(both().current)).unwrap();
    assert_eq!(again, stored);
    log.persist(&persist(5, vec![entry(5, 2, "more")])).unwrap();
    drop(log);
    let (_, more) = Log::open(new.path(), Keys::only(both().current)).unwrap();
    assert_eq!(more.entries.last(), Some(&entry(5, 2, "more")));
}

#[test]
fn a_log_that_is_written_to_is_sealed_anew_too() {
    let folder = memory();
    let (mut log, _) = Log::open(folder.path(), keys()).unwrap();
    log.persist(&persist(1, vec![entry(1, 2, "old")])).unwrap();
    log.rotate(both()).unwrap();
    log.persist(&persist(2, vec![entry(2, 2, "new")])).unwrap();
    drop(log);
    let (_, stored) = Log::open(folder.path(), Keys::only(both().current)).unwrap();
    assert_eq!(stored.entries, [entry(1, 2, "old"), entry(2, 2, "new")]);
}

#[test]
fn a_crash_while_keys_change_loses_nothing() {
    let (old, new) = (memory(), memory());
    let stored = rotated(old.path(), new.path());
    let mut paths = files(old.path());
    paths.sort();
    for done in 0..=paths.len() {
        for torn in [0, 1, 63, 64, 100, usize::MAX] {
            let folder = memory();
            for (place, path) in paths.iter().enumerate() {
                let name = path.file_name().unwrap();
                let from = if place < done { new.path() } else { old.path() };
                fs::copy(from.join(name), folder.path().join(name)).unwrap();
                if place == done {
                    let mut begun = fs::read(new.path().join(name)).unwrap();
                    begun.truncate(torn);
                    fs::write(folder.path().join(format!(".{}.new", name.display())), begun).unwrap();
                }
            }
            let (mut log, again) = Log::open(folder.path(), both()).unwrap();
            assert_eq!(again, stored, "after {done} files and {torn} bytes");
            log.rotate(both()).unwrap();
            drop(log);
            let (_, again) = Log::open(folder.path(), Keys::only(both().current)).unwrap();
            assert_eq!(again, stored, "after {done} files and {torn} bytes, gone on");
            assert_eq!(files(folder.path()).len(), paths.len(), "nothing else is left");
        }
    }
}

#[test]
#[ignore = "needs root"]
fn a_full_disk_loses_nothing_and_goes_on_when_there_is_room() {
    let disk = SmallDisk::new();
    let folder = disk.0.path().join("log");
    let ballast = disk.0.path().join("ballast");
    let (mut log, _) = Log::open(&folder, keys()).unwrap();
    log.persist(&persist(1, vec![entry(1, 2, "fits")])).unwrap();
    fs::write(&ballast, vec![1; 6 << 20]).unwrap();
    let large = persist(2, vec![entry(2, 2, &"large".repeat(300 << 10))]);
    assert!(matches!(log.persist(&large), Err(LogError::Full { .. })));
    let copy = tempfile::tempdir().unwrap();
    for file in files(&folder) {
        fs::copy(&file, copy.path().join(file.file_name().unwrap())).unwrap();
    }
    let (_, stored) = Log::open(copy.path(), keys()).unwrap();
    assert_eq!(stored.entries, [entry(1, 2, "fits")]);

    fs::remove_file(&ballast).unwrap();
    log.persist(&large).unwrap();
    drop(log);
    let (_, stored) = Log::open(&folder, keys()).unwrap();
    assert_eq!(stored.entries[1..], large.entries);
}
