//! Pumps the leader while this manager leads.
//!
//! In: questions, the replica's news, who is in the group. Out: proposals, answers, what nodes are told, certificates,
//! dismissals. The leader is made of the book when leadership is established, and dropped when it is lost; then
//! everyone who waits is told. What takes its time outside of this machine is an [`Errand`], which nobody waits for.

use std::collections::VecDeque;
use std::sync::Arc;

use control::leader::{Input, Output, Request, Rotation, SignRequest};
use host::clock;
use host::pump::sleep_until;
use model::limits::REQUESTS_WAITING_MAX;
use model::{Chance, ClusterId, ClusterSpec, Machine, NodeId, Refusal, Timestamp, Version};
use raft::ReplicaId;
use store::State;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::ask::{Question, Reply};
use crate::authority;
use crate::desk::Desk;
use crate::external::Externals;
use crate::manager::Alarm;
use crate::members::GroupView;
use crate::replica::{Order, ReplicaNews};
use crate::signer::{self, Signer};

/// The pump. `M` is the leader; `F` makes one of the book.
pub(crate) struct LeaderPump<M, F> {
    make: F,
    leader: Option<M>,
    /// The book as the leader last heard it.
    state: Arc<State>,
    group: GroupView,
    desk: Desk,
    orders: mpsc::Sender<Order>,
    chance: Chance,
    last_proposal: u64,
    in_flight: Option<u64>,
    externals: Externals,
    errands: JoinSet<Option<Errand>>,
    _alarm: Alarm,
}

/// What came back from outside.
enum Errand {
    /// A signer has answered.
    Signed(NodeId, Result<Vec<u8>, String>),
    /// A question is ready for the leader.
    Ready(Question),
}

