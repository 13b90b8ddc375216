//! Certificates that are renewed in time, by role, or too late.

use std::sync::Arc;
use std::time::Duration;

use agent::Credentials;
use control::leader::{Request, Rotation};
use model::node::{Availability, NodeRole};
use model::{Chance, Timestamp};
use pki::{Authority, Identity, Issue, Key, UnlockKey};

use crate::stage::{LiveNode, Swarm, is_ready};

const HOUR: Duration = Duration::from_secs(3600);

/// The credentials of a worker that joins now, as if they had been issued at another time for an hour.
async fn issued(swarm: &Swarm, name: &str, at: Timestamp) -> Credentials {
    let joined = swarm.join(name).await.credentials.identity();
    let root = swarm.manager.book().state().cluster().unwrap().root_ca.clone();
    let authority = Authority::from_pem(&root.ca_cert, &root.ca_key).unwrap();
    let (node, cluster) = (joined.subject.node_id().unwrap(), joined.subject.cluster_id().unwrap());
    let issue = Issue { node, cluster, role: NodeRole::Worker, expiry: HOUR };
    let key = Key::generate();
    let chain = authority.sign(&key.request(), issue, at, &mut Chance::from_number(1)).unwrap();
    let folder = swarm.folder.path().join(format!("{name}-again"));
    Credentials::begin(&folder, joined.roots().clone(), (&chain, &key.to_file()), None, at).unwrap()
}

/// Waits until a node's certificate is as wished.
async fn until_identity(node: &LiveNode, wished: impl Fn(&Identity) -> bool) -> Arc<Identity> {
    let mut identity = node.credentials.subscribe();
    let reached = tokio::time::timeout(Duration::from_secs(20), identity.wait_for(|now| wished(now)));
    reached.await.expect("the certificate gets there").unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_past_its_time_is_renewed_at_once() {
    let swarm = Swarm::found().await;
    // Its life of two hours began 110 minutes ago: four fifths are over.
    let old = issued(&swarm, "worker", host::clock::now() - Duration::from_secs(50 * 60)).await;
    let before = old.identity().certificate().clone();
    let node = swarm.live("worker-again", Arc::new(old));
    let renewed = until_identity(&node, |identity| *identity.certificate() != before).await;
    assert!(
        renewed.validity.until.since(host::clock::now()) > 2 * HOUR,
        "it is as long as the swarm's settings say"
    );
    swarm.until(|state| is_ready(state, node.id())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_certificate_opens_nothing() {
    let swarm = Swarm::found().await;
    let expired = issued(&swarm, "worker", host::clock::now() - 3 * HOUR).await;
    let nodes = swarm.manager.book().state().nodes.clone();
    assert!(expired.renew(&swarm.addr).await.is_err());
    assert_eq!(swarm.manager.book().state().nodes, nodes, "nothing was asked for");

    let folder = swarm.folder.path().join("worker-again");
    let loaded = Credentials::load(&folder, None).unwrap().unwrap().identity();
    let refused = loaded.trusting(loaded.roots().clone(), host::clock::now()).unwrap_err().to_string();
    assert!(refused.contains("it has expired"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promoted_node_gets_a_managers_certificate_and_seals_its_key() {
    let swarm = Swarm::found().await;
    let node = swarm.join("worker").await;
    swarm.until(|state| is_ready(state, node.id())).await;
    let unlock = UnlockKey::random(&mut Chance::from_number(2));
    let rotation = Rotation { unlock_key: Some(unlock.as_bytes().to_vec()), ..Rotation::default() };
    swarm.update(rotation, |spec| spec.auto_lock_managers = true).await.unwrap();
    assert_eq!(node.credentials.unlock_key(), None);

    let change = |role| {
        let now = swarm.manager.book().state().nodes.get(node.id()).unwrap().clone();
        let spec = model::NodeSpec { desired_role: role, ..now.spec.clone() };
        swarm.manager.ask().request(Request::UpdateNode { id: now.id, version: now.meta.version, spec })
    };
    change(NodeRole::Manager).await.unwrap();
    until_identity(&node, |identity| identity.subject.role() == Some(NodeRole::Manager)).await;
    assert_eq!(node.credentials.unlock_key(), Some(unlock.clone()));
    let version = node.credentials.key_file().unwrap().headers["kek-version"].parse::<u64>().unwrap();
    assert!(version > 0, "the swarm's version");

    let folder = swarm.folder.path().join("manager-joins");
    let token = swarm.tokens.manager.clone();
    let joined = Credentials::join(&folder, &swarm.addr, &token, Availability::Active).await.unwrap();
    assert_eq!(joined.unlock_key(), Some(unlock), "a manager that joins never writes its key openly");
    assert!(Credentials::load(&folder, None).is_err());
}
