//! One root follows another: every node gets a certificate of the new root before the old one goes (`security.md`
//! section 9).
//!
//! In: nodes as they say whose certificate they have, and what the shell knows of the new root. Out: nodes drafted to
//! renew, some at a time; at the end the new root in the place of the old. A node that is down holds the end up until
//! it returns or is removed. What is kept here is patience, and what the shell said; a new leader asks it again.

use std::sync::Arc;

use model::cluster::{RootCa, RootRotation};
use model::node::{IssuanceState, NodeTlsInfo};
use model::{Cluster, Duration, Node, Timestamp};
use store::{Draft, State};

use super::input::{Output, Successor};

/// Nodes are asked to renew this often,
const PERIOD: Duration = Duration::from_secs(3);
/// so many of them.
const BATCH: usize = 30;
/// After this time without an answer the shell is asked again.
const RETRY: Duration = Duration::from_secs(10);

/// How far a succession has come, beside what the book says.
#[derive(Debug)]
pub(super) struct Succession {
    /// What the shell said of the new root.
    successor: Option<Successor>,
    /// When the shell is asked again.
    ask_at: Timestamp,
    /// When the next nodes are asked.
    due: Timestamp,
}

impl Succession {
    /// Nothing is known yet.
    pub(super) fn of(now: Timestamp) -> Self {
        Self { successor: None, ask_at: now, due: now }
    }

    /// The shell says what is to be known of a root.
    pub(super) fn hear(&mut self, successor: Successor) {
        self.successor = Some(successor);
    }

    /// Asks the shell what is to be known of the root that shall follow.
    pub(super) fn wishes(&mut self, state: &State, now: Timestamp) -> Vec<Output> {
        let Some(rotation) = rotation(state) else {
            self.successor = None;
            return Vec::new();
        };
        if self.successor_of(rotation).is_some() || now < self.ask_at {
            return Vec::new();
        }
        self.ask_at = now + RETRY;
        vec![Output::Study(rotation.ca_cert.clone())]
    }

    pub(super) fn wants_draft(&self, state: &State, now: Timestamp) -> bool {
        self.successor_in(state).is_some_and(|successor| {
            let mut left = left(state, successor).peekable();
            left.peek().is_none() || (self.due <= now && left.any(|node| may_be_asked(node)))
        })
    }

    /// When there may be something to do although nothing happens.
    pub(super) fn wake_at(&self, state: &State) -> Option<Timestamp> {
        let rotation = rotation(state)?;
        match self.successor_of(rotation) {
            None => Some(self.ask_at),
            Some(successor) => left(state, successor).any(|node| may_be_asked(node)).then_some(self.due),
        }
    }

    /// Asks the next nodes to renew; once none is left, the new root takes the old one's place.
    pub(super) fn draft(&mut self, draft: &mut Draft) {
        let Some(successor) = self.successor_in(draft).cloned() else { return };
        let left: Vec<Arc<Node>> = left(draft, &successor).cloned().collect();
        if left.is_empty() {
            complete(draft, successor);
        } else if self.due <= draft.now() {
            self.due = draft.now() + PERIOD;
            for node in left.iter().filter(|node| may_be_asked(node)).take(BATCH) {
                draft.edit(node, |node| node.certificate.status.state = IssuanceState::Rotate);
            }
        }
    }

    fn successor_in(&self, state: &State) -> Option<&Successor> {
        self.successor_of(rotation(state)?)
    }

    fn successor_of(&self, rotation: &RootRotation) -> Option<&Successor> {
        self.successor.as_ref().filter(|successor| successor.root == rotation.ca_cert)
    }
}

fn rotation(state: &State) -> Option<&RootRotation> {
    state.cluster()?.root_ca.root_rotation.as_ref()
}

/// The nodes whose certificate is not of the new root, as far as they have said.
fn left<'a>(state: &'a State, successor: &'a Successor) -> impl Iterator<Item = &'a Arc<Node>> {
    state.nodes.iter().filter(|node| {
        let told = node.description.as_ref().and_then(|description| description.tls_info.as_ref());
        told.is_none_or(|told| !is_of(told, &successor.issuer))
    })
}

fn is_of(told: &NodeTlsInfo, issuer: &NodeTlsInfo) -> bool {
    told.cert_issuer_subject == issuer.cert_issuer_subject
        && told.cert_issuer_public_key == issuer.cert_issuer_public_key
}

