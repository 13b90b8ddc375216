//! Who we are to registries: the file that docker's CLI keeps, `~/.docker/config.json`.
//!
//! In: names of images and registries. Out: the header that a daemon passes on. Other programs' fields stay.

use std::path::PathBuf;

use anyhow::{Context, Result};
use api::image::RegistryAuth;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::{Map, Value, json};

/// What the file calls the registry without a name.
const HUB: &str = "https://index.docker.io/v1/";

/// The registry that an image's name begins with, `docker.io` if with none.
pub(crate) fn registry_of(image: &str) -> &str {
    match image.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => first,
        _ => "docker.io",
    }
}

/// `X-Registry-Auth` for an image.
pub(crate) fn header(image: &str) -> Result<String> {
    let auth = find(&read()?, registry_of(image));
    Ok(URL_SAFE.encode(serde_json::to_vec(&auth)?))
}

/// Keeps credentials.
pub(crate) fn keep(registry: &str, auth: &RegistryAuth) -> Result<()> {
    let mut file = read()?;
    let auths = file.entry("auths").or_insert_with(|| json!({}));
    let text = STANDARD.encode(format!("{}:{}", auth.username, auth.password));
    let entry = match auth.identitytoken.as_str() {
        "" => json!({ "auth": text }),
        token => json!({ "auth": STANDARD.encode(format!("{}:", auth.username)), "identitytoken": token }),
    };
    let auths = auths.as_object_mut().context("auths in config.json is no object")?;
    auths.insert(key(registry).to_owned(), entry);
    write(&file)
}

/// Forgets credentials.
pub(crate) fn forget(registry: &str) -> Result<()> {
    let mut file = read()?;
    if let Some(auths) = file.get_mut("auths").and_then(Value::as_object_mut) {
        auths.remove(key(registry));
    }
    write(&file)
}

fn key(registry: &str) -> &str {
    if matches!(registry, "" | "docker.io" | "index.docker.io") { HUB } else { registry }
}

fn find(file: &Map<String, Value>, registry: &str) -> RegistryAuth {
    let Some(entry) = file.get("auths").and_then(|auths| auths.get(key(registry))) else {
        return RegistryAuth::default();
    };
    let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let pair = STANDARD.decode(text("auth")).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let (username, password) = match pair.as_deref().and_then(|pair| pair.split_once(':')) {
        Some((username, password)) => (username.to_owned(), password.trim_end_matches('\0').to_owned()),
        None => (text("username"), text("password")),
    };
    let serveraddress = key(registry).to_owned();
    let identitytoken = text("identitytoken");
    RegistryAuth { username, password, identitytoken, serveraddress, ..RegistryAuth::default() }
}

/// The folder of a person's settings.
#[expect(clippy::disallowed_methods, reason = "they stand where docker's CLI has them")]
pub(crate) fn folder() -> PathBuf {
    match std::env::var("DOCKER_CONFIG") {
        Ok(folder) => PathBuf::from(folder),
        Err(_) => PathBuf::from(std::env::var("HOME").unwrap_or_default()).join(".docker"),
    }
}

fn path() -> PathBuf {
    folder().join("config.json")
}

fn read() -> Result<Map<String, Value>> {
    let path = path();
    match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| path.display().to_string()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Map::new()),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

/// Only its owner may read it; it is whole at every moment.
fn write(file: &Map<String, Value>) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let path = path();
    let folder = path.parent().context("config.json has no folder")?;
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let fresh = path.with_extension("json.new");
    let mut out =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    out.write_all(&serde_json::to_vec_pretty(file)?)?;
    out.sync_all()?;
    Ok(std::fs::rename(fresh, path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_known_by_its_dot_or_port() {
        for (image, registry) in [
            ("web", "docker.io"),
            ("me/web:1", "docker.io"),
            ("localhost/web", "localhost"),
            ("host:5000/web", "host:5000"),
            ("example.com/a/b@sha256:0", "example.com"),
        ] {
            assert_eq!(registry_of(image), registry);
        }
    }

    #[test]
    fn credentials_are_found_by_their_registry() {
        let file =
            json!({"auths": {"example.com": {"auth": STANDARD.encode("me:pass:word")}, HUB: {"auth": "*"}}});
        let file = file.as_object().unwrap();
        let found = find(file, "example.com");
        assert_eq!((found.username.as_str(), found.password.as_str()), ("me", "pass:word"));
        assert_eq!(find(file, "docker.io").username, "");
        assert_eq!(find(file, "other.org"), RegistryAuth::default());
    }
}
