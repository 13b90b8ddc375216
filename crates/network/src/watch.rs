//! Notices what others do to the packet rules of this host, such as a Docker daemon that starts or a firewall that is
//! loaded anew, and has the keeper look again.
//!
//! In: news from the kernel. Out: commands. It repairs nothing itself.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::WeakSender;
use tokio_util::sync::CancellationToken;

use crate::keeper::Command;
use crate::kernel::news::{self, News};
use crate::readiness::watched;

/// Somebody who waits for news.
pub(crate) struct Watch {
    socket: AsyncFd<OwnedFd>,
    table: String,
    own: u32,
}

impl Watch {
    /// Waits for news about our table, which we change ourselves by the socket of number `own`.
    pub(crate) fn new(socket: OwnedFd, table: String, own: u32) -> io::Result<Self> {
        Ok(Self { socket: watched(socket)?, table, own })
    }

    /// Tells the keeper until the way down begins, or the keeper is gone.
    pub(crate) async fn run(self, end: CancellationToken, keeper: WeakSender<Command>) {
        let told = async { while self.tell(&keeper).await.is_some() {} };
        end.run_until_cancelled(told).await;
    }

    /// Waits for the next news and for the end of what they are part of; then has the keeper look, once.
    async fn tell(&self, keeper: &WeakSender<Command>) -> Option<()> {
        let mut news = self.read().await?;
        while let Ok(more) = tokio::time::timeout(CALM, self.read()).await {
            news.extend(more?);
        }
        if !news.is_empty() {
            keeper.upgrade()?.send(Command::LookAgain(news)).await.ok()?;
        }
        Some(())
    }

    /// None if there will be no more news.
    async fn read(&self) -> Option<Vec<News>> {
        loop {
            let mut guard = self.socket.readable().await.ok()?;
            if let Ok(read) = guard.try_io(|socket| news::read(socket.get_ref(), &self.table, self.own)) {
                return read.ok();
            }
        }
    }
}

/// Whoever changes rules mostly changes many of them; so long must it be quiet before anybody looks.
const CALM: Duration = Duration::from_millis(250);
