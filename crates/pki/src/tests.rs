//! Roots, certificates and identities, together.

use model::node::NodeRole;
use model::{Chance, ClusterId, Duration, NodeId, Timestamp};
use proptest::prelude::{any, proptest};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::trust::chain_from_pem;
use crate::{Authority, Identity, Issue, Key, KeyFile, Roots, Subject, Unusable, Validity};

const NOW: Timestamp = Timestamp::from_parts(1_800_000_017, 5);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The authority of a swarm, and chance.
struct Swarm {
    authority: Authority,
    chance: Chance,
    cluster: ClusterId,
}

impl Swarm {
    fn new(seed: u64) -> Self {
        let mut chance = Chance::from_number(seed);
        let authority = Authority::found(NOW, &mut chance);
        let cluster = ClusterId::random(&mut chance);
        Self { authority, chance, cluster }
    }

    fn roots(&self) -> Roots {
        Roots::from_pem(self.authority.certificate_pem()).unwrap()
    }

    fn issue(&mut self, role: NodeRole) -> Issue {
        let node = NodeId::random(&mut self.chance);
        Issue { node, cluster: self.cluster, role, expiry: 90 * DAY }
    }

    fn sign(&mut self, key: &Key, issue: Issue) -> Vec<u8> {
        self.authority.sign(&key.request(), issue, NOW, &mut self.chance).unwrap()
    }
}

fn fields(certificate: &[u8]) -> String {
    let der = chain_from_pem(certificate).unwrap().remove(0);
    let (_, parsed) = X509Certificate::from_der(&der).unwrap();
    let names = parsed.subject_alternative_name().unwrap().map(|names| {
        names.value.general_names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    });
    let usage = parsed.key_usage().unwrap().unwrap();
    let constraints = parsed.basic_constraints().unwrap().unwrap();
    let purposes = parsed
        .extended_key_usage()
        .unwrap()
        .map(|purposes| (purposes.value.server_auth, purposes.value.client_auth, purposes.critical));
    format!(
        "{}\n{}\nusage {} {}\nca {} {}\npurposes {purposes:?}",
        parsed.subject(),
        names.unwrap_or_default(),
        usage.value,
        usage.critical,
        constraints.value.ca,
        constraints.critical,
    )
}

#[test]
fn a_root_has_the_fields_that_nodes_expect() {
    let swarm = Swarm::new(1);
    let expected = "CN=swarm-ca\n\nusage Key Cert Sign, CRL Sign true\nca true true\npurposes None";
    assert_eq!(fields(swarm.authority.certificate_pem()), expected);
    let validity = Validity::of(&swarm.roots().certificates()[0]).unwrap();
    assert_eq!(validity.from, Timestamp::from_parts(1_800_000_000 - 300, 0));
    assert_eq!(validity.until.since(validity.from), 7300 * DAY);
}

#[test]
fn certificates_of_nodes_have_the_fields_that_nodes_expect() {
    let mut swarm = Swarm::new(2);
    for (role, unit, last) in
        [(NodeRole::Manager, "swarm-manager", ", DNSName(swarm-ca)"), (NodeRole::Worker, "swarm-worker", "")]
    {
        let issue = swarm.issue(role);
        let certificate = swarm.sign(&Key::generate(), issue);
        let (node, cluster) = (issue.node, issue.cluster);
        let expected = format!(
            "O={cluster}, OU={unit}, CN={node}\nDNSName({unit}), DNSName({node}){last}\n\
             usage Digital Signature, Key Encipherment true\nca false true\npurposes Some((true, true, false))"
        );
        assert_eq!(fields(&certificate), expected);

        let leaf = &chain_from_pem(&certificate).unwrap()[0];
        let validity = Validity::of(leaf).unwrap();
        assert_eq!(validity.from, Timestamp::from_parts(1_800_000_000 - 3600, 0));
        assert_eq!(validity.until, Timestamp::from_parts(1_800_000_000, 0) + 90 * DAY);
        let subject = Subject::of(leaf).unwrap();
        assert_eq!((subject.node_id(), subject.cluster_id()), (Some(node), Some(cluster)));
        assert_eq!(subject.role(), Some(role));
    }
}

