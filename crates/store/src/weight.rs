//! Roughly how many bytes an object takes in the log, so that a draft ends before its entry is too large.
//!
//! Only what users can make large is counted; the rest is a flat sum for each object.

use model::network::NetworkAttachment;
use model::spec::mount::Mount;
use model::spec::privileges::{Privileges, Seccomp};
use model::{Annotations, ContainerSpec, Labels, Runtime, TaskSpec};

use crate::change::Change;
use crate::object::Object;

/// What an object takes that has nothing large.
const OBJECT: usize = 400;
/// What a part of an object takes besides its texts: a mount, a port, a reference.
const PART: usize = 100;
/// What a place in a network takes, which holds the network's whole description.
const PLACE: usize = 600;

impl Change {
    /// Roughly how many bytes it takes in the log. Of what goes, only the id matters.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Create(object) | Self::Update(object) => object.weight(),
            Self::Remove(_) => PART,
        }
    }
}

impl Object {
    /// Roughly how many bytes it takes in the log.
    pub fn weight(&self) -> usize {
        OBJECT
            + match self {
                Self::Task(task) => {
                    task_spec(&task.spec) + places(&task.networks) + labels(&task.service_annotations)
                }
                Self::Service(service) => {
                    let previous = service.previous_spec.as_ref();
                    task_spec(&service.spec.task)
                        + previous.map_or(0, |spec| OBJECT + task_spec(&spec.task))
                        + labels(&service.spec.annotations)
                }
                Self::Node(node) => {
                    let engine =
                        node.description.iter().filter_map(|description| description.engine.as_ref());
                    let plugins: usize = engine.map(|engine| engine.plugins.len() * PART / 2).sum();
                    let certificate = node.certificate.csr.len() + node.certificate.certificate.len();
                    plugins + certificate + places(&node.attachments) + labels(&node.spec.annotations)
                }
                Self::Secret(secret) => secret.spec.data.len() + labels(&secret.spec.annotations),
                Self::Config(config) => config.spec.data.len() + labels(&config.spec.annotations),
                Self::Resource(resource) => {
                    resource.payload.as_ref().map_or(0, |payload| payload.value.len())
                        + labels(&resource.annotations)
                }
                Self::Cluster(cluster) => {
                    10 * OBJECT
                        + cluster.root_ca.ca_cert.len()
                        + PART * cluster.blacklisted_certificates.len()
                        + labels(&cluster.spec.annotations)
                }
                Self::Network(network) => PLACE + labels(&network.spec.annotations),
                Self::Volume(volume) => PLACE + labels(&volume.spec.annotations),
                Self::Extension(extension) => extension.description.len() + labels(&extension.annotations),
            }
    }
}

fn task_spec(spec: &TaskSpec) -> usize {
    let placement = spec.placement.iter().flat_map(|placement| &placement.constraints);
    let runtime = match &spec.runtime {
        Runtime::Container(container) => container_spec(container),
        Runtime::Attachment(_) => PART,
        Runtime::Generic(generic) => generic.payload.as_ref().map_or(0, |payload| payload.value.len()),
    };
    runtime + texts(placement) + PART * spec.networks.len()
}

fn container_spec(container: &ContainerSpec) -> usize {
    let lists = [
        &container.command,
        &container.args,
        &container.env,
        &container.groups,
        &container.hosts,
        &container.capability_add,
        &container.capability_drop,
    ];
    let parts = container.secrets.len() + container.configs.len() + container.ulimits.len();
    lists.into_iter().map(texts).sum::<usize>()
        + container.image.len()
        + container.registry_auth.0.len()
        + map(&container.labels)
        + map(&container.sysctls)
        + 2 * PART * parts
        + container.mounts.iter().map(mount).sum::<usize>()
        + container.healthcheck.as_ref().map_or(0, |health| texts(&health.test))
        + container.privileges.as_ref().map_or(0, privileges)
}

fn mount(mount: &Mount) -> usize {
    PART + mount.source.len()
        + mount.target.len()
        + mount.volume.as_ref().map_or(0, |volume| PART + map(&volume.labels))
}

fn privileges(privileges: &Privileges) -> usize {
    match &privileges.seccomp {
        Some(Seccomp::Custom(profile)) => PART + profile.len(),
        _ => PART,
    }
}

fn places(places: &[NetworkAttachment]) -> usize {
    PLACE * places.len()
}

fn labels(annotations: &Annotations) -> usize {
    annotations.name.len() + map(&annotations.labels)
}

fn map(map: &Labels) -> usize {
    map.iter().map(|(key, value)| key.len() + value.len() + 8).sum()
}

fn texts<'a>(texts: impl IntoIterator<Item = &'a String>) -> usize {
    texts.into_iter().map(|text| text.len() + 4).sum()
}
