//! Drives one machine with tokio: hands it what happens, wakes it when it wants to be woken.
//!
//! The pump decides nothing. What the machine wishes for goes to `perform`, in order.

use model::Machine;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock;

/// Runs a machine until `stop` is cancelled or nobody can send it anything any more.
///
/// Inputs that wait are handed over one after the other; `wake` makes the input that says that the time has come.
pub async fn run<M: Machine>(
    machine: &mut M,
    inputs: &mut mpsc::Receiver<M::Input>,
    stop: &CancellationToken,
    wake: impl Fn() -> M::Input,
    mut perform: impl FnMut(Vec<M::Output>),
) {
    loop {
        let due = machine.wake_at();
        let input = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            received = inputs.recv() => match received {
                Some(input) => input,
                None => return,
            },
            () = sleep_until(due) => wake(),
        };
        perform(machine.handle(clock::now(), input));
    }
}

/// Ends at that time by the daemon's clock; never, if there is none.
pub async fn sleep_until(due: Option<model::Timestamp>) {
    sleep(due.map(|at| at.since(clock::now()))).await;
}

/// Ends after so long; never, if there is no end.
pub async fn sleep(rest: Option<model::Duration>) {
    match rest {
        Some(model::Duration::ZERO) => {} // the runtime's timer would take it for a millisecond
        Some(rest) => tokio::time::sleep(rest).await,
        None => std::future::pending().await,
    }
}
