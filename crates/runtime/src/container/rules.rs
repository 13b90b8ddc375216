//! What can be refused of a container's description before anything is made.
//!
//! In: a description, or a name. Out: nothing, or the rule that is broken, in the words that clients know. It looks at
//! nothing on this machine.

use std::collections::BTreeSet;

use crate::container::description::{Description, Mount, MountSource};
use crate::container::error::ContainerError;
use crate::container::restart::RestartPolicy;
use crate::container::signal::Signal;
use crate::container::spec;

/// Checks a whole description.
pub(crate) fn check(wish: &Description) -> Result<(), ContainerError> {
    check_name(&wish.name)?;
    spec::arguments(wish)?;
    spec::capabilities::granted(&wish.confinement)?;
    spec::resources::rlimits(&wish.limits.ulimits)?;
    spec::resources::resources(&wish.limits, &wish.confinement, &[])?;
    wish.log.plan().map_err(|error| ContainerError::Invalid(error.to_string()))?;
    Signal::of_container(wish)?;
    if wish.auto_remove && wish.restart != RestartPolicy::No {
        let text = "can't create 'AutoRemove' container with restart policy";
        return Err(ContainerError::Invalid(text.to_owned()));
    }
    let mut targets = BTreeSet::new();
    for mount in &wish.mounts {
        if !targets.insert(checked_target(mount)?) {
            return Err(ContainerError::Invalid(format!("Duplicate mount point: {}", mount.target)));
        }
    }
    Ok(())
}

/// Checks a name.
pub(crate) fn check_name(name: &str) -> Result<(), ContainerError> {
    let good = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-');
    let good_first = name.starts_with(|letter: char| letter.is_ascii_alphanumeric());
    if name.len() >= 2 && good_first && name.chars().all(good) {
        return Ok(());
    }
    let text = format!("Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed");
    Err(ContainerError::Invalid(text))
}

/// Where a mount shows, without detours.
fn checked_target(mount: &Mount) -> Result<String, ContainerError> {
    let kind = match mount.source {
        MountSource::Bind { .. } => "bind",
        MountSource::Volume { .. } => "volume",
        MountSource::Tmpfs { .. } => "tmpfs",
    };
    let invalid =
        |rule: &str| ContainerError::Invalid(format!("invalid mount config for type \"{kind}\": {rule}"));
    if mount.target.is_empty() {
        return Err(invalid("field Target must not be empty"));
    }
    let target = spec::clean(&mount.target).filter(|_| mount.target.starts_with('/'));
    let target = target.ok_or_else(|| {
        let rule = "mount path must be absolute and not the root";
        invalid(&format!("invalid mount path: '{}' {rule}", mount.target))
    })?;
    if let MountSource::Bind { path, .. } = &mount.source
        && !path.is_absolute()
    {
        let text = format!("invalid mount path: '{}' mount path must be absolute", path.display());
        return Err(invalid(&text));
    }
    Ok(target)
}
