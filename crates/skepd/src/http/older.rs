//! Answers for clients of older versions of the API: what came later is left out, and what has gone is put in.
//!
//! In: what is shown, in the newest shape, and the version that the client speaks. Out: JSON in the shape of that
//! version. Clients bear more than they know, but not less.

use api::ApiVersion;
use api::container::ContainerConfig;
use serde::Serialize;
use serde_json::{Value, json};

/// Names of endpoints beside their aliases.
const DNS_NAMES_SINCE: ApiVersion = ApiVersion::v(44);
/// Networks without IPv4.
const ENABLE_IPV4_SINCE: ApiVersion = ApiVersion::v(47);
/// Bounds of the kernel's memory.
const KERNEL_MEMORY_UNTIL: ApiVersion = ApiVersion::v(41);
/// Images that remember the container they were made of.
const IMAGES_CONTAINER_UNTIL: ApiVersion = ApiVersion::v(44);
/// Layers that may not leave.
const NONDISTRIBUTABLE_UNTIL: ApiVersion = ApiVersion::v(48);
/// Images with settings that only containers have.
const IMAGES_WHOLE_CONFIG_UNTIL: ApiVersion = ApiVersion::v(49);

/// A container, as `inspect` shows it.
pub(crate) fn container(shown: &impl Serialize, version: ApiVersion) -> Value {
    let mut shown = value(shown);
    summarized(&mut shown, version);
    if version <= KERNEL_MEMORY_UNTIL {
        shown["HostConfig"]["KernelMemory"] = json!(0);
        shown["HostConfig"]["KernelMemoryTCP"] = json!(0);
    }
    shown
}

/// Containers, as lists show them.
pub(crate) fn containers(shown: &impl Serialize, version: ApiVersion) -> Value {
    let mut shown = value(shown);
    each(&mut shown, |container| summarized(container, version));
    shown
}

fn summarized(container: &mut Value, version: ApiVersion) {
    let networks = container.pointer_mut("/NetworkSettings/Networks").and_then(Value::as_object_mut);
    for place in networks.into_iter().flat_map(|networks| networks.values_mut()) {
        if version < DNS_NAMES_SINCE {
            remove(place, "DNSNames");
        }
    }
}

/// One network.
pub(crate) fn network(shown: &impl Serialize, version: ApiVersion) -> Value {
    let mut shown = value(shown);
    if version < ENABLE_IPV4_SINCE {
        remove(&mut shown, "EnableIPv4");
    }
    shown
}

/// What the daemon is and has.
pub(crate) fn info(shown: &impl Serialize, version: ApiVersion) -> Value {
    let mut shown = value(shown);
    if version <= KERNEL_MEMORY_UNTIL {
        shown["KernelMemory"] = json!(false);
        shown["KernelMemoryTCP"] = json!(false);
    }
    if version <= NONDISTRIBUTABLE_UNTIL {
        shown["RegistryConfig"]["AllowNondistributableArtifactsCIDRs"] = json!([]);
        shown["RegistryConfig"]["AllowNondistributableArtifactsHostnames"] = json!([]);
    }
    shown
}

/// An image, as `inspect` shows it.
pub(crate) fn image(shown: &impl Serialize, version: ApiVersion) -> Value {
    let mut shown = value(shown);
    if version <= IMAGES_WHOLE_CONFIG_UNTIL {
        let config = shown["Config"].take();
        let config: ContainerConfig = serde_json::from_value(config).unwrap_or_default();
        shown["Config"] = value(&config);
    }
    if version <= IMAGES_CONTAINER_UNTIL {
        shown["Container"] = json!("");
        shown["ContainerConfig"] = value(&ContainerConfig::default());
    }
    shown
}

fn value(shown: &impl Serialize) -> Value {
    serde_json::to_value(shown).expect("answers are made of what JSON can say")
}

fn each(list: &mut Value, change: impl FnMut(&mut Value)) {
    list.as_array_mut().into_iter().flatten().for_each(change);
}

fn remove(object: &mut Value, key: &str) {
    object.as_object_mut().map(|object| object.shift_remove(key));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_later_is_left_out() {
        let shown =
            json!({"NetworkSettings": {"Networks": {"bridge": {"DNSNames": null, "MacAddress": ""}}}});
        let older = json!({"NetworkSettings": {"Networks": {"bridge": {"MacAddress": ""}}}});
        assert_eq!(containers(&json!([shown]), ApiVersion::v(43)), json!([older]));
        assert_eq!(containers(&json!([shown]), ApiVersion::v(44)), json!([shown]));
        assert_eq!(network(&json!({"EnableIPv4": true}), ApiVersion::v(46)), json!({}));
        assert_eq!(network(&json!({"EnableIPv4": true}), ApiVersion::v(47)), json!({"EnableIPv4": true}));
    }

    #[test]
    fn what_has_gone_is_put_in() {
        let shown = json!({"HostConfig": {}});
        assert_eq!(container(&shown, ApiVersion::v(41))["HostConfig"]["KernelMemory"], 0);
        assert_eq!(container(&shown, ApiVersion::v(42)), shown);
        let old = info(&json!({"RegistryConfig": {}}), ApiVersion::v(41));
        assert_eq!(old["KernelMemory"], false);
        assert_eq!(old["RegistryConfig"]["AllowNondistributableArtifactsCIDRs"], json!([]));
        let image_now = json!({"Config": {"Cmd": ["sh"], "Env": []}});
        let old = image(&image_now, ApiVersion::v(44));
        assert_eq!((&old["Config"]["Cmd"], &old["Config"]["Env"]), (&json!(["sh"]), &Value::Null));
        assert_eq!((&old["Config"]["Tty"], &old["ContainerConfig"]["Cmd"]), (&json!(false), &Value::Null));
        assert!(image(&image_now, ApiVersion::v(45)).get("ContainerConfig").is_none());
        assert_eq!(image(&image_now, ApiVersion::v(50)), image_now);
    }
}
