//! Peers that send garbage, too much, too slowly, or never read: the others do not notice.

use std::sync::Arc;

use control::leader::Request;
use model::{Annotations, ConfigSpec};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::{TlsConnector, client::TlsStream};
use wire::channel::MANAGER_NAME;
use wire::proto::raft_client::RaftClient;
use wire::proto::watch_client::WatchClient;
use wire::{proto, raftpb};

use crate::peers::PATIENCE;
use crate::stage::Swarm;

async fn connect(swarm: &Swarm) -> TlsStream<TcpStream> {
    let tls = swarm.credentials.identity().client_tls().unwrap();
    let stream = TcpStream::connect(&swarm.addr).await.unwrap();
    TlsConnector::from(tls).connect(ServerName::try_from(MANAGER_NAME).unwrap(), stream).await.unwrap()
}

async fn create(swarm: &Swarm, name: &str) {
    let annotations = Annotations { name: name.to_owned(), ..Annotations::default() };
    let spec = ConfigSpec { annotations, data: vec![b'x'; 100_000], ..ConfigSpec::default() };
    let created = swarm.manager.ask().request(Request::CreateConfig(Box::new(spec)));
    timeout(PATIENCE, created).await.expect("the others do not notice").unwrap();
}

/// Takes a message through the swarm, so that it is seen to work for others.
async fn works(swarm: &Swarm) {
    let nodes = crate::list_nodes(&swarm.addr, swarm.credentials.identity().client_tls().unwrap());
    let nodes = timeout(PATIENCE, nodes).await.expect("the door is open").unwrap();
    assert_eq!(nodes.len(), swarm.manager.book().state().nodes.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_ends_only_its_own_connection() {
    let swarm = Swarm::found().await;
    let chance = &mut model::Chance::from_number(7);
    for _ in 0..20 {
        let mut stream = connect(&swarm).await;
        // The other end may close in the middle of it.
        let _ = stream.write_all(&chance.bytes::<4_096>()).await;
        let mut rest = Vec::new();
        let ended = timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "garbage is not listened to for ever");
    }
    let mut raft = RaftClient::new(swarm.channel(&swarm.credentials.identity()).await);
    for kind in [0, 3, 5, 7, 99] {
        let message = raftpb::Message {
            r#type: kind,
            to: 1,
            from: u64::MAX,
            term: u64::MAX,
            index: u64::MAX,
            log_term: u64::MAX,
            commit: u64::MAX,
            ..raftpb::Message::default()
        };
        let request = proto::ProcessRaftMessageRequest { message: Some(message) };
        raft.process_raft_message(request).await.unwrap();
    }
    create(&swarm, "after").await;
    works(&swarm).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_over_the_limit_are_refused() {
    let swarm = Swarm::found().await;
    let mut raft = RaftClient::new(swarm.channel(&swarm.credentials.identity()).await);
    let entry = |bytes: usize| raftpb::Entry { data: Some(vec![0; bytes]), ..raftpb::Entry::default() };
    let message =
        |bytes| raftpb::Message { to: 1, entries: vec![entry(bytes)], ..raftpb::Message::default() };
    let request = |bytes| proto::ProcessRaftMessageRequest { message: Some(message(bytes)) };
    raft.process_raft_message(request(4_000_000)).await.unwrap();
    let refused = raft.process_raft_message(request(5_000_000)).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::OutOfRange, "{refused}");
    works(&swarm).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_dawdle_hold_nobody_up() {
    let swarm = Swarm::found().await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(TcpStream::connect(&swarm.addr).await.unwrap()); // and never shakes hands
    }
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut stream = connect(&swarm).await;
        stream.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap(); // and never says the rest
        slow.push(stream);
    }
    let mut raft = RaftClient::new(swarm.channel(&swarm.credentials.identity()).await);
    let mut unfinished = JoinSet::new();
    unfinished.spawn(async move {
        let nothing = futures_util::stream::pending::<proto::StreamRaftMessageRequest>();
        raft.stream_raft_message(nothing).await
    });
    create(&swarm, "after").await;
    works(&swarm).await;
    assert!(unfinished.try_join_next().is_none(), "a message may take its time");
    drop((silent, slow));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_never_reads_holds_nobody_up() {
    let swarm = Swarm::found().await;
    let entry = proto::watch_request::WatchEntry { kind: "config".to_owned(), ..Default::default() };
    let mut deaf = Vec::new();
    for _ in 0..5 {
        let mut watch = WatchClient::new(swarm.channel(&swarm.credentials.identity()).await);
        let request = proto::WatchRequest { entries: vec![entry.clone()], ..Default::default() };
        deaf.push((watch.watch(request).await.unwrap(), watch)); // and never asks for a message
    }
    for number in 0..60 {
        create(&swarm, &format!("config-{number}")).await;
    }
    works(&swarm).await;
    assert_eq!(Arc::strong_count(&swarm.manager), 1);
    drop(deaf);
}
