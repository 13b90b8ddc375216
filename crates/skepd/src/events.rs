//! Events of this node and of its swarm, for whoever listens.
//!
//! In: what happened, from whoever did it. Out: a stream to each listener, preceded by what it missed. The last
//! events are kept; a listener that is too slow loses the oldest rather than hold anybody up.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use api::event::Event;
use model::Timestamp;
use tokio::sync::broadcast;

/// Events kept for `since`.
const KEPT_MAX: usize = 256;
/// Events a listener may be behind.
const BEHIND_MAX: usize = 1_024;

/// The place where events are told and heard.
#[derive(Debug)]
pub(crate) struct Events {
    live: broadcast::Sender<Arc<Event>>,
    /// A lock, since telling must neither wait nor need a task; it is held for one push or one copy.
    kept: Mutex<VecDeque<Arc<Event>>>,
}

impl Events {
    /// A place where nothing has happened.
    pub(crate) fn new() -> Self {
        Self { live: broadcast::Sender::new(BEHIND_MAX), kept: Mutex::new(VecDeque::with_capacity(KEPT_MAX)) }
    }

    /// Tells all listeners.
    pub(crate) fn tell(&self, event: Event) {
        let event = Arc::new(event);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back(Arc::clone(&event));
        let _ = self.live.send(event); // nobody has to listen
    }

    /// What happened since, if asked for, and what will happen from now on; nothing in between is lost.
    pub(crate) fn listen(
        &self,
        since: Option<Timestamp>,
    ) -> (Vec<Arc<Event>>, broadcast::Receiver<Arc<Event>>) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let missed = since.map(|since| {
            kept.iter().filter(|event| event.time_nano >= since.nanos()).map(Arc::clone).collect()
        });
        (missed.unwrap_or_default(), self.live.subscribe())
    }

    /// How many listen.
    pub(crate) fn listeners(&self) -> usize {
        self.live.receiver_count()
    }
}

#[cfg(test)]
mod tests {
    use api::event::Actor;

    use super::*;

    fn event(nanos: i64) -> Event {
        Event::local("volume", "create", Actor::default(), Timestamp::from_nanos(nanos))
    }

    #[tokio::test]
    async fn a_late_listener_hears_what_it_asks_for() {
        let events = Events::new();
        events.tell(event(1));
        events.tell(event(2));
        let (missed, mut live) = events.listen(Some(Timestamp::from_nanos(2)));
        assert_eq!(missed.len(), 1);
        events.tell(event(3));
        assert_eq!(live.recv().await.unwrap().time_nano, 3);
        assert!(events.listen(None).0.is_empty());
    }

    #[test]
    fn only_the_last_events_are_kept() {
        let events = Events::new();
        (0..1000).for_each(|nanos| events.tell(event(nanos)));
        let (missed, _) = events.listen(Some(Timestamp::EPOCH));
        assert_eq!((missed.len(), missed[0].time_nano), (KEPT_MAX, 744));
    }
}
