//! The way down: one token, one set of tasks, one deadline.

use std::future::Future;

use model::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What a shell owns: the tasks it spawned, and the word that ends them.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    token: CancellationToken,
    tasks: TaskTracker,
}

impl Shutdown {
    /// A way down of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// A way down that also begins when this one does, for a part of the shell.
    pub fn child(&self) -> Self {
        Self { token: self.token.child_token(), tasks: TaskTracker::new() }
    }

    /// The word: cancelled when the way down begins.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Spawns a task that is waited for on the way down. It must end soon after the token is cancelled.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.spawn(task);
    }

    /// Begins the way down and waits for all tasks, but not beyond the deadline. True if all ended.
    pub async fn finish(&self, deadline: Duration) -> bool {
        self.token.cancel();
        self.tasks.close();
        tokio::time::timeout(deadline, self.tasks.wait()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_deaf_task_does_not_hold_the_way_down() {
        let shutdown = Shutdown::new();
        let token = shutdown.token().clone();
        shutdown.spawn(async move { token.cancelled().await });
        assert!(shutdown.finish(Duration::from_secs(5)).await);

        let deaf = Shutdown::new();
        deaf.spawn(std::future::pending());
        assert!(!deaf.finish(Duration::from_millis(1)).await);
    }
}
