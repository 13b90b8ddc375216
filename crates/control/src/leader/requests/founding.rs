//! What a swarm begins with.

use model::meta::Driver;
use model::network::{INTERNAL_LABEL, PREDEFINED_LABEL};
use model::{Annotations, Cx, Meta, Network, NetworkId, NetworkSpec, Refusal};
use store::Draft;

use crate::leader::request::{Answer, Founding};

/// Networks that every node has of its own.
const PREDEFINED: [&str; 2] = ["host", "bridge"];

/// Writes the first objects; does nothing if the swarm has begun.
pub(super) fn found(draft: &mut Draft, founding: Founding, cx: &mut Cx<'_>) -> Result<Answer, Refusal> {
    if draft.cluster().is_some() {
        return Ok(Answer::Done);
    }
    let Founding { cluster, node } = founding;
    draft.create(cluster);
    draft.create(node);
    draft.create(network(ingress(), cx));
    for name in PREDEFINED {
        draft.create(network(predefined(name), cx));
    }
    Ok(Answer::Done)
}

fn ingress() -> NetworkSpec {
    NetworkSpec {
        annotations: annotations("ingress", INTERNAL_LABEL),
        ingress: true,
        ..NetworkSpec::default()
    }
}

fn predefined(name: &str) -> NetworkSpec {
    let driver = Driver { name: name.to_owned(), ..Driver::default() };
    let annotations = annotations(name, PREDEFINED_LABEL);
    NetworkSpec { annotations, driver_config: Some(driver), ..NetworkSpec::default() }
}

fn annotations(name: &str, label: &str) -> Annotations {
    let labels = [(label.to_owned(), "true".to_owned())].into();
    Annotations { name: name.to_owned(), labels, indices: Vec::new() }
}

fn network(spec: NetworkSpec, cx: &mut Cx<'_>) -> Network {
    Network {
        id: NetworkId::random(cx.chance),
        meta: Meta::default(),
        spec,
        driver_state: None,
        ipam: None,
        pending_delete: false,
        extra: None,
    }
}