#[test]
fn a_life_too_short_becomes_the_usual_one() {
    let mut swarm = Swarm::new(3);
    let issue = Issue { expiry: Duration::from_secs(1), ..swarm.issue(NodeRole::Worker) };
    let certificate = swarm.sign(&Key::generate(), issue);
    let validity = Validity::of(&chain_from_pem(&certificate).unwrap()[0]).unwrap();
    assert!(validity.until.since(NOW) > 89 * DAY);
}

#[test]
fn an_identity_is_loaded_with_its_own_key_and_root_only() {
    let mut swarm = Swarm::new(4);
    let key = Key::generate();
    let issue = swarm.issue(NodeRole::Manager);
    let certificate = swarm.sign(&key, issue);
    let load = |roots, file, now| Identity::load(roots, &certificate, &file, now);

    let identity = load(swarm.roots(), key.to_file(), NOW).unwrap();
    assert_eq!(identity.subject.node_id(), Some(issue.node));
    identity.client_tls().unwrap();
    identity.server_tls().unwrap();
    let info = identity.tls_info();
    assert_eq!(info.trust_root, swarm.authority.certificate_pem());
    assert!(!info.cert_issuer_subject.is_empty() && !info.cert_issuer_public_key.is_empty());

    let untrusted = |result: Result<Identity, Unusable>| matches!(result, Err(Unusable::Untrusted { .. }));
    assert!(untrusted(load(swarm.roots(), Key::generate().to_file(), NOW)), "another's key");
    assert!(untrusted(load(Swarm::new(5).roots(), key.to_file(), NOW)), "another's root");
    assert!(untrusted(load(swarm.roots(), key.to_file(), NOW + 91 * DAY)), "too late");
    assert!(untrusted(load(swarm.roots(), key.to_file(), NOW - DAY)), "too early");
    assert!(Identity::load_expired(swarm.roots(), &certificate, &key.to_file()).is_ok());
}

#[test]
fn renewal_falls_between_half_and_four_fifths_of_a_life() {
    let mut swarm = Swarm::new(6);
    let key = Key::generate();
    let issue = swarm.issue(NodeRole::Worker);
    let certificate = swarm.sign(&key, issue);
    let identity = Identity::load(swarm.roots(), &certificate, &key.to_file(), NOW).unwrap();
    let life = identity.validity.until.since(identity.validity.from);
    for _ in 0..100 {
        let age = identity.renew_at(&mut swarm.chance).since(identity.validity.from);
        assert!(age >= life / 2 && age < life * 4 / 5 && age.as_secs().is_multiple_of(60), "{age:?}");
    }
}

#[test]
fn an_authority_reads_back_and_signs_alike() {
    let mut swarm = Swarm::new(7);
    let again = Authority::from_pem(swarm.authority.certificate_pem(), swarm.authority.key_pem()).unwrap();
    let key = Key::generate();
    let issue = swarm.issue(NodeRole::Worker);
    let certificate = again.sign(&key.request(), issue, NOW, &mut swarm.chance).unwrap();
    assert!(Identity::load(swarm.roots(), &certificate, &key.to_file(), NOW).is_ok());
}

#[test]
fn a_leaf_is_no_root() {
    let mut swarm = Swarm::new(8);
    let issue = swarm.issue(NodeRole::Worker);
    let certificate = swarm.sign(&Key::generate(), issue);
    assert!(Roots::from_pem(&certificate).is_err());
    assert!(Roots::from_pem(b"").is_err());
}

#[test]
fn a_clock_that_is_up_to_an_hour_behind_does_no_harm() {
    let mut swarm = Swarm::new(10);
    let key = Key::generate();
    let issue = swarm.issue(NodeRole::Worker);
    let certificate = swarm.sign(&key, issue);
    let load = |now| Identity::load(swarm.roots(), &certificate, &key.to_file(), now);
    let minute = Duration::from_secs(60);
    assert!(load(NOW - 59 * minute).is_ok());
    let refused = load(NOW - 61 * minute).unwrap_err().to_string();
    assert!(refused.contains("not yet valid") && refused.contains("clock"), "{refused}");
    assert!(load(NOW + 60 * minute).is_ok());
    let refused = load(NOW + 91 * DAY).unwrap_err().to_string();
    assert!(refused.contains("expired"), "{refused}");
}

