//! Several managers: every one of them answers everything, whoever leads; and none of them is missed.

use std::sync::Arc;

use agent::Credentials;
use control::leader::{Answer, Request};
use model::node::{Availability, NodeRole, Reachability};
use model::{Annotations, Config, ConfigSpec, NodeSpec, Refusal, RefusalKind, TaskState};
use skep_manager::{Ask, Beginning, Leadership, Manager};
use tokio::time::timeout;
use wire::channel::MANAGER_NAME;
use wire::proto;
use wire::proto::node_ca_client::NodeCaClient;
use wire::proto::raft_membership_client::RaftMembershipClient;

use crate::peers::{PATIENCE, Peer, until};
use crate::stage::{Swarm, is_ready};

fn config(name: &str, bytes: usize) -> Request {
    let annotations = Annotations { name: name.to_owned(), ..Annotations::default() };
    let spec = ConfigSpec { annotations, data: vec![b'x'; bytes], ..ConfigSpec::default() };
    Request::CreateConfig(Box::new(spec))
}

/// Creates a config by way of this manager.
async fn create(manager: &Manager, name: &str) -> Arc<Config> {
    insist(manager.ask(), config(name, 10)).await;
    let known = |state: &store::State| state.configs.named(name).next().cloned();
    known(&*until(manager, |state| known(state).is_some()).await).unwrap()
}

/// Asks until it is done. Tests share few processors: a leader may be lost for no other reason.
async fn insist(ask: &Ask, request: Request) {
    let done = async {
        loop {
            match ask.request(request.clone()).await {
                Ok(_) => return,
                Err(refusal) if refusal.kind == RefusalKind::AlreadyExists => return,
                Err(refusal) if refusal == Refusal::no_leader() => {}
                Err(refusal) => assert_eq!(refusal.kind, RefusalKind::Unavailable, "{refusal}"),
            }
        }
    };
    timeout(PATIENCE, done).await.expect("somebody leads in time");
}

