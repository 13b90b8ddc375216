//! Keeps a node's certificate fresh: renews it before it ends, and whenever the managers wish it (`security.md`
//! section 3).
//!
//! In: what the managers say of this node, time, chance. Out: renewals, one after the other, until one succeeds. When
//! that is due is chosen at random, so that nodes which joined together do not all ask together.

use std::sync::Arc;

use model::node::{IssuanceState, NodeRole};
use model::{Chance, Duration, Timestamp};
use pki::Identity;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::certificate::{CertificateError, Credentials};
use crate::session::News;

/// A manager that is told to renew first lets the authority take notice.
const NOTICE_PAUSE: Duration = Duration::from_millis(500);
/// The pause after a renewal that failed: this, and the same again for the first failure, doubled by each further one,
const RETRY_PAUSE: Duration = Duration::from_secs(5);
/// up to this.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(3600);
/// So many managers are asked until one answers.
const ATTEMPTS: usize = 5;

/// When the next renewal is due.
struct Schedule {
    due: Timestamp,
    failures: u32,
}

impl Credentials {
    /// Renews the certificate before it ends and whenever the managers or [`Credentials::wish_renewal`] want it, and
    /// takes over new roots; until `stop` is cancelled.
    pub async fn keep_fresh(
        &self,
        mut news: watch::Receiver<Option<Arc<News>>>,
        mut chance: Chance,
        stop: CancellationToken,
    ) {
        let mut schedule = Schedule { due: self.identity().renew_at(&mut chance), failures: 0 };
        loop {
            tokio::select! {
                () = host::pump::sleep_until(Some(schedule.due)) => {}
                Ok(()) = news.changed() => {}
                () = self.renewal_wished() => schedule.due = host::clock::now(),
                () = stop.cancelled() => return,
            }
            let told = news.borrow_and_update().clone();
            let renewed = tokio::select! {
                renewed = self.freshen(told.as_deref(), schedule.due, &mut chance) => renewed,
                () = stop.cancelled() => return,
            };
            match renewed {
                Ok(Freshness::AsBefore) => {}
                Ok(Freshness::Renewed) => {
                    schedule = Schedule { due: self.identity().renew_at(&mut chance), failures: 0 };
                }
                Err(error) => {
                    tracing::warn!(%error, "the certificate could not be renewed");
                    schedule.fail(host::clock::now(), &mut chance);
                }
            }
        }
    }

    /// Takes over what the managers say, and renews if it is time or wished.
    async fn freshen(
        &self,
        told: Option<&News>,
        due: Timestamp,
        chance: &mut Chance,
    ) -> Result<Freshness, CertificateError> {
        if let Some(told) = told {
            self.trust(&told.root_ca)?;
        }
        let wished = told.is_some_and(|told| is_renewal_wished(told, &self.identity()));
        if !wished && host::clock::now() < due {
            return Ok(Freshness::AsBefore);
        }
        if wished {
            tokio::time::sleep(NOTICE_PAUSE).await;
        }
        let managers = told.iter().flat_map(|told| &told.managers).map(|manager| manager.addr.clone());
        self.renew_anywhere(managers.collect(), chance).await?;
        match told.filter(|told| !has_role(&self.identity(), told.node.role)) {
            Some(_) => Err(Status::aborted("the authority issued a certificate for another role").into()),
            None => Ok(Freshness::Renewed),
        }
    }

    /// Asks one manager after the other, in any order, until one answers.
    async fn renew_anywhere(
        &self,
        mut managers: Vec<String>,
        chance: &mut Chance,
    ) -> Result<(), CertificateError> {
        let mut failure = CertificateError::from(Status::unavailable("no manager is known"));
        for _ in 0..ATTEMPTS.min(managers.len()) {
            let place = chance.below(managers.len() as u64) as usize;
            match self.renew(&managers.swap_remove(place)).await {
                Ok(()) => return Ok(()),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

/// Whether there is a new certificate.
enum Freshness {
    AsBefore,
    Renewed,
}

impl Schedule {
    /// The next try, after a pause that grows, spread at random.
    fn fail(&mut self, now: Timestamp, chance: &mut Chance) {
        let grown = RETRY_PAUSE + RETRY_PAUSE * 2_u32.saturating_pow(self.failures.min(16));
        let bound = grown.min(RETRY_PAUSE_MAX);
        self.failures += 1;
        self.due = now + bound / 2 + Duration::from_nanos(chance.below(bound.as_nanos() as u64 / 2));
    }
}

/// The managers wish another role, or a certificate of their new root. Certificates are issued for the role that a node
/// has, which follows the wished one as soon as the group of managers allows (`security.md` section 5).
fn is_renewal_wished(told: &News, identity: &Identity) -> bool {
    told.node.certificate.status.state == IssuanceState::Rotate || !has_role(identity, told.node.role)
}

fn has_role(identity: &Identity, role: NodeRole) -> bool {
    identity.subject.role() == Some(role)
}
