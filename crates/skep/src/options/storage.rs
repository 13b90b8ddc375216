//! `--volume`, `--mount` and `--tmpfs`: what a container sees of the host's files, and what it keeps.

use api::container::{ContainerCreate, Empty};
use clap::Args;

use super::mount::{MountWord, absolute};

/// What a container sees of the host's files, and what it keeps.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Storage {
    /// Something of the host, or a volume: type=,source=,target=,…
    #[arg(long, value_name = "MOUNT")]
    mount: Vec<MountWord>,
    /// A file system in memory: PATH[:OPTIONS]
    #[arg(long, value_name = "TARGET")]
    tmpfs: Vec<String>,
    /// A path or volume of the host: [SOURCE:]TARGET[:OPTIONS]
    #[arg(short, long, value_name = "VOLUME", value_parser = volume)]
    volume: Vec<String>,
    /// Who holds volumes that are new
    #[arg(long, value_name = "DRIVER", default_value = "", hide_default_value = true)]
    volume_driver: String,
    /// All volumes of another container: NAME[:ro|rw]
    #[arg(long, value_name = "CONTAINER")]
    volumes_from: Vec<String>,
}

/// `[source:]target[:options]`; a source that starts with a dot is meant from where the person stands.
fn volume(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let refuse = || format!("invalid spec: {text}: ");
    if parts.iter().any(|part| part.is_empty()) {
        return Err(refuse() + "empty section between colons");
    }
    match parts.as_slice() {
        [target] if target.starts_with('/') => Ok((*target).to_owned()),
        [target] => Err(format!("invalid volume specification: '{target}': the path must be absolute")),
        [source, rest @ ..] if rest.len() <= 2 => {
            Ok(std::iter::once(absolute((*source).to_owned()).as_str())
                .chain(rest.iter().copied())
                .collect::<Vec<_>>()
                .join(":"))
        }
        _ => Err(refuse() + "too many colons"),
    }
}

impl Storage {
    /// Writes what is given into the request.
    pub(crate) fn apply(self, create: &mut ContainerCreate) {
        let host = &mut create.host_config;
        for word in self.volume {
            if word.contains(':') {
                host.binds.push(word);
            } else {
                create.config.volumes.insert(word, Empty {});
            }
        }
        let parted = |word: String| match word.split_once(':') {
            Some((path, options)) => (path.to_owned(), options.to_owned()),
            None => (word, String::new()),
        };
        host.tmpfs = self.tmpfs.into_iter().map(parted).collect();
        host.mounts = self.mount.into_iter().map(|MountWord(mount)| mount).collect();
        host.volume_driver = self.volume_driver;
        host.volumes_from = self.volumes_from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_have_a_target() {
        for text in ["/a", "/a:/b", "v:/b:ro", "/a:/b:ro,z"] {
            assert_eq!(volume(text).as_deref(), Ok(text));
        }
        let here = std::env::current_dir().unwrap();
        assert_eq!(volume("./x:/y").unwrap(), format!("{}:/y", here.join("x").display()));
        for text in ["", "x", ":/b", "a::b", "/a:/b:ro:z"] {
            let refusal = volume(text).unwrap_err();
            assert!(refusal.starts_with("invalid"), "{text}: {refusal}");
        }
    }

    #[test]
    fn a_target_alone_is_a_volume_without_name() {
        let storage = Storage {
            mount: vec!["type=tmpfs,dst=/m".parse().unwrap()],
            tmpfs: vec!["/run:size=1m".to_owned(), "/tmp".to_owned()],
            volume: vec!["/data".to_owned(), "v:/v:ro".to_owned()],
            volume_driver: String::new(),
            volumes_from: vec!["web".to_owned()],
        };
        let mut create = ContainerCreate::default();
        storage.apply(&mut create);
        assert!(create.config.volumes.contains_key("/data"));
        assert_eq!(create.host_config.binds, ["v:/v:ro"]);
        assert_eq!(create.host_config.tmpfs["/run"], "size=1m");
        assert_eq!(create.host_config.tmpfs["/tmp"], "");
        assert_eq!(create.host_config.mounts[0].target, "/m");
    }
}
