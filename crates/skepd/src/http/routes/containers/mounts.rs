//! What a new container shall see of the host: binds, mounts and file systems in memory, as clients write them.

use std::path::PathBuf;

use api::ApiError;
use api::host_config::HostConfig;
use api::spec::mount as wished;
use runtime::container::description::{Mount, MountAccess, MountSource};

/// All mounts of a new container, in the order in which they are made.
///
/// # Errors
/// If one cannot be meant.
pub(super) fn of(host: &HostConfig, volumes: impl Iterator<Item = String>) -> Result<Vec<Mount>, ApiError> {
    let mut mounts: Vec<Mount> = host.binds.iter().map(|text| bind(text)).collect::<Result<_, _>>()?;
    for mount in &host.mounts {
        mounts.push(mount_from(mount.clone())?);
    }
    for (target, options) in &host.tmpfs {
        mounts.push(tmpfs(target, options)?);
    }
    for target in volumes {
        if !mounts.iter().any(|mount| mount.target == target) {
            mounts.push(Mount { source: volume(String::new()), target, access: MountAccess::Writable });
        }
    }
    Ok(mounts)
}

fn volume(name: String) -> MountSource {
    MountSource::Volume {
        name,
        subpath: String::new(),
        no_copy: false,
        driver: String::new(),
        options: Default::default(),
        labels: Default::default(),
    }
}

/// Reads `source:target[:options]`, or a target alone, which gets a volume without a name.
fn bind(text: &str) -> Result<Mount, ApiError> {
    let refuse = |why: &str| ApiError::invalid(format!("invalid volume specification: '{text}': {why}"));
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, options) = match parts.as_slice() {
        [target] => ("", *target, ""),
        [source, target] => (*source, *target, ""),
        [source, target, options] => (*source, *target, *options),
        _ => return Err(refuse("too many colons")),
    };
    if !target.starts_with('/') {
        return Err(refuse("the target must be an absolute path"));
    }
    if parts.len() > 1 && source.is_empty() {
        return Err(refuse("the source is empty"));
    }
    let (mut access, mut propagation, mut no_copy) = (MountAccess::Writable, String::new(), false);
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option {
            "ro" => access = MountAccess::ReadOnly,
            "rw" | "z" | "Z" | "cached" | "delegated" | "consistent" => {}
            "nocopy" => no_copy = true,
            "private" | "rprivate" | "shared" | "rshared" | "slave" | "rslave" => {
                option.clone_into(&mut propagation)
            }
            other => return Err(refuse(&format!("unknown option \"{other}\""))),
        }
    }
    let source = if source.starts_with('/') {
        MountSource::Bind { path: PathBuf::from(source), propagation, non_recursive: false, create: true }
    } else {
        match volume(source.to_owned()) {
            MountSource::Volume { name, subpath, no_copy: _, driver, options, labels } => {
                MountSource::Volume { name, subpath, no_copy, driver, options, labels }
            }
            other => other,
        }
    };
    Ok(Mount { source, target: target.to_owned(), access })
}

fn mount_from(mount: wished::Mount) -> Result<Mount, ApiError> {
    let wished::Mount {
        r#type,
        source,
        target,
        read_only,
        consistency: _,
        bind_options,
        volume_options,
        tmpfs_options,
    } = mount;
    if !target.starts_with('/') {
        return Err(ApiError::invalid(format!(
            "HostConfig.Mounts: the target \"{target}\" must be an absolute path"
        )));
    }
    let bind = bind_options.unwrap_or_default();
    let access = match (read_only, bind.read_only_non_recursive, bind.read_only_force_recursive) {
        (false, ..) => MountAccess::Writable,
        (true, _, true) => MountAccess::ReadOnlyForced,
        (true, true, false) => MountAccess::ReadOnlyTop,
        (true, false, false) => MountAccess::ReadOnly,
    };
    let source = match r#type.as_str() {
        "bind" if source.starts_with('/') => MountSource::Bind {
            path: PathBuf::from(source),
            propagation: bind.propagation,
            non_recursive: bind.non_recursive,
            create: bind.create_mountpoint,
        },
        "bind" => {
            let message =
                format!("HostConfig.Mounts: the source \"{source}\" of a bind must be an absolute path");
            return Err(ApiError::invalid(message));
        }
        "volume" => {
            let options = volume_options.unwrap_or_default();
            let driver = options.driver_config.unwrap_or_default();
            MountSource::Volume {
                name: source,
                subpath: options.subpath,
                no_copy: options.no_copy,
                driver: driver.name,
                options: driver.options,
                labels: options.labels,
            }
        }
        "tmpfs" => {
            let wished::TmpfsOptions { size_bytes, mode, options } = tmpfs_options.unwrap_or_default();
            MountSource::Tmpfs {
                size: u64::try_from(size_bytes).unwrap_or(0),
                mode,
                options: options.into_iter().map(|words| words.join("=")).collect(),
            }
        }
        "npipe" | "cluster" | "image" => {
            return Err(ApiError::not_built(&format!("mounts of type {}", r#type)));
        }
        other => return Err(ApiError::invalid(format!("HostConfig.Mounts: invalid mount type \"{other}\""))),
    };
    Ok(Mount { source, target, access })
}

/// A file system in memory with options as `mount` takes them.
fn tmpfs(target: &str, options: &str) -> Result<Mount, ApiError> {
    let refuse = |option: &str| {
        ApiError::invalid(format!("HostConfig.Tmpfs: invalid option \"{option}\" of {target}"))
    };
    let (mut size, mut mode, mut rest) = (0, 0, Vec::new());
    let mut access = MountAccess::Writable;
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("size", value)) => size = bytes(value).ok_or_else(|| refuse(option))?,
            Some(("mode", value)) => mode = u32::from_str_radix(value, 8).map_err(|_| refuse(option))?,
            None if option == "ro" => access = MountAccess::ReadOnly,
            None if option == "rw" => {}
            _ => rest.push(option.to_owned()),
        }
    }
    Ok(Mount { source: MountSource::Tmpfs { size, mode, options: rest }, target: target.to_owned(), access })
}

/// A number of bytes with a unit of powers of 1024: `64m`.
fn bytes(text: &str) -> Option<u64> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[number.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" => 10,
        "m" | "mb" => 20,
        "g" | "gb" => 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_shl(shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binds_name_paths_or_volumes() {
        let path = bind("/a:/b:ro,rslave").unwrap();
        assert_eq!((path.target.as_str(), path.access), ("/b", MountAccess::ReadOnly));
        assert!(matches!(path.source, MountSource::Bind { create: true, .. }));
        let named = bind("data:/b:nocopy").unwrap();
        assert!(
            matches!(named.source, MountSource::Volume { no_copy: true, ref name, .. } if name == "data")
        );
        assert!(
            matches!(bind("/b").unwrap().source, MountSource::Volume { ref name, .. } if name.is_empty())
        );
        for bad in ["a", "a:b", ":/b", "/a:/b:x", "/a:/b:ro:z", ""] {
            assert_eq!(bind(bad).unwrap_err().status, 400, "{bad}");
        }
    }

    #[test]
    fn tmpfs_options_are_read() {
        let mount = tmpfs("/t", "size=64m,mode=700,noexec,ro").unwrap();
        let expected = MountSource::Tmpfs { size: 64 << 20, mode: 0o700, options: vec!["noexec".to_owned()] };
        assert_eq!((mount.source, mount.access), (expected, MountAccess::ReadOnly));
        assert!(tmpfs("/t", "size=x").is_err() && tmpfs("/t", "mode=9").is_err());
    }
}