/// False while the node gets a certificate, or was told to.
fn may_be_asked(node: &Node) -> bool {
    use IssuanceState::{Pending, Renew, Rotate};
    !matches!(node.certificate.status.state, Pending | Renew | Rotate)
}

fn complete(draft: &mut Draft, successor: Successor) {
    let Some(cluster) = draft.cluster().cloned() else { return };
    draft.edit(&cluster, |cluster: &mut Cluster| {
        let root = &mut cluster.root_ca;
        let Some(RootRotation { ca_cert, ca_key, cross_signed_ca_cert: _ }) = root.root_rotation.take()
        else {
            return;
        };
        let Successor { root: _, issuer: _, hash, tokens } = successor;
        *root = RootCa {
            ca_key,
            ca_cert,
            ca_cert_hash: hash,
            join_tokens: tokens,
            root_rotation: None,
            last_forced_rotation: root.last_forced_rotation,
        };
    });
}

#[cfg(test)]
mod tests {
    use model::cluster::JoinTokens;
    use model::node::NodeDescription;
    use model::{Chance, Machine, NodeId};

    use super::*;
    use crate::leader::fixtures::{book, change, cluster, node, node_id};
    use crate::leader::{Input, Leader, SessionEvent, Tell, Ticket};

    /// A leader whose proposals are committed at once, and what it wished to study.
    struct Stage {
        leader: Leader,
        book: State,
        now: Timestamp,
        studied: Vec<Vec<u8>>,
        /// The roots that nodes were told of.
        told: Vec<Vec<u8>>,
    }

    impl Stage {
        /// So many nodes with certificates of the old root, and a rotation that has begun.
        fn new(nodes: u64) -> Self {
            let book = book(|draft| {
                let mut cluster = cluster();
                cluster.root_ca = RootCa { ca_cert: b"old".to_vec(), ..RootCa::default() };
                cluster.root_ca.root_rotation = Some(RootRotation {
                    ca_cert: b"new".to_vec(),
                    ca_key: b"new key".to_vec(),
                    cross_signed_ca_cert: b"crossed".to_vec(),
                });
                cluster.root_ca.last_forced_rotation = 4;
                draft.create(cluster);
                (1..=nodes).for_each(|number| draft.create(with_issuer(number, "old")));
            });
            Self::lead(book, Timestamp::from_parts(100, 0))
        }

        /// A new leader over this book.
        fn lead(book: State, now: Timestamp) -> Self {
            let leader = Leader::new(&book, node_id(1), Chance::from_number(1), now);
            let mut stage = Self { leader, book, now, studied: Vec::new(), told: Vec::new() };
            stage.hear(Input::Wake);
            stage
        }

        fn hear(&mut self, input: Input) {
            let mut inputs = vec![input];
            while let Some(input) = inputs.pop() {
                for output in self.leader.handle(self.now, input) {
                    match output {
                        Output::Propose(changes) => {
                            self.book.apply(self.book.index + 1, &changes);
                            inputs.push(Input::Committed(Box::new(self.book.clone())));
                        }
                        Output::Study(root) => self.studied.push(root),
                        Output::Tell(_, _, Tell::Session(message)) => self.told.push(message.root_ca),
                        _ => {}
                    }
                }
            }
        }

        fn answer(&mut self) {
            let root = self.studied.pop().expect("it was asked");
            let issuer = issuer("new");
            let tokens = JoinTokens { worker: "worker".to_owned(), manager: "manager".to_owned() };
            let successor = Successor { root, issuer, hash: "sha256:new".to_owned(), tokens };
            self.hear(Input::Studied(Box::new(successor)));
        }

        fn pass(&mut self, time: Duration) {
            self.now = self.now + time;
            self.hear(Input::Wake);
        }

        fn asked(&self) -> Vec<NodeId> {
            let asked = |node: &&Arc<Node>| node.certificate.status.state == IssuanceState::Rotate;
            self.book.nodes.iter().filter(asked).map(|node| node.id).collect()
        }

        /// Lets all that were asked get a certificate of the new root.
        fn obey(&mut self) {
            let asked = self.asked();
            change(&mut self.book, |draft| {
                for id in asked {
                    let node = draft.nodes.get(id).cloned().unwrap();
                    draft.edit(&node, |node| {
                        node.certificate.status.state = IssuanceState::Issued;
                        node.description = Some(described("new"));
                    });
                }
            });
            self.hear(Input::Committed(Box::new(self.book.clone())));
        }

