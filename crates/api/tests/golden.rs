//! What a stock engine (20.10) printed is read and printed again, and nothing is lost on the way.
//!
//! Words of that engine that newer ones no longer say, and words of newer ones it did not know, are named here.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads, prints, and compares; paths in `forgotten` are taken out of the original, those in `learned` out of ours.
fn check<T: DeserializeOwned + Serialize>(golden: &str, forgotten: &[&str], learned: &[&str]) {
    let value: T = skep_api::read(golden.as_bytes()).expect("a stock engine's answer is read");
    let mut ours = serde_json::to_value(&value).expect("every answer is JSON");
    let mut theirs: Value = serde_json::from_str(golden).expect("the golden file is JSON");
    forgotten.iter().for_each(|path| remove(&mut theirs, path));
    learned.iter().for_each(|path| remove(&mut ours, path));
    assert_eq!(ours, theirs);
}

/// Removes what a path of names leads to, in every element of every list on the way; `*` is any name.
fn remove(value: &mut Value, path: &str) {
    if let Value::Array(list) = value {
        return list.iter_mut().for_each(|element| remove(element, path));
    }
    let Value::Object(map) = value else { return };
    match path.split_once('/') {
        Some(("*", rest)) => map.values_mut().for_each(|inner| remove(inner, rest)),
        Some((name, rest)) => map.get_mut(name).into_iter().for_each(|inner| remove(inner, rest)),
        None => drop(map.remove(path)),
    }
}

macro_rules! goldens {
    ($($test:ident: $shape:ty = $file:literal, forgotten $forgotten:expr, learned $learned:expr;)*) => {$(
        #[test]
        fn $test() {
            check::<$shape>(include_str!(concat!("golden/", $file)), &$forgotten, &$learned);
        }
    )*};
}

goldens! {
    services_are_printed_as_stock: Vec<skep_api::service::Service> = "services.json", forgotten [], learned [];
    tasks_are_printed_as_stock: Vec<skep_api::task::Task> = "tasks.json", forgotten [], learned [];
    nodes_are_printed_as_stock: Vec<skep_api::node::Node> = "nodes.json", forgotten [], learned [];
    the_swarm_is_printed_as_stock: skep_api::swarm::Swarm = "swarm.json", forgotten [], learned [];
    secrets_are_printed_as_stock: Vec<skep_api::secret::Secret> = "secrets.json", forgotten [], learned [];
    configs_are_printed_as_stock: Vec<skep_api::config::Config> = "configs.json", forgotten [], learned [];
    info_is_printed_as_stock: skep_api::system::Info = "info.json", forgotten [], learned [];
    the_version_is_printed_as_stock: skep_api::system::Version = "version.json", forgotten [], learned [];
    images_are_printed_as_stock: Vec<skep_api::image::ImageSummary> = "images.json",
        forgotten ["RepoDigests"], learned ["RepoDigests"];
    an_image_is_printed_as_stock: skep_api::image::ImageInspect = "image.json",
        forgotten ["Container", "ContainerConfig"], learned [];
    the_history_is_printed_as_stock: Vec<skep_api::image::HistoryItem> = "history.json", forgotten [], learned [];
    networks_are_printed_as_stock: Vec<skep_api::network::Network> = "networks.json",
        forgotten ["Options", "Labels"], learned ["EnableIPv4", "Options", "Labels"];
    containers_are_printed_as_stock: Vec<skep_api::container::ContainerSummary> = "containers.json",
        forgotten [], learned ["NetworkSettings/Networks/*/DNSNames"];
    a_container_is_printed_as_stock: skep_api::container::ContainerInspect = "container.json",
        forgotten [
            "HostConfig/KernelMemory", "HostConfig/KernelMemoryTCP", "HostConfig/Ulimits", "HostConfig/Devices",
            "HostConfig/BlkioWeightDevice", "HostConfig/BlkioDeviceReadBps", "HostConfig/BlkioDeviceWriteBps",
            "HostConfig/BlkioDeviceReadIOps", "HostConfig/BlkioDeviceWriteIOps",
        ],
        learned [
            "HostConfig/Ulimits", "HostConfig/Devices",
            "HostConfig/BlkioWeightDevice", "HostConfig/BlkioDeviceReadBps", "HostConfig/BlkioDeviceWriteBps",
            "HostConfig/BlkioDeviceReadIOps", "HostConfig/BlkioDeviceWriteIOps",
            "NetworkSettings/Networks/*/DNSNames",
        ];
    stats_are_printed_as_stock: skep_api::stats::Stats = "stats.json", forgotten [], learned [];
    processes_are_printed_as_stock: skep_api::stats::Top = "top.json", forgotten [], learned [];
}

#[test]
fn a_service_survives_the_way_through_the_model() {
    let services: Vec<skep_api::service::Service> =
        skep_api::read(include_str!("golden/services.json").as_bytes())
            .expect("a stock engine's answer is read");
    let mut chance = model::Chance::from_number(1);
    for service in services {
        let spec = service.spec.clone().into_model(&mut chance).expect("a stock engine's spec is lawful");
        assert_eq!(skep_api::service::ServiceSpec::from(&spec), service.spec);
    }
}