async fn until_known(manager: &Manager, config: &Config) {
    until(manager, |state| state.configs.get(config.id).is_some_and(|known| **known == *config)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_of_a_follower_is_done_and_seen_there_at_once() {
    let swarm = Swarm::found().await;
    let follower = swarm.join_manager(&swarm.addr).await;
    let ask = follower.manager.ask();
    let state = || follower.manager.book().state();

    let one = create(&follower.manager, "one").await;
    assert_eq!(state().configs.get(one.id), Some(&one));
    let update = |version| Request::UpdateConfig {
        id: one.id,
        version,
        spec: Box::new(ConfigSpec { data: one.spec.data.clone(), ..one.spec.clone() }),
    };
    let two = match ask.request(update(one.meta.version)).await.unwrap() {
        Answer::Config(config) => config,
        other => panic!("{other:?}"),
    };
    assert_eq!(state().configs.get(one.id), Some(&two));
    assert_eq!(ask.request(config("one", 10)).await.unwrap_err().kind, RefusalKind::AlreadyExists);
    ask.request(Request::RemoveConfig(one.id)).await.unwrap();
    assert_eq!(state().configs.get(one.id), None);

    let me = follower.credentials.identity().subject.node_id().unwrap();
    let node = state().nodes.get(me).unwrap().clone();
    let mut spec = node.spec.clone();
    spec.annotations.labels.insert("zone".to_owned(), "a".to_owned());
    let wrong = Request::UpdateNode { id: me, version: model::Version { index: 1 }, spec: spec.clone() };
    assert_eq!(ask.request(wrong).await.unwrap_err(), Refusal::out_of_sequence());
    ask.request(Request::UpdateNode { id: me, version: node.meta.version, spec }).await.unwrap();
    assert_eq!(state().nodes.get(me).unwrap().spec.annotations.labels["zone"], "a");

    let cluster = state().cluster().unwrap().clone();
    let rotation = control::leader::Rotation { worker_token: Some("x".to_owned()), ..Default::default() };
    let spec = Box::new(cluster.spec.clone());
    let rotate = Request::UpdateCluster { id: cluster.id, version: cluster.meta.version, spec, rotation };
    match ask.request(rotate).await.unwrap() {
        Answer::Cluster(now) => {
            assert_ne!(now.root_ca.join_tokens.worker, cluster.root_ca.join_tokens.worker);
            assert_eq!(now.root_ca.ca_key, cluster.root_ca.ca_key, "the book's own, with its keys");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_lives_behind_a_follower() {
    let swarm = Swarm::found().await;
    let follower = swarm.join_manager(&swarm.addr).await;
    let third = swarm.join_manager(&follower.addr).await;
    let folder = tempfile::tempdir().unwrap();
    let joined =
        Credentials::join(folder.path(), &follower.addr, &swarm.tokens.worker, Availability::Active).await;
    let joined = joined.unwrap();
    let me = joined.identity().subject.node_id().unwrap();
    let agent = swarm.agent_of("worker", &joined, &third.addr);
    let state = swarm.until(|state| is_ready(state, me)).await;
    assert_eq!(state.nodes.get(me).unwrap().status.addr, "127.0.0.1");

    swarm.create_service().await;
    let run = |state: &store::State| {
        state.tasks_on(me).filter(|task| task.status.state == TaskState::Running).count() == 100
    };
    third.until(run).await;
    joined.renew(&follower.addr).await.unwrap();
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_lets_nobody_in_by_a_side_door() {
    let swarm = Swarm::found().await;
    let follower = swarm.join_manager(&swarm.addr).await;
    let folder = tempfile::tempdir().unwrap();
    let joined =
        Credentials::join(folder.path(), &swarm.addr, &swarm.tokens.worker, Availability::Active).await;
    let worker = joined.unwrap();
    let me = worker.identity().subject.node_id().unwrap();
    let connect = async |addr: &str, tls| wire::channel::connect(addr, MANAGER_NAME, tls).await.unwrap();
    let join = || proto::JoinRequest { addr: "127.0.0.1:9".to_owned() };
    let prefix = "Permission denied: unauthorized peer role: rpc error: code = PermissionDenied desc = ";

    let tls = worker.identity().client_tls().unwrap();
    let channel = connect(&follower.addr, tls.clone()).await;
    let refused = RaftMembershipClient::new(channel).join(join()).await.unwrap_err();
    let words = "Permission denied: remote certificate not part of OUs: [swarm-manager]";
    assert_eq!(refused.message(), format!("{prefix}{words}"));

    let nobody = worker.identity().roots().anonymous_client();
    let refused =
        RaftMembershipClient::new(connect(&follower.addr, nobody).await).join(join()).await.unwrap_err();
    let missing = "Permission denied: missing information in forwarded request";
    assert_eq!(refused.message(), format!("{prefix}{missing}"));

    let mut liar = tonic::Request::new(join());
    for (key, value) in [("forwarded_cert", "true"), ("forwarded_cert_cn", me.as_str())] {
        liar.metadata_mut().insert(key, value.parse().unwrap());
    }
    liar.metadata_mut().insert("forwarded_cert_ou", "swarm-manager".parse().unwrap());
    let refused =
        RaftMembershipClient::new(connect(&swarm.addr, tls.clone()).await).join(liar).await.unwrap_err();
    assert_eq!(refused.message(), format!("{prefix}{words}"), "only managers forward");

    let mut again = tonic::Request::new(join());
    again.metadata_mut().insert("redirect", "10.0.0.1:1".parse().unwrap());
    let manager = swarm.credentials.identity().client_tls().unwrap();
    let refused =
        RaftMembershipClient::new(connect(&follower.addr, manager).await).join(again).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
    assert!(refused.message().starts_with("more than one redirect to leader from: ["), "{refused}");

    swarm.manager.ask().request(Request::RemoveNode { id: me, force: true }).await.unwrap();
    let renew = proto::IssueNodeCertificateRequest { csr: b"request".to_vec(), ..Default::default() };
    let refused = NodeCaClient::new(connect(&follower.addr, tls).await).issue_node_certificate(renew).await;
    let words = format!("Permission denied: node {me} was removed from swarm");
    assert_eq!(refused.unwrap_err().message(), format!("{prefix}{words}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_those_are_taken_in_who_answer_and_only_once() {
    let swarm = Swarm::found().await;
    let follower = swarm.join_manager(&swarm.addr).await;
    let tls = follower.credentials.identity().client_tls().unwrap();
    let before = swarm.manager.book().members().borrow().clone();

    let nowhere = skep_manager::join(&swarm.addr, "127.0.0.1:1", tls.clone()).await.unwrap_err();
    let words = "could not connect to prospective new cluster member using its advertised address: ";
    assert!(nowhere.message().starts_with(words), "{nowhere}");
    assert_eq!(nowhere.code(), tonic::Code::Unknown);
    let nonsense = skep_manager::join(&swarm.addr, "nonsense", tls.clone()).await.unwrap_err();
    assert_eq!(nonsense.message(), "invalid address nonsense in raft join request");
    assert_eq!(*swarm.manager.book().members().borrow(), before);

    let again = skep_manager::join(&swarm.addr, &follower.addr, tls.clone()).await.unwrap();
    assert_eq!((again.raft_id, again.members.len()), (follower.raft_id, 2));
    let port = follower.addr.rsplit_once(':').unwrap().1;
    let moved = skep_manager::join(&follower.addr, &format!("localhost:{port}"), tls).await.unwrap();
    assert_eq!(moved.raft_id, follower.raft_id);
    let members = swarm.manager.book().members().borrow().clone();
    assert_eq!(members.present[&follower.raft_id].addr, format!("localhost:{port}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_while_the_leader_falls_is_answered_by_the_next() {
    let swarm = Swarm::found().await;
    let (second, third) = (swarm.join_manager(&swarm.addr).await, swarm.join_manager(&swarm.addr).await);
    let agent = swarm.agent_of("agent", &second.credentials, &third.addr);
    let me = second.credentials.identity().subject.node_id().unwrap();
    third.until(|state| is_ready(state, me)).await;
    let before = create(&second.manager, "before").await;
    until_known(&third.manager, &before).await;

    let Swarm { manager, door, .. } = swarm;
    assert!(door.close(PATIENCE).await);
    assert!(Arc::into_inner(manager).unwrap().stop().await);
    insist(second.manager.ask(), config("after", 10)).await;
    third.until(|state| state.configs.named("after").next().is_some()).await;
    assert!(third.manager.book().state().configs.get(before.id).is_some());
    third.until(|state| is_ready(state, me)).await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_few_managers_refuse_clearly_and_recover_by_themselves() {
    let swarm = Swarm::found().await;
    let (second, third) = (swarm.join_manager(&swarm.addr).await, swarm.join_manager(&swarm.addr).await);
    let before = create(&third.manager, "before").await;
    until_known(&second.manager, &before).await;
    let (second, third) = (second.stop().await, third.stop().await);

    let mut leadership = swarm.manager.ask().leadership();
    let lost = leadership.wait_for(|now| matches!(now, Leadership::Nobody(_)));
    timeout(PATIENCE, lost).await.expect("it notices in time").unwrap();
    assert_eq!(swarm.manager.ask().request(config("lost", 10)).await.unwrap_err(), Refusal::no_leader());
    assert_eq!(swarm.manager.ask().check_led(), Err(Refusal::no_leader()));

    let second = second.start(Beginning::Resume).await;
    let after = create(&second.manager, "after").await;
    until_known(&swarm.manager, &after).await;
    let third = third.start(Beginning::Resume).await;
    until_known(&third.manager, &after).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_was_away_gets_a_large_book_in_chunks() {
    let swarm = Swarm::found().await;
    let (second, third) = (swarm.join_manager(&swarm.addr).await, swarm.join_manager(&swarm.addr).await);
    let away = third.stop().await;
    for number in 0..25 {
        insist(second.manager.ask(), config(&format!("large-{number}"), 400_000)).await;
    }
    let back = away.start(Beginning::Resume).await;
    let state = back.until(|state| state.configs.len() == 25).await;
    let bytes: usize = state.configs.iter().map(|config| config.spec.data.len()).sum();
    assert_eq!(bytes, 10_000_000, "more than any one message may hold");
    insist(back.manager.ask(), config("last", 10)).await;
    swarm.until(|state| state.configs.named("last").next().is_some()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_one_begins_anew_alone_and_who_returns_is_told_that_he_is_out() {
    let swarm = Swarm::found().await;
    let (second, third) = (swarm.join_manager(&swarm.addr).await, swarm.join_manager(&swarm.addr).await);
    let before = create(&third.manager, "before").await;
    until_known(&second.manager, &before).await;
    let (second, third) = (second.stop().await, third.stop().await);
    let Swarm { manager, door, .. } = swarm;
    assert!(door.close(PATIENCE).await);
    assert!(Arc::into_inner(manager).unwrap().stop().await);

    let alone = second.start(Beginning::Anew).await;
    let after = create(&alone.manager, "after").await;
    let state = alone.manager.book().state();
    assert!(state.configs.get(before.id).is_some() && state.configs.get(after.id).is_some());
    assert_eq!(alone.manager.book().members().borrow().present.len(), 1);

    let returned = third.start(Beginning::Resume).await;
    timeout(PATIENCE, returned.manager.removed()).await.expect("it is told in time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demoted_manager_is_let_go_unless_it_is_needed() {
    let swarm = Swarm::found().await;
    let (second, third) = (swarm.join_manager(&swarm.addr).await, swarm.join_manager(&swarm.addr).await);
    let id = |peer: &Peer| peer.credentials.identity().subject.node_id().unwrap();
    let demote = async |peer: &Peer| {
        let node = swarm.manager.book().state().nodes.get(id(peer)).unwrap().clone();
        let desired_role = NodeRole::Worker;
        let spec = NodeSpec { desired_role, ..node.spec.clone() };
        swarm
            .manager
            .ask()
            .request(Request::UpdateNode { id: node.id, version: node.meta.version, spec })
            .await
    };
    let is_member = |peer: &Peer| {
        let id = id(peer);
        move |state: &store::State| state.nodes.get(id).unwrap().manager_status.is_some()
    };
    swarm.until(|state| is_member(&second)(state) && is_member(&third)(state)).await;

    let third_id = id(&third);
    let reach = |state: &store::State| {
        state.nodes.get(third_id).unwrap().manager_status.as_ref().map(|status| status.reachability)
    };
    let away = third.stop().await;
    swarm.until(|state| reach(state) == Some(Reachability::Unreachable)).await;
    let refused = demote(&second).await.unwrap_err();
    let words = "can't remove member from the raft: this would result in a loss of quorum";
    assert_eq!((refused.kind, refused.message.as_str()), (RefusalKind::Precondition, words));

    let third = away.start(Beginning::Resume).await;
    swarm.until(|state| reach(state) == Some(Reachability::Reachable)).await;
    demote(&third).await.unwrap();
    timeout(PATIENCE, third.manager.removed()).await.expect("it is let go in time");
    swarm.until(|state| !is_member(&third)(state)).await;
}