        fn root(&self) -> RootCa {
            self.book.cluster().unwrap().root_ca.clone()
        }
    }

    fn issuer(root: &str) -> NodeTlsInfo {
        NodeTlsInfo {
            trust_root: b"whatever it trusts".to_vec(),
            cert_issuer_subject: format!("CN={root}").into_bytes(),
            cert_issuer_public_key: root.as_bytes().to_vec(),
        }
    }

    fn described(root: &str) -> NodeDescription {
        NodeDescription { tls_info: Some(issuer(root)), ..NodeDescription::default() }
    }

    fn with_issuer(number: u64, root: &str) -> Node {
        let mut node = node(number);
        node.description = Some(described(root));
        node.certificate.status.state = IssuanceState::Issued;
        node
    }

    #[test]
    fn thirty_nodes_at_a_time_renew_and_then_the_new_root_stands() {
        let mut stage = Stage::new(70);
        assert!(stage.asked().is_empty(), "nothing is known of the new root yet");
        stage.answer();
        assert_eq!(stage.asked().len(), 30);
        stage.pass(Duration::from_secs(2));
        assert_eq!(stage.asked().len(), 30);
        assert_eq!(stage.leader.wake_at(), Some(stage.now + Duration::from_secs(1)));
        stage.pass(Duration::from_secs(1));
        assert_eq!(stage.asked().len(), 60, "those who were asked are not asked again");
        stage.obey();
        assert!(stage.root().root_rotation.is_some());
        stage.pass(PERIOD);
        assert_eq!(stage.asked().len(), 10);
        stage.obey();
        let expected = RootCa {
            ca_key: b"new key".to_vec(),
            ca_cert: b"new".to_vec(),
            ca_cert_hash: "sha256:new".to_owned(),
            join_tokens: JoinTokens { worker: "worker".to_owned(), manager: "manager".to_owned() },
            root_rotation: None,
            last_forced_rotation: 4,
        };
        assert_eq!(stage.root(), expected);
        assert!(stage.studied.is_empty(), "it is asked once");
    }

    #[test]
    fn a_node_that_is_away_holds_the_end_up_until_it_is_removed() {
        let mut stage = Stage::new(2);
        stage.answer();
        let away = node_id(2);
        change(&mut stage.book, |draft| {
            let node = draft.nodes.get(away).cloned().unwrap();
            draft.edit(&node, |node| node.certificate.status.state = IssuanceState::Issued);
        });
        stage.obey();
        stage.pass(PERIOD);
        assert!(stage.root().root_rotation.is_some());
        assert_eq!(stage.asked(), [away], "it is asked again");
        change(&mut stage.book, |draft| draft.remove(&draft.nodes.get(away).cloned().unwrap()));
        stage.hear(Input::Committed(Box::new(stage.book.clone())));
        assert_eq!(stage.root().ca_cert, b"new");
    }

    #[test]
    fn whoever_is_greeted_with_the_end_hears_of_the_new_root() {
        let mut stage = Stage::new(1);
        stage.answer();
        let (ticket, session, addr) = (Ticket(1), None, String::new());
        let description = Box::new(described("new"));
        let open = SessionEvent::Open { ticket, description, session, addr };
        stage.hear(Input::Session(node_id(1), open));
        assert_eq!(stage.root().ca_cert, b"new");
        assert_eq!(stage.told, [b"new"]);
    }

    #[test]
    fn the_shell_is_asked_again_until_it_answers() {
        let mut stage = Stage::new(1);
        assert_eq!(stage.studied, [b"new"]);
        assert_eq!(stage.leader.wake_at(), Some(stage.now + RETRY));
        stage.pass(RETRY);
        assert_eq!(stage.studied, [b"new", b"new"]);
    }

    #[test]
    fn a_new_leader_goes_on_where_the_last_one_ended() {
        let mut stage = Stage::new(40);
        stage.answer();
        stage.obey();
        let mut next = Stage::lead(stage.book, stage.now);
        next.answer();
        assert_eq!(next.asked().len(), 10);
        next.obey();
        assert_eq!(next.root().ca_cert, b"new");
    }

    #[test]
    fn an_answer_about_another_root_counts_for_nothing() {
        let mut stage = Stage::new(1);
        stage.studied = vec![b"another".to_vec()];
        stage.answer();
        assert!(stage.asked().is_empty());
    }
}
