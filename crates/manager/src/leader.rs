//! Pumps the leader while this manager leads.
//!
//! In: questions, the replica's news, who is in the group. Out: proposals, answers, what nodes are told, certificates,
//! dismissals. The leader is made of the book when leadership is established, and dropped when it is lost; then
//! everyone who waits is told.

use std::collections::VecDeque;
use std::sync::Arc;

use control::leader::{Input, Output};
use host::clock;
use host::pump::sleep_until;
use model::limits::REQUESTS_WAITING_MAX;
use model::{Chance, Machine, NodeId, Timestamp};
use store::State;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::ask::Question;
use crate::desk::Desk;
use crate::manager::Alarm;
use crate::members::GroupView;
use crate::replica::{Order, ReplicaNews};
use crate::signer;

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
    _alarm: Alarm,
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
        alarm: Alarm,
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
            let inputs = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(news) = news.recv() => self.hear(news),
                () = self.group.changed(), if self.leader.is_some() => vec![self.members()],
                Some(question) = questions.recv(), if self.has_room() => self.take(question),
                () = sleep_until(due) => vec![Input::Wake],
            };
            self.tell(inputs).await;
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
        if question.is_stale() { Vec::new() } else { vec![self.desk.take(question)] }
    }

    /// Who is in the group, as the leader wants to know it.
    fn members(&mut self) -> Input {
        Input::Members(self.group.as_members())
    }

    /// Hands something to the leader and carries out what it wishes, and what follows from that.
    async fn tell(&mut self, inputs: Vec<Input>) {
        let mut inputs = VecDeque::from(inputs);
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
            Output::Dismiss(node) => self.dismiss(node).await,
            Output::Study(root) => match signer::study(root, &mut self.chance) {
                Ok(successor) => return Some(Input::Studied(Box::new(successor))),
                Err(error) => tracing::error!(%error, "the root that shall follow cannot be read"),
            },
            Output::Sign(node, request) => {
                return Some(Input::Signed(node, signer::sign(&self.state, &request, &mut self.chance)));
            }
        }
        None
    }

    /// Takes a node out of the group; if that is this one, first lets another lead. If it cannot be done now, it
    /// will be wished again.
    async fn dismiss(&mut self, node: NodeId) {
        let Some(order) = self.group.dismissal(node) else {
            tracing::info!(%node, "taking this manager out of the group now would leave too few who can be reached");
            return;
        };
        // The replica's pump may have ended first on the way down.
        let _ = self.orders.send(order).await;
    }

    async fn propose(&mut self, changes: Vec<store::Change>) {
        self.last_proposal += 1;
        let proposal = self.last_proposal;
        self.in_flight = Some(proposal);
        // The replica's pump may have ended first on the way down.
        let _ = self.orders.send(Order::Propose { proposal, changes }).await;
    }
}
