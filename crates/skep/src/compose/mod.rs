//! Compose files: what a stack shall be, in the third version of that format.
//!
//! In: files and the person's environment. Out: [`File`], and with it the specs of networks, secrets, configs and
//! services. Each step is a file of its own: text becomes a tree, variables are filled in, several files become one,
//! and the tree becomes types. Nothing here asks a daemon.

mod convert;
mod fill;
mod merge;
mod service;
mod shape;

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

pub(crate) use convert::{NAMESPACE, Named, Stack};
use shape::File;

/// A file that was read, and what of it will not be heeded.
pub(crate) struct Project {
    /// The merged tree, with variables filled in.
    pub(crate) tree: Value,
    /// The folder that paths in it start from.
    pub(crate) folder: PathBuf,
}

/// Whether `${…}` are filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filling {
    /// From this program's environment.
    Wished,
    /// Left as they stand.
    Skipped,
}

/// Reads files and merges the later ones over the earlier; `-` is standard input.
pub(crate) fn load(files: &[String], filling: Filling) -> Result<Project> {
    let Some(first) = files.first() else { bail!("Specify a Compose file (with --compose-file)") };
    let folder = if first == "-" { None } else { Path::new(first).parent() };
    let folder =
        std::path::absolute(folder.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
    let mut tree = Value::Object(Map::new());
    for file in files {
        let mut next = parse(&text_of(file)?)?;
        if filling == Filling::Wished {
            let own: std::collections::BTreeMap<String, String> = std::env::vars().collect();
            fill::tree(&mut next, "", &|name| own.get(name).cloned())?;
        }
        merge::over(&mut tree, next);
    }
    Ok(Project { tree, folder })
}

fn text_of(file: &str) -> Result<String> {
    if file == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(file).with_context(|| format!("open {file}"))
}

/// A tree whose root is a map.
fn parse(text: &str) -> Result<Value> {
    // Only true and false are truths: `n` is a name like any other.
    let options = serde_saphyr::options! { strict_booleans: true };
    let read = serde_saphyr::from_str_with_options(text, options);
    let tree: Value = read.map_err(|error| anyhow::anyhow!("yaml: {error}"))?;
    if tree.is_object() { Ok(tree) } else { bail!("top-level object must be a mapping") }
}

impl Project {
    /// The types of the tree, and the names of what services cannot have here.
    pub(crate) fn read(&self) -> Result<(File, Vec<String>)> {
        let mut tree = self.tree.clone();
        let ignored = shape::take_ignored(&mut tree);
        let file: File =
            serde_path_to_error::deserialize(tree).map_err(|error| anyhow::anyhow!(sentence(&error)))?;
        Ok((file, ignored))
    }
}

/// What is wrong, and where.
fn sentence(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let (path, inner) = (error.path().to_string(), error.inner().to_string());
    match inner.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next()) {
        Some(field) => {
            let parent = path.strip_suffix(&format!(".{field}")).unwrap_or("(root)");
            format!("{parent} Additional property {field} is not allowed")
        }
        None => format!("{path}: {inner}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(File, Vec<String>)> {
        Project { tree: parse(text)?, folder: "/".into() }.read()
    }

    #[test]
    fn anchors_are_followed_and_maps_merged() {
        let text = "x-common: &common\n  image: web\n  tty: true\n  labels: {yes: n}\nservices:\n  a:\n    <<: *common\n    tty: false\n";
        let (file, _) = read(text).unwrap();
        assert_eq!((file.services["a"].image.as_str(), file.services["a"].tty), ("web", false));
        assert_eq!(file.services["a"].labels.0["yes"].as_deref(), Some("n"));
    }

    #[test]
    fn bad_files_name_the_field() {
        for (text, rule) in [
            (
                "services:\n  a:\n    image: x\n    foo: 1\n",
                "services.a Additional property foo is not allowed",
            ),
            ("foo: 1\n", "(root) Additional property foo is not allowed"),
            ("services:\n  a:\n    ports: x\n", "services.a.ports: "),
            ("services:\n  a:\n    deploy:\n      replicas: x\n", "services.a.deploy.replicas: "),
            ("- a\n", "top-level object must be a mapping"),
            ("a: [\n", "yaml: "),
        ] {
            let refusal = read(text).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(refusal.starts_with(rule), "{text}: {refusal}");
        }
        assert!(load(&[], Filling::Skipped).is_err());
    }

    #[test]
    fn what_services_cannot_have_is_told() {
        let (_, ignored) =
            read("services:\n  a:\n    image: x\n    build: .\n    privileged: true\n").unwrap();
        assert_eq!(ignored, ["build", "privileged"]);
    }
}
