//! Signers outside the swarm.

use std::sync::Arc;
use std::time::Duration;

use control::leader::Rotation;
use model::cluster::{ExternalCa, RootCa};
use model::node::IssuanceState;
use model::{Chance, ClusterSpec};
use pki::Authority;
use serde_json::json;

use crate::cfssl::{Cfssl, Habit};
use crate::stage::{LiveNode, Swarm, is_ready};

fn root(swarm: &Swarm) -> RootCa {
    swarm.manager.book().state().cluster().unwrap().root_ca.clone()
}

fn external(url: &str, root: &[u8]) -> ExternalCa {
    ExternalCa { url: url.to_owned(), ca_cert: root.to_vec(), ..ExternalCa::default() }
}

async fn set(swarm: &Swarm, edit: impl FnOnce(&mut ClusterSpec)) {
    swarm.update(Rotation::default(), edit).await.unwrap();
}

/// A swarm with one manager at work, and a signer with its root.
async fn stage() -> (Swarm, LiveNode, Cfssl) {
    let swarm = Swarm::found().await;
    let node = swarm.live("manager", Arc::clone(&swarm.credentials));
    let me = node.id();
    swarm.until(|state| is_ready(state, me)).await;
    let RootCa { ca_cert, ca_key, .. } = root(&swarm);
    let signer = Cfssl::serve(&ca_cert, &ca_key).await;
    let url = signer.url.clone();
    set(&swarm, |spec| spec.ca.external_cas = vec![external(&url, b"")]).await;
    (swarm, node, signer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signer_outside_signs_for_the_swarm() {
    let (swarm, _node, signer) = stage().await;
    let joined = swarm.join("worker").await;
    swarm.until(|state| is_ready(state, joined.id())).await;
    let asked = signer.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0]["subject"]["CN"], joined.id().to_string());
    let life = joined.credentials.identity().validity;
    assert!(
        life.until.since(life.from) < Duration::from_secs(4 * 3600),
        "it is the signer who says how long"
    );
}

/// What becomes of a certificate that this signer is asked for.
async fn fate(swarm: &Swarm, signer: &Cfssl, habit: Habit) -> String {
    *signer.habit.lock().unwrap() = habit;
    let RootCa { join_tokens, .. } = root(swarm);
    let known: Vec<_> = swarm.manager.book().state().nodes.iter().map(|node| node.id).collect();
    let csr = pki::Key::generate().request();
    let token = join_tokens.worker.clone();
    let request = control::leader::Request::IssueCertificate { token, csr, availability: Default::default() };
    swarm.manager.ask().request(request).await.unwrap();
    let failed = |node: &Arc<model::Node>| {
        !known.contains(&node.id) && node.certificate.status.state == IssuanceState::Failed
    };
    let state = swarm.until(|state| state.nodes.iter().any(failed)).await;
    let node = state.nodes.iter().find(|node| failed(node)).unwrap();
    node.certificate.status.err.clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_signer_says_is_judged() {
    let (swarm, _node, signer) = stage().await;
    let says = |text: &str| Habit::Says(text.as_bytes().to_vec());
    let no = json!({ "success": false, "errors": [{ "code": 1, "message": "not today" }] }).to_string();
    let nonsense = json!({ "success": true, "result": { "certificate": "nonsense" } }).to_string();
    for (habit, words) in [
        (says("garbage"), "no answer of cfssl's"),
        (says(&no), "not today"),
        (says(&nonsense), "the certificate cannot be read"),
        (says("{}"), "200 OK"),
        (Habit::Says(vec![b' '; 300 << 10]), "more than 262144 bytes"),
        (Habit::Mistakes, "names another node, role or swarm"),
    ] {
        let fate = fate(&swarm, &signer, habit).await;
        assert!(fate.contains(words), "{fate}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_outside_follows_and_is_followed() {
    let swarm = Swarm::found().await;
    let node = swarm.live("manager", Arc::clone(&swarm.credentials));
    let me = node.id();
    swarm.until(|state| is_ready(state, me)).await;
    let outside = Authority::found(host::clock::now(), &mut Chance::from_number(6));
    let signer = Cfssl::serve(outside.certificate_pem(), outside.key_pem()).await;
    let is_outside =
        |root: &RootCa| root.ca_cert == outside.certificate_pem() && root.root_rotation.is_none();

    set(&swarm, |spec| {
        spec.ca.signing_ca_cert = outside.certificate_pem().to_vec();
        spec.ca.external_cas = vec![external(&signer.url, outside.certificate_pem())];
    })
    .await;
    let state = swarm.until(|state| is_outside(&state.cluster().unwrap().root_ca)).await;
    assert!(state.cluster().unwrap().root_ca.ca_key.is_empty(), "only the signer has the key");
    let joined = swarm.join("worker").await;
    swarm.until(|state| is_ready(state, joined.id())).await;

    let other = Authority::found(host::clock::now(), &mut Chance::from_number(7));
    let another = Cfssl::serve(other.certificate_pem(), other.key_pem()).await;
    let refused = swarm.update(Rotation::default(), |spec| {
        spec.ca.signing_ca_cert = other.certificate_pem().to_vec();
        spec.ca.external_cas.push(external(&another.url, other.certificate_pem()));
    });
    let words = "rotating from one external CA to a different external CA is not supported";
    assert_eq!(refused.await.unwrap_err().message, words);
    let refused = swarm.update(Rotation::default(), |spec| {
        spec.ca.signing_ca_cert.clear();
        spec.ca.external_cas.clear();
    });
    let words =
        "there must be at least one valid, reachable external CA corresponding to the current CA certificate";
    assert_eq!(refused.await.unwrap_err().message, words);

    set(&swarm, |spec| {
        spec.ca.signing_ca_cert.clear();
        spec.ca.force_rotate = 1;
    })
    .await;
    let state = swarm.until(|state| !state.cluster().unwrap().root_ca.ca_key.is_empty()).await;
    assert!(state.cluster().unwrap().root_ca.root_rotation.is_none());
    assert!(signer.asked.lock().unwrap().iter().any(|question| question["profile"] == "CA"));
}
