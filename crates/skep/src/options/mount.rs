//! `--mount`: fields such as `type=bind,source=/data,target=/data,readonly`.

use std::str::FromStr;

use api::spec::mount::{BindOptions, Mount, TmpfsOptions, VolumeOptions};

use super::values::{bytes, fields, pair, truth};

/// One mount, as its word says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MountWord(pub(crate) Mount);

impl FromStr for MountWord {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut mount = Mount { r#type: "volume".to_owned(), ..Mount::default() };
        for (key, value) in fields(text) {
            match (key.as_str(), value) {
                ("readonly" | "ro", None) => mount.read_only = true,
                ("volume-nocopy", None) => volume(&mut mount).no_copy = true,
                ("bind-nonrecursive", None) => bind(&mut mount).non_recursive = true,
                ("bind-create-src", None) => bind(&mut mount).create_mountpoint = true,
                (_, None) => return Err(format!("invalid field '{key}' must be a key=value pair")),
                (_, Some(value)) => set(&mut mount, &key, value)?,
            }
        }
        checked(mount).map(Self)
    }
}

fn set(mount: &mut Mount, key: &str, value: String) -> Result<(), String> {
    let yes = |value: &str| truth(value).ok_or_else(|| format!("invalid value for {key}: {value}"));
    match key {
        "type" => mount.r#type = value.to_lowercase(),
        "source" | "src" => mount.source = absolute(value),
        "target" | "dst" | "destination" => mount.target = value,
        "readonly" | "ro" => mount.read_only = yes(&value)?,
        "consistency" => mount.consistency = value.to_lowercase(),
        "bind-propagation" => bind(mount).propagation = value.to_lowercase(),
        "bind-nonrecursive" => bind(mount).non_recursive = yes(&value)?,
        "bind-create-src" => bind(mount).create_mountpoint = yes(&value)?,
        "bind-recursive" => recursive(bind(mount), &value)?,
        "volume-subpath" => volume(mount).subpath = value,
        "volume-nocopy" => volume(mount).no_copy = yes(&value)?,
        "volume-label" => volume(mount).labels.extend([pair(&value)]),
        "volume-driver" => volume(mount).driver_config.get_or_insert_default().name = value,
        "volume-opt" => volume(mount).driver_config.get_or_insert_default().options.extend([pair(&value)]),
        "tmpfs-size" => {
            tmpfs(mount).size_bytes =
                bytes(&value).map_err(|_| format!("invalid value for {key}: {value}"))?;
        }
        "tmpfs-mode" => {
            tmpfs(mount).mode =
                u32::from_str_radix(&value, 8).map_err(|_| format!("invalid value for {key}: {value}"))?;
        }
        _ => return Err(format!("unexpected key '{key}' in '{key}={value}'")),
    }
    Ok(())
}

fn recursive(options: &mut BindOptions, word: &str) -> Result<(), String> {
    match word {
        "enabled" => {}
        "disabled" => options.non_recursive = true,
        "writable" => options.read_only_non_recursive = true,
        "readonly" => options.read_only_force_recursive = true,
        _ => {
            return Err(format!(
                "invalid value for bind-recursive: {word} (must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")"
            ));
        }
    }
    Ok(())
}

/// A path that starts with a dot is meant from where the person stands.
pub(crate) fn absolute(source: String) -> String {
    if source != "." && source != ".." && !source.starts_with("./") && !source.starts_with("../") {
        return source;
    }
    std::path::absolute(&source).map_or(source, |path| path.to_string_lossy().into_owned())
}

fn bind(mount: &mut Mount) -> &mut BindOptions {
    mount.bind_options.get_or_insert_default()
}

fn volume(mount: &mut Mount) -> &mut VolumeOptions {
    mount.volume_options.get_or_insert_default()
}

fn tmpfs(mount: &mut Mount) -> &mut TmpfsOptions {
    mount.tmpfs_options.get_or_insert_default()
}

fn checked(mount: Mount) -> Result<Mount, String> {
    let Mount {
        r#type,
        source: _,
        target,
        read_only,
        consistency: _,
        bind_options,
        volume_options,
        tmpfs_options,
    } = &mount;
    if target.is_empty() {
        return Err("target is required".to_owned());
    }
    for (kind, is_given) in [
        ("volume", volume_options.is_some()),
        ("bind", bind_options.is_some()),
        ("tmpfs", tmpfs_options.is_some()),
    ] {
        if is_given && r#type != kind {
            return Err(format!("cannot mix '{kind}-*' options with mount type '{type}'"));
        }
    }
    if let Some(options) = bind_options
        && (options.read_only_non_recursive || options.read_only_force_recursive)
        && !read_only
    {
        return Err("option 'bind-recursive=writable' or 'readonly' requires 'readonly' to be specified in conjunction".to_owned());
    }
    Ok(mount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_words_make_mounts() {
        for (text, expected) in [
            ("type=bind,src=/a,dst=/b,ro", r#"{"Type":"bind","Source":"/a","Target":"/b","ReadOnly":true}"#),
            ("src=v,target=/c", r#"{"Type":"volume","Source":"v","Target":"/c"}"#),
            (
                "type=volume,dst=/c,volume-driver=x,volume-label=a=b,volume-nocopy",
                r#"{"Type":"volume","Target":"/c","VolumeOptions":{"NoCopy":true,"Labels":{"a":"b"},"DriverConfig":{"Name":"x"}}}"#,
            ),
            (
                "type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1777",
                r#"{"Type":"tmpfs","Target":"/t","TmpfsOptions":{"SizeBytes":1048576,"Mode":1023}}"#,
            ),
            (
                "type=bind,src=/a,dst=/b,bind-propagation=rslave",
                r#"{"Type":"bind","Source":"/a","Target":"/b","BindOptions":{"Propagation":"rslave"}}"#,
            ),
        ] {
            let MountWord(mount) = text.parse().unwrap();
            assert_eq!(serde_json::to_string(&mount).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn bad_words_name_the_rule() {
        for (text, rule) in [
            ("dst=/x,foo", "invalid field 'foo' must be a key=value pair"),
            ("type=volume,src=a", "target is required"),
            ("x=y,dst=/a", "unexpected key 'x' in 'x=y'"),
            ("type=tmpfs,dst=/a,tmpfs-size=x", "invalid value for tmpfs-size: x"),
            ("type=tmpfs,dst=/a,tmpfs-mode=9", "invalid value for tmpfs-mode: 9"),
            ("type=bind,dst=/a,readonly=x", "invalid value for readonly: x"),
            ("type=tmpfs,dst=/a,volume-nocopy", "cannot mix 'volume-*' options with mount type 'tmpfs'"),
            (
                "type=bind,src=/a,dst=/b,bind-recursive=x",
                "invalid value for bind-recursive: x (must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")",
            ),
        ] {
            assert_eq!(text.parse::<MountWord>().unwrap_err(), rule, "{text}");
        }
    }
}
