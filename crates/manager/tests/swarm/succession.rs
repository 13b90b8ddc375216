//! One root follows another while everything runs.

use std::sync::Arc;

use agent::Credentials;
use control::leader::Rotation;
use model::cluster::CaConfig;
use model::node::Availability;
use model::{Chance, TaskSpec, TaskState};
use pki::{Authority, Roots};
use store::State;

use crate::stage::{Swarm, is_ready};

fn all_run(state: &State) -> bool {
    state.tasks.iter().count() == 10 && state.tasks.iter().all(|task| task.status.state == TaskState::Running)
}

fn is_rotated(state: &State, before: &[u8]) -> bool {
    let root = &state.cluster().unwrap().root_ca;
    root.root_rotation.is_none() && root.ca_cert != before
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_follows_another_while_everything_runs() {
    let swarm = Swarm::found().await;
    let mut nodes = vec![swarm.live("manager", Arc::clone(&swarm.credentials))];
    nodes.push(swarm.join("one").await);
    nodes.push(swarm.join("two").await);
    let ids: Vec<_> = nodes.iter().map(|node| node.id()).collect();
    swarm.until(|state| ids.iter().all(|node| is_ready(state, *node))).await;
    swarm.create(10, nothing()).await;
    let before = swarm.until(all_run).await;
    let root = before.cluster().unwrap().root_ca.clone();

    swarm.update(Rotation::default(), |spec| spec.ca.force_rotate = 1).await.unwrap();
    let after = swarm.until(|state| is_rotated(state, &root.ca_cert)).await;
    let now = after.cluster().unwrap().root_ca.clone();
    assert_eq!(now.ca_cert_hash, pki::token::root_hash(&now.ca_cert));
    assert_eq!(now.last_forced_rotation, 1);
    assert_ne!(now.join_tokens, root.join_tokens);
    for node in &nodes {
        let mut identity = node.credentials.subscribe();
        let trusts = identity.wait_for(|identity| identity.roots().pem() == now.ca_cert);
        tokio::time::timeout(std::time::Duration::from_secs(20), trusts).await.unwrap().unwrap();
    }
    let same = |task: &Arc<model::Task>| {
        let now = after.tasks.get(task.id);
        now.is_some_and(|now| {
            now.status.state == TaskState::Running && now.desired_state == TaskState::Running
        })
    };
    assert!(before.tasks.iter().all(same), "no task was disturbed");
    assert!(ids.iter().all(|node| is_ready(&after, *node)));

    let folder = swarm.folder.path().join("late");
    let late = Credentials::join(&folder, &swarm.addr, &root.join_tokens.worker, Availability::Active).await;
    let told = late.unwrap_err().to_string();
    assert!(told.starts_with("remote CA does not match fingerprint"), "{told}");
    let joined = swarm.join("three").await;
    swarm.until(|state| is_ready(state, joined.id())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_of_the_users_own_follows_and_may_be_called_off() {
    let swarm = Swarm::found().await;
    let node = swarm.live("manager", Arc::clone(&swarm.credentials));
    let away = swarm.join("away").await;
    let (here, there) = (node.id(), away.id());
    swarm.until(|state| is_ready(state, here) && is_ready(state, there)).await;
    drop(away); // It holds the rotation up.

    let old = swarm.manager.book().state().cluster().unwrap().root_ca.clone();
    let own = Authority::found(host::clock::now(), &mut Chance::from_number(8));
    let set = |ca: &mut CaConfig, certificate: &[u8], key: &[u8]| {
        (ca.signing_ca_cert, ca.signing_ca_key) = (certificate.to_vec(), key.to_vec());
    };
    let use_own = |spec: &mut model::ClusterSpec| set(&mut spec.ca, own.certificate_pem(), own.key_pem());
    swarm.update(Rotation::default(), use_own).await.unwrap();
    let issuer = Roots::from_pem(own.certificate_pem()).unwrap().as_issuer();
    let is_of_own = |state: &State| {
        let node = state.nodes.get(here).and_then(|node| node.description.clone());
        let told = node.and_then(|description| description.tls_info);
        told.is_some_and(|told| told.cert_issuer_public_key == issuer.cert_issuer_public_key)
    };
    let state = swarm.until(is_of_own).await;
    assert!(state.cluster().unwrap().root_ca.root_rotation.is_some(), "one node is still away");

    let use_old = |spec: &mut model::ClusterSpec| set(&mut spec.ca, &old.ca_cert, &old.ca_key);
    swarm.update(Rotation::default(), use_old).await.unwrap();
    let root = swarm.manager.book().state().cluster().unwrap().root_ca.clone();
    assert_eq!((root.ca_cert, root.join_tokens), (old.ca_cert.clone(), old.join_tokens.clone()));
    assert!(root.root_rotation.is_none(), "it is called off");

    swarm.update(Rotation::default(), use_own).await.unwrap();
    let remove = control::leader::Request::RemoveNode { id: there, force: true };
    swarm.manager.ask().request(remove).await.unwrap();
    let state = swarm.until(|state| is_rotated(state, &old.ca_cert)).await;
    assert_eq!(state.cluster().unwrap().root_ca.ca_cert, own.certificate_pem());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roots_that_break_a_rule_are_refused_in_known_words_and_change_nothing() {
    let swarm = Swarm::found().await;
    let old = swarm.manager.book().state().cluster().unwrap().root_ca.clone();
    let chance = &mut Chance::from_number(9);
    let (one, two) =
        (Authority::found(host::clock::now(), chance), Authority::found(host::clock::now(), chance));
    let soon = Authority::found(host::clock::now() - model::Duration::from_secs(6_950 * 24 * 3600), chance);
    let both = [one.certificate_pem(), two.certificate_pem()].concat();
    let no_key: &[u8] = b"";
    for (certificate, key, words) in [
        (no_key, one.key_pem(), "if a signing CA key is provided, the signing CA cert must also be provided"),
        (one.certificate_pem(), two.key_pem(), "certificate key mismatch"),
        (soon.certificate_pem(), soon.key_pem(), "CA certificate expires too soon"),
        (&both, one.key_pem(), "the desired CA certificate cannot contain multiple certificates"),
        (
            one.certificate_pem(),
            no_key,
            "there must be at least one valid, reachable external CA corresponding to the desired CA certificate",
        ),
        (b"garbage", no_key, "the certificate cannot be read: there is none in the PEM"),
    ] {
        let refused = swarm.update(Rotation::default(), |spec| {
            (spec.ca.signing_ca_cert, spec.ca.signing_ca_key) = (certificate.to_vec(), key.to_vec());
        });
        assert_eq!(refused.await.unwrap_err().message, words);
    }
    assert_eq!(swarm.manager.book().state().cluster().unwrap().root_ca, old);
}

fn nothing() -> TaskSpec {
    let container = model::ContainerSpec { image: "nothing".to_owned(), ..Default::default() };
    TaskSpec { runtime: model::Runtime::Container(Box::new(container)), ..TaskSpec::default() }
}
