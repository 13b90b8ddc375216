//! A leader that creates configs.

use std::sync::Arc;

use control::leader::{Answer, Input, Output, Request, Ticket};
use model::{Chance, Config, ConfigId, Machine, Refusal, Timestamp};
use store::{Draft, State};

/// Creates configs, as many as were asked for in one proposal.
pub(crate) struct Clerk {
    state: State,
    chance: Chance,
    asked: Vec<(Ticket, Request)>,
    /// Who waits for what is proposed: a config, or only that it is done.
    proposed: Option<Vec<(Ticket, Option<ConfigId>)>>,
}

impl Clerk {
    pub(crate) fn new(state: &State, chance: Chance, _now: Timestamp) -> Self {
        Self { state: state.clone(), chance, asked: Vec::new(), proposed: None }
    }

    fn hear(&mut self, input: Input, outputs: &mut Vec<Output>) {
        match input {
            Input::Ask(ticket, request) => self.asked.push((ticket, request)),
            Input::Committed(state) => {
                self.state = *state;
                for (ticket, id) in self.proposed.take().unwrap_or_default() {
                    let config = |id| self.state.configs.get(id).expect("what was proposed is committed");
                    let answer = id.map_or(Answer::Done, |id| Answer::Config(Arc::clone(config(id))));
                    outputs.push(Output::Answer(ticket, Ok(answer)));
                }
            }
            Input::Together(inputs) => inputs.into_iter().for_each(|input| self.hear(input, outputs)),
            Input::Session(..) | Input::Signed(..) | Input::Studied(_) | Input::Members(_) | Input::Wake => {}
        }
    }

    fn propose(&mut self, now: Timestamp) -> Vec<Output> {
        if self.proposed.is_some() || self.asked.is_empty() {
            return Vec::new();
        }
        let mut draft = Draft::of(&self.state, now);
        let mut proposed = Vec::new();
        let mut outputs = Vec::new();
        for (ticket, request) in self.asked.drain(..) {
            match request {
                Request::Found(founding) => {
                    if draft.cluster().is_none() {
                        draft.create(founding.cluster);
                    }
                    proposed.push((ticket, None));
                }
                Request::CreateConfig(spec) => {
                    let id = ConfigId::random(&mut self.chance);
                    draft.create(Config { id, spec: *spec, meta: Default::default() });
                    proposed.push((ticket, Some(id)));
                }
                Request::RemoveConfig(_) => panic!("a bug in the leader, as a test wished"),
                _ => outputs.push(Output::Answer(ticket, Err(Refusal::invalid("only configs")))),
            }
        }
        if draft.is_empty() {
            outputs.extend(proposed.into_iter().map(|(ticket, _)| Output::Answer(ticket, Ok(Answer::Done))));
        } else {
            self.proposed = Some(proposed);
            outputs.push(Output::Propose(draft.into_changes()));
        }
        outputs
    }
}

impl Machine for Clerk {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, now: Timestamp, input: Input) -> Vec<Output> {
        let mut outputs = Vec::new();
        self.hear(input, &mut outputs);
        outputs.extend(self.propose(now));
        outputs
    }

    fn wake_at(&self) -> Option<Timestamp> {
        None
    }
}