impl<M, F> LeaderPump<M, F>
where
    M: Machine<Input = Input, Output = Output>,
    F: Fn(&State, Chance, Timestamp) -> M,
{
    pub(crate) fn new(
        make: F,
        group: GroupView,
        orders: mpsc::Sender<Order>,
        chance: Chance,
        (externals, alarm): (Externals, Alarm),
    ) -> Self {
        Self {
            make,
            leader: None,
            state: Arc::default(),
            group,
            desk: Desk::default(),
            orders,
            chance,
            last_proposal: 0,
            in_flight: None,
            externals,
            errands: JoinSet::new(),
            _alarm: alarm,
        }
    }

    /// Runs until told to stop.
    pub(crate) async fn run(
        mut self,
        mut questions: mpsc::Receiver<Question>,
        mut news: mpsc::UnboundedReceiver<ReplicaNews>,
        stop: CancellationToken,
    ) {
        loop {
            let due = self.leader.as_ref().and_then(Machine::wake_at);
            let mut inputs = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(news) = news.recv() => self.hear(news),
                () = self.group.changed(), if self.leader.is_some() => vec![self.members()],
                Some(errand) = self.errands.join_next() => self.returned(errand.ok().flatten()),
                Some(question) = questions.recv(), if self.has_room() => self.take(question),
                () = sleep_until(due) => vec![Input::Wake],
            };
            // Whatever waits already may be part of the same proposal.
            while self.has_room()
                && let Ok(question) = questions.try_recv()
            {
                inputs.extend(self.take(question));
            }
            self.tell(Input::Together(inputs)).await;
        }
    }

    /// Whether a question can be put to the leader; if not, it waits at the door.
    fn has_room(&self) -> bool {
        self.leader.is_some() && self.desk.waiting() < REQUESTS_WAITING_MAX
    }

    /// What the replica's news mean for the leader.
    fn hear(&mut self, news: ReplicaNews) -> Vec<Input> {
        match news {
            ReplicaNews::Established(state) => {
                let chance = Chance::from_seed(self.chance.bytes());
                self.leader = Some((self.make)(&state, chance, clock::now()));
                self.state = state;
                vec![self.members(), Input::Wake]
            }
            ReplicaNews::Committed { state, proposal } => {
                self.state = state;
                // While a proposal is in flight, only the book that holds it is of interest.
                if self.in_flight.is_some() && self.in_flight != proposal {
                    return Vec::new();
                }
                self.in_flight = None;
                vec![Input::Committed(Box::new((*self.state).clone()))]
            }
            ReplicaNews::Lost => {
                self.leader = None;
                self.in_flight = None;
                self.desk = Desk::default(); // Whoever waits there is told that the leader was lost.
                Vec::new()
            }
        }
    }

    fn take(&mut self, question: Question) -> Vec<Input> {
        match question {
            stale if stale.is_stale() => Vec::new(),
            Question::Request(Request::UpdateCluster { id, version, spec, rotation }, reply) => {
                self.prepare((id, version), spec, rotation, reply);
                Vec::new()
            }
            question => vec![self.desk.take(question)],
        }
    }

    /// New settings may wish another authority, which is made ready before the leader hears of it.
    fn prepare(
        &mut self,
        (id, version): (ClusterId, Version),
        spec: Box<ClusterSpec>,
        rotation: Rotation,
        reply: Reply,
    ) {
        let (state, externals) = (Arc::clone(&self.state), self.externals.clone());
        let mut chance = Chance::from_seed(self.chance.bytes());
        self.errands.spawn(async move {
            let prepared = match state.cluster().filter(|cluster| cluster.meta.version == version) {
                Some(cluster) => authority::prepare(cluster, &spec.ca, &externals, &mut chance).await,
                None => Err(Refusal::out_of_sequence()),
            };
            match prepared {
                Ok(authority) => {
                    let rotation = Rotation { authority, ..rotation };
                    let request = Request::UpdateCluster { id, version, spec, rotation };
                    Some(Errand::Ready(Question::Request(request, reply)))
                }
                Err(refusal) => {
                    // Whoever asked may have gone.
                    let _ = reply.send(Err(refusal));
                    None
                }
            }
        });
    }

    /// What comes back when this manager leads no more is for nobody.
    fn returned(&mut self, errand: Option<Errand>) -> Vec<Input> {
        match errand.filter(|_| self.leader.is_some()) {
            Some(Errand::Signed(node, signed)) => vec![Input::Signed(node, signed)],
            Some(Errand::Ready(question)) => vec![self.desk.take(question)],
            None => Vec::new(),
        }
    }

    /// Signs here, or sends for it.
    fn sign(&mut self, node: NodeId, request: SignRequest) -> Option<Input> {
        match Signer::of(&self.state) {
            Ok(Signer::Swarm(authority)) => {
                Some(Input::Signed(node, signer::sign(&authority, &request, &mut self.chance)))
            }
            Ok(Signer::Outside(outside)) => {
                let externals = self.externals.clone();
                self.errands.spawn(async move {
                    let signed = outside.sign(&externals, &request).await?;
                    Some(Errand::Signed(node, signed))
                });
                None
            }
            Err(why) => Some(Input::Signed(node, Err(why))),
        }
    }

    /// Who is in the group, as the leader wants to know it.
    fn members(&mut self) -> Input {
        Input::Members(self.group.as_members())
    }

    /// Hands something to the leader and carries out what it wishes, and what follows from that.
    async fn tell(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let Some(leader) = &mut self.leader else { return };
            for output in leader.handle(clock::now(), input) {
                inputs.extend(self.carry_out(output).await);
            }
        }
    }

    async fn carry_out(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Propose(changes) => self.propose(changes).await,
            Output::Answer(ticket, result) => self.desk.answer(ticket, result),
            Output::Tell(node, session, tell) => self.desk.tell(node, session, tell),
            Output::Dismiss(node) => self.order_about(node, Order::remove).await,
            Output::HandOver(node) => self.order_about(node, Order::TransferLeader).await,
            Output::Study(root) => match signer::study(root, &mut self.chance) {
                Ok(successor) => return Some(Input::Studied(Box::new(successor))),
                Err(error) => tracing::error!(%error, "the root that shall follow cannot be read"),
            },
            Output::Sign(node, request) => return self.sign(node, request),
        }
        None
    }

    /// Orders something to be done about a member of the group, unless it has gone meanwhile.
    async fn order_about(&mut self, node: NodeId, order: impl FnOnce(ReplicaId) -> Order) {
        let Some(replica) = self.group.replica_of(node) else { return };
        // The replica's pump may have ended first on the way down.
        let _ = self.orders.send(order(replica)).await;
    }

    async fn propose(&mut self, changes: Vec<store::Change>) {
        self.last_proposal += 1;
        let proposal = self.last_proposal;
        self.in_flight = Some(proposal);
        // The replica's pump may have ended first on the way down.
        let _ = self.orders.send(Order::Propose { proposal, changes }).await;
    }
}
