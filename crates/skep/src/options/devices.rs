//! `--device` and its kin: devices that a container gets, and how fast it may use them.

use std::str::FromStr;

use api::host_config::{DeviceMapping, HostConfig, ThrottleDevice, WeightDevice};
use clap::Args;
use serde_json::{Value, json};

use super::values::{bytes, fields};

/// Devices that a container gets, and how fast it may use them.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Devices {
    /// A device of the host: PATH[:PATH_IN_CONTAINER][:rwm]
    #[arg(long, value_name = "DEVICE")]
    device: Vec<Device>,
    /// A rule of the device cgroup, such as "c 42:* rmw"
    #[arg(long, value_name = "RULE", value_parser = rule)]
    device_cgroup_rule: Vec<String>,
    /// Weight of one block device, PATH:WEIGHT
    #[arg(long, value_name = "DEVICE", value_parser = weight)]
    blkio_weight_device: Vec<WeightDevice>,
    /// Read at most so many bytes a second, PATH:RATE
    #[arg(long, value_name = "DEVICE", value_parser = rate_of_bytes)]
    device_read_bps: Vec<ThrottleDevice>,
    /// Read at most so often a second, PATH:RATE
    #[arg(long, value_name = "DEVICE", value_parser = rate)]
    device_read_iops: Vec<ThrottleDevice>,
    /// Write at most so many bytes a second, PATH:RATE
    #[arg(long, value_name = "DEVICE", value_parser = rate_of_bytes)]
    device_write_bps: Vec<ThrottleDevice>,
    /// Write at most so often a second, PATH:RATE
    #[arg(long, value_name = "DEVICE", value_parser = rate)]
    device_write_iops: Vec<ThrottleDevice>,
    /// Graphics processors: all, a number, or device=…,capabilities=…
    #[arg(long, value_name = "REQUEST", value_parser = processors)]
    gpus: Option<Value>,
}

impl Devices {
    /// Writes what is given into the config.
    pub(crate) fn apply(self, host: &mut HostConfig) {
        host.devices = self.device.into_iter().map(|Device(mapping)| mapping).collect();
        host.device_cgroup_rules = self.device_cgroup_rule;
        host.blkio_weight_device = self.blkio_weight_device;
        host.blkio_device_read_bps = self.device_read_bps;
        host.blkio_device_read_iops = self.device_read_iops;
        host.blkio_device_write_bps = self.device_write_bps;
        host.blkio_device_write_iops = self.device_write_iops;
        host.device_requests = self.gpus.into_iter().collect();
    }
}

/// One device, and where the container sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Device(DeviceMapping);

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(':').collect();
        let (host, container, rights) = match parts.as_slice() {
            [host] => (*host, *host, "rwm"),
            [host, rights] if are_rights(rights) => (*host, *host, *rights),
            [host, container] => (*host, *container, "rwm"),
            [host, container, rights] => (*host, *container, *rights),
            _ => return Err(format!("invalid device specification: {text}")),
        };
        if !are_rights(rights) {
            return Err(format!("invalid device mode: {rights}"));
        }
        if !container.starts_with('/') {
            return Err(format!("{container} is not an absolute path"));
        }
        Ok(Self(DeviceMapping {
            path_on_host: host.to_owned(),
            path_in_container: container.to_owned(),
            cgroup_permissions: rights.to_owned(),
        }))
    }
}

fn are_rights(word: &str) -> bool {
    !word.is_empty() && word.len() <= 3 && word.chars().all(|letter| "rwm".contains(letter))
}

/// `c 42:* rwm`
fn rule(text: &str) -> Result<String, String> {
    let refuse = || format!("invalid device cgroup format '{text}'");
    let number = |part: &str| part == "*" || (!part.is_empty() && part.chars().all(|c| c.is_ascii_digit()));
    let parts: Vec<&str> = text.split(' ').collect();
    let [kind, numbers, rights] = parts.as_slice() else { return Err(refuse()) };
    let (major, minor) = numbers.split_once(':').ok_or_else(refuse)?;
    let is_good = matches!(*kind, "a" | "b" | "c") && number(major) && number(minor) && are_rights(rights);
    if is_good { Ok(text.to_owned()) } else { Err(refuse()) }
}

/// A path of a device, and what is behind the last colon.
fn parts(text: &str) -> Result<(String, &str), String> {
    let (path, value) = text.rsplit_once(':').ok_or_else(|| format!("bad format: {text}"))?;
    if path.starts_with("/dev/") {
        Ok((path.to_owned(), value))
    } else {
        Err(format!("bad format for device path: {text}"))
    }
}

