//! The settings file: JSON with dockerd's keys, read as flags that stand before the command line's.

use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Parser;
use serde_json::Value;

use super::flags::Flags;

/// Where the file is if nothing is said. Only a file that was asked for must be there.
pub(super) const DEFAULT_PATH: &str = "/etc/skep/daemon.json";

/// Reads the command line once more, with the file's settings before it.
pub(super) fn flags_with_file(flags: Flags, words: &[String]) -> Result<Flags> {
    let path = flags.config_file.clone();
    let Some(bytes) =
        host::files::read_if_there(&path).with_context(|| format!("reading {}", path.display()))?
    else {
        if path != Path::new(DEFAULT_PATH) {
            bail!("config-file: {} is not there", path.display());
        }
        return Ok(flags);
    };
    let settings = settings(&bytes, words).with_context(|| format!("reading {}", path.display()))?;
    let (program, rest) = words.split_first().expect("a program has a name");
    let all = std::iter::once(program).chain(&settings).chain(rest);
    Flags::try_parse_from(all).with_context(|| format!("reading {}", path.display()))
}

/// The file's settings as flags. Lists that the command line gives too are left to it.
fn settings(bytes: &[u8], words: &[String]) -> Result<Vec<String>> {
    let Value::Object(keys) = serde_json::from_slice(bytes)? else {
        bail!("it holds no JSON object");
    };
    let mut settings = Vec::new();
    for (key, value) in &keys {
        let flag = format!("--{}", singular(key));
        if !is_given(&flag, words) {
            push(&mut settings, &flag, value).with_context(|| format!("reading \"{key}\""))?;
        }
    }
    Ok(settings)
}

fn push(settings: &mut Vec<String>, flag: &str, value: &Value) -> Result<()> {
    match value {
        Value::Bool(true) => settings.push(flag.to_owned()),
        Value::Bool(false) | Value::Null => {}
        Value::String(text) => settings.push(format!("{flag}={text}")),
        Value::Number(number) => settings.push(format!("{flag}={number}")),
        Value::Array(values) => values.iter().try_for_each(|value| push(settings, flag, value))?,
        Value::Object(pairs) => {
            for (key, value) in pairs {
                let Value::String(text) = value else { bail!("the value of \"{key}\" is no text") };
                settings.push(format!("{flag}={key}={text}"));
            }
        }
    }
    Ok(())
}

/// dockerd's keys for lists are plural where its flags are not.
fn singular(key: &str) -> &str {
    match key {
        "hosts" => "host",
        "labels" => "label",
        "log-opts" => "log-opt",
        "insecure-registries" => "insecure-registry",
        "node-generic-resources" => "node-generic-resource",
        other => other,
    }
}

fn is_given(flag: &str, words: &[String]) -> bool {
    let short = match flag {
        "--host" => "-H",
        "--group" => "-G",
        "--log-level" => "-l",
        "--pidfile" => "-p",
        _ => flag,
    };
    words.iter().any(|word| word.split('=').next() == Some(flag) || word.starts_with(short))
}
