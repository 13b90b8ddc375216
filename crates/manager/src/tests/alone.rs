//! What a manager acknowledged is there after any end.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use control::leader::Request;
use model::{Duration, Refusal, RefusalKind};
use tokio::time::timeout;

use crate::log::writer::Room;
use crate::{Beginning, Failure, Manager};

use super::clerk::Clerk;
use super::{SmallDisk, config, create, manager, request};

/// What a machine that falls now leaves on its disk.
fn fallen(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    copy
}

#[tokio::test]
async fn what_is_answered_is_in_the_book() {
    let folder = tempfile::tempdir().unwrap();
    let manager = manager(folder.path()).await;
    let config = create(&manager, "one").await;
    assert_eq!(manager.book().state().configs.get(config.id), Some(&config));
    assert!(manager.stop().await);
}

#[tokio::test]
async fn what_was_answered_survives_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let first = manager(folder.path()).await;
    let mut created = Vec::new();
    for number in 0..50 {
        created.push(create(&first, &format!("config-{number}")).await);
    }
    let copy = fallen(folder.path());
    let second = Manager::start_with(config(copy.path()), Beginning::Resume, Clerk::new).await.unwrap();
    second.settle().await;
    let state = second.book().state();
    for config in created {
        assert_eq!(state.configs.get(config.id), Some(&config));
    }
    assert_eq!(second.book().members().borrow().present[&9].addr, "127.0.0.1:2377");
}

/// How many snapshots and files of the log are in a folder.
fn files(folder: &Path) -> (usize, usize) {
    let names: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name()).collect();
    let count = |kind| names.iter().filter(|name| name.to_string_lossy().starts_with(kind)).count();
    (count("snapshot-"), count("log-"))
}

#[tokio::test]
async fn old_entries_make_way_for_snapshots() {
    let folder = tempfile::tempdir().unwrap();
    let mut created = 0;
    for _ in 0..3 {
        let manager = manager(folder.path()).await;
        // Snapshots are made and stored beside the writes, so these go on until one has made way.
        let made_way = async {
            while created % 50 != 0 || files(folder.path()) != (1, 1) {
                create(&manager, &format!("config-{created}")).await;
                created += 1;
            }
        };
        timeout(PATIENCE, made_way).await.expect("a snapshot takes the place of old entries in time");
        assert!(manager.stop().await);
    }
    let manager = manager(folder.path()).await;
    assert_eq!(manager.book().state().configs.len(), created);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_ask_at_once_are_all_answered() {
    let folder = tempfile::tempdir().unwrap();
    let manager = Arc::new(manager(folder.path()).await);
    let mut askers = tokio::task::JoinSet::new();
    for asker in 0..16 {
        let manager = Arc::clone(&manager);
        askers.spawn(async move {
            for number in 0..50 {
                create(&manager, &format!("config-{asker}-{number}")).await;
            }
        });
    }
    askers.join_all().await;
    assert_eq!(manager.book().state().configs.len(), 800);
    let copy = fallen(folder.path());
    let again = super::manager(copy.path()).await;
    assert_eq!(again.book().state().configs.len(), 800);
}

#[tokio::test]
async fn the_feed_tells_every_change() {
    let folder = tempfile::tempdir().unwrap();
    let manager = manager(folder.path()).await;
    let mut feed = manager.book().feed().unwrap();
    let config = create(&manager, "one").await;
    match feed.recv().await.unwrap() {
        crate::book::News::Changed { events, state } => {
            assert_eq!(*events, [store::Event::Created(store::Object::Config(Arc::clone(&config)))]);
            assert_eq!(state.configs.get(config.id), Some(&config));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn nobody_is_left_waiting_when_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let manager = manager(folder.path()).await;
    let ask = manager.ask().clone();
    create(&manager, "one").await;
    assert!(manager.stop().await);
    assert_eq!(ask.request(request("two")).await.unwrap_err(), Refusal::no_leader());
}

#[tokio::test]
async fn a_swarm_is_founded_only_once() {
    let folder = tempfile::tempdir().unwrap();
    let first = manager(folder.path()).await;
    create(&first, "one").await;
    assert!(first.stop().await);
    let second = manager(folder.path()).await;
    assert_eq!(second.book().state().configs.len(), 1);
}

#[tokio::test]
async fn a_panic_is_not_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let manager = manager(folder.path()).await;
    let config = create(&manager, "one").await;
    let asked = manager.ask().request(Request::RemoveConfig(config.id)).await;
    assert_eq!(asked.unwrap_err().kind, RefusalKind::Unavailable);
    assert!(matches!(manager.failure().await, Failure::Panic));
}

#[tokio::test]
#[ignore = "needs root"]
async fn a_full_disk_is_told_at_once_and_forgotten_when_there_is_room() {
    let disk = SmallDisk::new();
    let (folder, ballast) = (disk.0.path().join("raft"), disk.0.path().join("ballast"));
    let manager = manager(&folder).await;
    let one = create(&manager, "one").await;
    let filled = fs::write(&ballast, vec![1; 16 << 20]);
    assert!(filled.is_err(), "the ballast takes all the room there is");

    // What was written ahead takes some more.
    let refusal = loop {
        if let Err(refusal) = manager.ask().request(request(&"x".repeat(60_000))).await {
            break refusal;
        }
    };
    assert_eq!(refusal.kind, RefusalKind::Unavailable);
    assert!(refusal.message.contains("disk is full"), "{refusal}");
    assert_eq!(manager.book().state().configs.get(one.id), Some(&one), "readers go on");

    fs::remove_file(&ballast).unwrap();
    manager.ask().room().wait_for(|room| *room == Room::Enough).await.unwrap();
    create(&manager, "two").await;
    assert!(manager.stop().await);
}

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(20);