/// A new root that an old one has signed.
fn succession(old: &Swarm, new: &Swarm) -> Authority {
    let crossed = old.authority.cross_sign(new.authority.certificate_pem()).unwrap();
    Authority::from_pem(new.authority.certificate_pem(), new.authority.key_pem())
        .unwrap()
        .with_intermediates(&crossed)
}

#[test]
fn a_certificate_of_a_new_root_is_trusted_by_old_and_new_nodes() {
    let (mut old, new) = (Swarm::new(11), Swarm::new(12));
    let (key, issue) = (Key::generate(), old.issue(NodeRole::Manager));
    let next = succession(&old, &new);
    let chain = next.sign(&key.request(), issue, NOW, &mut old.chance).unwrap();
    for roots in [old.roots(), new.roots()] {
        let identity = Identity::load(roots.clone(), &chain, &key.to_file(), NOW).unwrap();
        let (told, expected) = (identity.tls_info(), new.roots().as_issuer());
        assert_eq!(told.cert_issuer_public_key, expected.cert_issuer_public_key);
        assert_eq!(told.cert_issuer_subject, expected.cert_issuer_subject);
        assert_eq!(told.trust_root, roots.pem());
    }
    let stranger = Swarm::new(13).roots();
    assert!(Identity::load(stranger, &chain, &key.to_file(), NOW).is_err());
    let both = old.roots().and(new.authority.certificate_pem()).unwrap();
    assert_eq!(both.certificates().len(), 2);
}

#[test]
fn a_root_that_another_signed_stays_what_it_is() {
    let (old, new) = (Swarm::new(14), Swarm::new(15));
    let crossed = old.authority.cross_sign(new.authority.certificate_pem()).unwrap();
    let (crossed, itself) =
        (chain_from_pem(&crossed).unwrap(), chain_from_pem(new.authority.certificate_pem()).unwrap());
    let (_, crossed) = X509Certificate::from_der(&crossed[0]).unwrap();
    let (_, itself) = X509Certificate::from_der(&itself[0]).unwrap();
    assert_eq!(crossed.subject().as_raw(), itself.subject().as_raw());
    assert_eq!(crossed.public_key(), itself.public_key());
    assert_eq!(crossed.validity(), itself.validity());
    assert_eq!(crossed.raw_serial(), itself.raw_serial());
    assert_eq!(crossed.extensions(), itself.extensions());
    let signer = chain_from_pem(old.authority.certificate_pem()).unwrap();
    let (_, signer) = X509Certificate::from_der(&signer[0]).unwrap();
    crossed.verify_signature(Some(signer.public_key())).unwrap();
    assert!(itself.verify_signature(Some(signer.public_key())).is_err());
}

#[test]
fn only_the_new_root_as_the_old_one_signed_it_is_taken() {
    let (old, new, other) = (Swarm::new(17), Swarm::new(18), Swarm::new(19));
    let cross =
        |signer: &Swarm, root: &Swarm| signer.authority.cross_sign(root.authority.certificate_pem()).unwrap();
    old.roots().check_crossed(&cross(&old, &new), &new.roots()).unwrap();
    assert!(old.roots().check_crossed(&cross(&other, &new), &new.roots()).is_err());
    assert!(old.roots().check_crossed(&cross(&old, &other), &new.roots()).is_err());
    assert!(old.roots().check_crossed(new.authority.certificate_pem(), &new.roots()).is_err());
}

