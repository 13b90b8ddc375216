//! What users may see of objects that hold more than they may.

use model::Service;
use wire::proto;

/// The service with what holds where it says nothing.
pub(super) fn with_defaults(service: &Service) -> Service {
    let mut service = service.clone();
    service.spec.update.get_or_insert_default();
    service.spec.rollback.get_or_insert_default();
    let restart = service.spec.task.restart.get_or_insert_default();
    restart.delay.get_or_insert(model::spec::restart::DELAY_DEFAULT);
    service
}

pub(super) fn without_data(mut secret: proto::Secret) -> proto::Secret {
    if let Some(spec) = &mut secret.spec {
        spec.data = Vec::new();
    }
    secret
}

/// What users may see of the cluster object: no keys, neither of the authority nor of the data plane.
pub(super) fn without_keys(mut cluster: proto::Cluster) -> proto::Cluster {
    if let Some(root_ca) = &mut cluster.root_ca {
        root_ca.ca_key = Vec::new();
        if let Some(rotation) = &mut root_ca.root_rotation {
            rotation.ca_key = Vec::new();
        }
    }
    if let Some(ca) = cluster.spec.as_mut().and_then(|spec| spec.ca_config.as_mut()) {
        ca.signing_ca_key = Vec::new();
        ca.signing_ca_cert = Vec::new();
    }
    cluster.network_bootstrap_keys = Vec::new();
    cluster.unlock_keys = Vec::new();
    cluster.encryption_key_lamport_clock = 0;
    cluster.fips = false;
    cluster
}
