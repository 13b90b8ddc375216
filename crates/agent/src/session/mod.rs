//! Conversations with managers, one after the other, over the Dispatcher.
//!
//! In: what managers say. Out: inputs for the worker, news for the daemon, and this node's reports. When a
//! conversation breaks, the next is begun with another manager after a growing pause; tasks do not notice.
//! Facts: `control.md` section 13.

mod choice;
mod conversation;
mod translate;

use std::sync::Arc;

use control::leader::Peer;
use control::worker::Input;
use model::cluster::EncryptionKey;
use model::{Duration, Node, SessionId};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::AgentConfig;
use crate::dependencies::Dependencies;
use crate::executor::Executor;
use crate::logs::Readers;
use crate::reports::Reports;

use choice::{Choice, Impression};
pub(crate) use conversation::Broken;
use conversation::Conversation;

/// What the managers say of this node and of themselves.
#[derive(Clone, Debug, PartialEq)]
pub struct News {
    /// This node as the managers see it.
    pub node: Node,
    /// The managers, and where they are.
    pub managers: Vec<Peer>,
    /// Keys of the data plane.
    pub network_keys: Vec<EncryptionKey>,
    /// The trusted roots, PEM.
    pub root_ca: Vec<u8>,
}

/// Holds conversations until it is stopped.
pub(crate) struct Speaker<E> {
    pub(crate) config: AgentConfig,
    pub(crate) executor: Arc<E>,
    pub(crate) inputs: mpsc::Sender<Input>,
    pub(crate) reports: Arc<Reports>,
    pub(crate) dependencies: Arc<Dependencies>,
    pub(crate) readers: Readers<E>,
    pub(crate) news: watch::Sender<Option<Arc<News>>>,
}

/// The first pause after a conversation that broke, and the longest.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(8);

impl<E: Executor> Speaker<E> {
    /// Holds one conversation after the other.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut session = None;
        let mut choice = Choice::default();
        let mut bound = PAUSE_MIN;
        loop {
            let had = self.config.local.borrow().clone();
            let manager = self.choose_manager(&choice);
            let outcome = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                outcome = self.converse(&manager, &mut session) => outcome,
            };
            match outcome {
                Broken::Changed => {
                    choice.observe(&manager, Impression::Good);
                    bound = PAUSE_MIN;
                }
                Broken::AfterRegistration(why) => {
                    info!("the conversation with the managers broke: {why}");
                    choice.observe(&manager, Impression::Bad);
                    bound = PAUSE_MIN;
                }
                Broken::Early(why) => {
                    info!("no manager could be spoken with: {why}");
                    choice.observe(&manager, Impression::Bad);
                    session = None;
                    bound = (PAUSE_MIN + bound * 2).min(PAUSE_MAX);
                }
            }
            let pause = Duration::from_nanos(self.config.chance.below(bound.as_nanos() as u64));
            let mut local = self.config.local.clone();
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
                // This node has become a manager itself, and need not look for another.
                Ok(_) = local.wait_for(|now| now.is_some() && *now != had) => {}
            }
        }
    }

    async fn converse(&mut self, manager: &str, session: &mut Option<SessionId>) -> Broken {
        match Conversation::open(self, manager, *session).await {
            Ok(conversation) => {
                *session = Some(conversation.session());
                conversation.hold(self).await
            }
            Err(broken) => broken,
        }
    }

    /// One of the managers that were last heard of, else of those known from the start. This node's own manager comes
    /// first: whoever leads, it knows the way.
    fn choose_manager(&mut self, choice: &Choice) -> String {
        let local = self.config.local.borrow().clone();
        if let Some(local) = local.filter(|local| !choice.was_last_bad(local)) {
            return local;
        }
        let heard = self.news.borrow().clone();
        let heard = heard.iter().flat_map(|news| &news.managers).map(|manager| manager.addr.as_str());
        let mut known: Vec<&str> = heard.collect();
        if known.is_empty() {
            known.extend(self.config.managers.iter().map(String::as_str));
        }
        choice.choose(&known, &mut self.config.chance).unwrap_or_default().to_owned()
    }
}