#[test]
fn a_root_asks_another_authority_with_its_own_name_and_key() {
    let swarm = Swarm::new(20);
    let request = swarm.authority.request().unwrap();
    let (_, request) = x509_parser::pem::parse_x509_pem(&request).unwrap();
    let (_, request) =
        x509_parser::certification_request::X509CertificationRequest::from_der(&request.contents).unwrap();
    request.verify_signature().unwrap();
    let info = &request.certification_request_info;
    assert_eq!(info.subject.to_string(), "CN=swarm-ca");
    assert_eq!(info.subject_pki.raw, swarm.roots().as_issuer().cert_issuer_public_key);
}

fn of_openssl(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/openssl/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn roots_of_other_kinds_are_refused_and_it_is_said_which_are_not() {
    let key = "its key is neither RSA of 2048 bits or more nor ECDSA on P-256 or P-384";
    let signature = "it is signed neither by RSA nor by ECDSA with SHA-256, SHA-384 or SHA-512";
    for (kind, why) in [("p521", key), ("ed25519", key), ("rsa1024", key), ("sha1", signature)] {
        let refused = Roots::from_pem(&of_openssl(&format!("{kind}.crt"))).unwrap_err();
        assert_eq!(refused.to_string(), format!("the root certificate must not be used: {why}"), "{kind}");
    }
    let refused = Authority::from_pem(&of_openssl("p521.crt"), &of_openssl("p521.key")).unwrap_err();
    assert_eq!(refused.to_string(), format!("the root certificate must not be used: {key}"));
}

#[test]
fn roots_that_openssl_makes_can_sign_and_follow() {
    let mut swarm = Swarm::new(16);
    for kind in ["p256", "p384", "rsa"] {
        let (certificate, key) = (of_openssl(&format!("{kind}.crt")), of_openssl(&format!("{kind}.key")));
        let theirs = Authority::from_pem(&certificate, &key).unwrap();
        let crossed = swarm.authority.cross_sign(&certificate).unwrap();
        let (key, issue) = (Key::generate(), swarm.issue(NodeRole::Worker));
        let again = Authority::from_pem(theirs.certificate_pem(), theirs.key_pem()).unwrap();
        let again = again.with_intermediates(&crossed);
        let chain = again.sign(&key.request(), issue, NOW, &mut swarm.chance).unwrap();
        for roots in [swarm.roots(), Roots::from_pem(&certificate).unwrap()] {
            Identity::load(roots, &chain, &key.to_file(), NOW)
                .unwrap_or_else(|error| panic!("{kind}: {error}"));
        }

        let back = theirs.cross_sign(swarm.authority.certificate_pem()).unwrap();
        let ours = Authority::from_pem(swarm.authority.certificate_pem(), swarm.authority.key_pem()).unwrap();
        let ours = ours.with_intermediates(&back);
        let chain = ours.sign(&key.request(), issue, NOW, &mut swarm.chance).unwrap();
        Identity::load(Roots::from_pem(&certificate).unwrap(), &chain, &key.to_file(), NOW)
            .unwrap_or_else(|error| panic!("{kind} first: {error}"));
        let mismatch = Authority::from_pem(&certificate, swarm.authority.key_pem()).unwrap_err();
        assert!(mismatch.to_string().contains("certificate key mismatch"), "{mismatch}");
    }
}

proptest! {
    #[test]
    fn garbage_is_no_key_certificate_or_request(
        bytes in any::<Vec<u8>>(),
        kind in "PRIVATE KEY|CERTIFICATE|CERTIFICATE REQUEST",
        body in "[a-zA-Z0-9+/:= \n]{0,80}",
    ) {
        let mut swarm = Swarm::new(9);
        let issue = swarm.issue(NodeRole::Worker);
        let text = format!("-----BEGIN {kind}-----\n{body}\n-----END {kind}-----\n");
        for bytes in [bytes.as_slice(), text.as_bytes()] {
            if let Ok(file) = KeyFile::parse(bytes) {
                assert!(Key::from_file(&file).is_err());
            }
            assert!(Roots::from_pem(bytes).is_err());
            assert!(Subject::of(bytes).is_err());
            assert!(swarm.authority.sign(bytes, issue, NOW, &mut swarm.chance).is_err());
        }
    }
}
