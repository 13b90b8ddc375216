//! Pumps the leader while this manager leads.
//!
//! In: questions, and the replica's news. Out: proposals, answers, what nodes are told, certificates. The leader is
//! made of the book when leadership is established, and dropped when it is lost; then everyone who waits is told.

use std::collections::VecDeque;
use std::sync::Arc;

use control::leader::{Input, Output};
use host::clock;
use host::pump::sleep_until;
use model::limits::REQUESTS_WAITING_MAX;
use model::{Chance, Machine, Timestamp};
use store::State;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::ask::Question;
use crate::desk::Desk;
use crate::manager::Alarm;
use crate::replica::{Order, ReplicaNews};
use crate::signer;

/// The pump. `M` is the leader; `F` makes one of the book.
pub(crate) struct LeaderPump<M, F> {
    make: F,
    leader: Option<M>,
    /// The book as the leader last heard it.
    state: Arc<State>,
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
    F: Fn(State, Timestamp) -> M,
{
    pub(crate) fn new(make: F, orders: mpsc::Sender<Order>, chance: Chance, alarm: Alarm) -> Self {
        Self {
            make,
            leader: None,
            state: Arc::default(),
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
            let input = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(news) = news.recv() => self.hear(news),
                Some(question) = questions.recv(), if self.has_room() => self.take(question),
                () = sleep_until(due) => Some(Input::Wake),
            };
            if let Some(input) = input {
                self.tell(input).await;
            }
        }
    }

    /// Whether a question can be put to the leader; if not, it waits at the door.
    fn has_room(&self) -> bool {
        self.leader.is_some() && self.desk.waiting() < REQUESTS_WAITING_MAX
    }

    /// What the replica's news mean for the leader.
    fn hear(&mut self, news: ReplicaNews) -> Option<Input> {
        match news {
            ReplicaNews::Established(state) => {
                self.leader = Some((self.make)((*state).clone(), clock::now()));
                self.state = state;
                Some(Input::Wake)
            }
            ReplicaNews::Committed { state, proposal } => {
                self.state = state;
                // While a proposal is in flight, only the book that holds it is of interest.
                if self.in_flight.is_some() && self.in_flight != proposal {
                    return None;
                }
                self.in_flight = None;
                Some(Input::Committed(Box::new((*self.state).clone())))
            }
            ReplicaNews::Lost => {
                self.leader = None;
                self.in_flight = None;
                self.desk = Desk::default(); // Whoever waits there is told that the leader was lost.
                None
            }
        }
    }

    fn take(&mut self, question: Question) -> Option<Input> {
        (!question.is_stale()).then(|| self.desk.take(question))
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
            Output::Sign(node, request) => {
                return Some(Input::Signed(node, signer::sign(&self.state, &request, &mut self.chance)));
            }
        }
        None
    }

    async fn propose(&mut self, changes: Vec<store::Change>) {
        self.last_proposal += 1;
        let proposal = self.last_proposal;
        self.in_flight = Some(proposal);
        // The replica's pump may have ended first on the way down.
        let _ = self.orders.send(Order::Propose { proposal, changes }).await;
    }
}