fn weight(text: &str) -> Result<WeightDevice, String> {
    let (path, value) = parts(text)?;
    match value.parse() {
        Ok(weight @ (0 | 10..=1000)) => Ok(WeightDevice { path, weight }),
        _ => Err(format!("invalid weight for device: {text}")),
    }
}

fn rate_of_bytes(text: &str) -> Result<ThrottleDevice, String> {
    let (path, value) = parts(text)?;
    let rate = bytes(value).ok().and_then(|rate| u64::try_from(rate).ok());
    let rule = "the correct format is <device-path>:<number>[<unit>], a positive integer; unit is optional: kb, mb, or gb";
    rate.map(|rate| ThrottleDevice { path, rate })
        .ok_or_else(|| format!("invalid rate for device: {text}: {rule}"))
}

fn rate(text: &str) -> Result<ThrottleDevice, String> {
    let (path, value) = parts(text)?;
    let rate = value.parse();
    rate.map(|rate| ThrottleDevice { path, rate })
        .map_err(|_| format!("invalid rate for device: {text}: the correct format is <device-path>:<number>"))
}

/// `--gpus`: `all`, `2`, or `device=0,driver=nvidia,capabilities=utility`.
fn processors(text: &str) -> Result<Value, String> {
    let mut count = 0;
    let mut request = json!({"Driver": "", "DeviceIDs": null, "Capabilities": [["gpu"]], "Options": {}});
    let number = |word: &str| match word {
        "all" => Ok(-1),
        _ => word
            .parse::<i64>()
            .map_err(|_| format!("invalid count ({word}): value must be either \"all\" or an integer")),
    };
    for (key, value) in fields(text) {
        match (key.as_str(), value) {
            ("count", Some(value)) => count = number(&value)?,
            (word, None) => count = number(word)?,
            ("driver", Some(value)) => request["Driver"] = value.into(),
            ("device", Some(value)) => request["DeviceIDs"] = value.split(',').collect::<Vec<_>>().into(),
            ("capabilities", Some(value)) => {
                let words = std::iter::once("gpu").chain(value.split(',').filter(|word| *word != "gpu"));
                request["Capabilities"] = json!([words.collect::<Vec<_>>()]);
            }
            (key, Some(_)) => return Err(format!("unexpected key '{key}' in '{text}'")),
        }
    }
    request["Count"] = count.into();
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_has_two_paths_and_rights() {
        for (text, expected) in [
            ("/dev/null", "/dev/null /dev/null rwm"),
            ("/dev/null:r", "/dev/null /dev/null r"),
            ("/dev/null:/dev/x", "/dev/null /dev/x rwm"),
            ("/dev/null:/dev/x:rw", "/dev/null /dev/x rw"),
        ] {
            let Device(DeviceMapping { path_on_host, path_in_container, cgroup_permissions }) =
                text.parse().unwrap();
            assert_eq!(
                format!("{path_on_host} {path_in_container} {cgroup_permissions}"),
                expected,
                "{text}"
            );
        }
        for (text, rule) in [
            ("/dev/null:/dev/x:z", "invalid device mode: z"),
            ("/dev/null:x", "x is not an absolute path"),
            ("a:b:c:d", "invalid device specification: a:b:c:d"),
        ] {
            assert_eq!(text.parse::<Device>().unwrap_err(), rule, "{text}");
        }
    }

    #[test]
    fn rates_and_weights_are_bounded() {
        assert_eq!(rate_of_bytes("/dev/sda:1mb").unwrap().rate, 1 << 20);
        assert_eq!(rate("/dev/sda:100").unwrap().rate, 100);
        assert_eq!(weight("/dev/sda:500").unwrap().weight, 500);
        assert_eq!(rule("c 42:* rmw").unwrap(), "c 42:* rmw");
        for refusal in [
            rate_of_bytes("sda:1").unwrap_err(),
            rate("/dev/sda:x").unwrap_err(),
            weight("/dev/sda:5").unwrap_err(),
            weight("x").unwrap_err(),
            rule("x 1:1 r").unwrap_err(),
            rule("c 1 r").unwrap_err(),
        ] {
            assert!(refusal.contains("invalid") || refusal.contains("bad format"), "{refusal}");
        }
    }

    #[test]
    fn graphics_processors_are_counted_or_named() {
        assert_eq!(processors("all").unwrap()["Count"], -1);
        assert_eq!(processors("2").unwrap()["Count"], 2);
        let named = processors("\"device=0,1\",capabilities=utility").unwrap();
        assert_eq!(named["DeviceIDs"], json!(["0", "1"]));
        assert_eq!(named["Capabilities"], json!([["gpu", "utility"]]));
        assert_eq!(processors("x=1").unwrap_err(), "unexpected key 'x' in 'x=1'");
    }
}
