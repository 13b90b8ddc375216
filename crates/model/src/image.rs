//! References to images: `[registry/]path[:tag][@digest]`.
//!
//! A familiar name is filled up as Docker does: `nginx` means `docker.io/library/nginx:latest`.

use std::fmt;

use crate::refusal::Refusal;

/// A reference to an image, with nothing left to guess but the tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageRef {
    /// The registry: `docker.io`, `localhost:5000` …
    pub registry: String,
    /// The repository within it: `library/nginx`.
    pub path: String,
    /// The tag, if one is named.
    pub tag: Option<String>,
    /// The digest, if one is named: `sha256:` and 64 hexadecimal letters.
    pub digest: Option<String>,
}

/// The registry of names that name none.
pub const DEFAULT_REGISTRY: &str = "docker.io";
/// The tag of names that name neither tag nor digest.
pub const DEFAULT_TAG: &str = "latest";

impl ImageRef {
    /// Reads a reference as users write it.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        Self::read(text).ok_or_else(|| {
            Refusal::invalid(format!("invalid reference format: \"{text}\" is not a valid repository/tag"))
        })
    }

    fn read(text: &str) -> Option<Self> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        let (registry, path) = match name.split_once('/') {
            Some((first, path)) if is_registry(first) => (first, path.to_owned()),
            Some(_) => (DEFAULT_REGISTRY, name.to_owned()),
            None => (DEFAULT_REGISTRY, format!("library/{name}")),
        };
        let registry = if registry == "index.docker.io" { DEFAULT_REGISTRY } else { registry };
        let good = is_host(registry)
            && path.len() + registry.len() < 255
            && path.split('/').all(is_component)
            && tag.is_none_or(is_tag)
            && digest.is_none_or(is_digest);
        good.then(|| Self {
            registry: registry.to_owned(),
            path,
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        })
    }

    /// The tag, or `latest` if neither tag nor digest is named.
    pub fn tag_or_latest(&self) -> Option<&str> {
        match (&self.tag, &self.digest) {
            (Some(tag), _) => Some(tag),
            (None, Some(_)) => None,
            (None, None) => Some(DEFAULT_TAG),
        }
    }

    /// Registry and path as users read them: `nginx`, `bitnami/redis`, `localhost:5000/web`.
    pub fn familiar_name(&self) -> String {
        if self.registry != DEFAULT_REGISTRY {
            return format!("{}/{}", self.registry, self.path);
        }
        self.path.strip_prefix("library/").unwrap_or(&self.path).to_owned()
    }

    /// The whole reference as users read it: `nginx:latest`.
    pub fn familiar(&self) -> String {
        let mut text = self.familiar_name();
        if let Some(tag) = self.tag_or_latest() {
            text.push(':');
            text.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            text.push('@');
            text.push_str(digest);
        }
        text
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)?;
        if let Some(tag) = self.tag_or_latest() {
            write!(f, ":{tag}")?;
        }
        self.digest.as_ref().map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

/// A first part is a registry if it could be no path: it has a dot, a port or a capital letter, or is `localhost`.
fn is_registry(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':']) || first.chars().any(|c| c.is_ascii_uppercase())
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !name.ends_with(']') && name.contains(']') => (name, Some(port)),
        Some((name, port)) => (name, Some(port)),
        None => (host, None),
    };
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let bracketed = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let good_name = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => name.split('.').all(label),
    };
    good_name && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// Lower-case words, joined by one dot, one or two underscores, or dashes.
fn is_component(part: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let edges = part.starts_with(word) && part.ends_with(word);
    let good_separator = |run: &str| matches!(run, "" | "." | "_" | "__") || run.chars().all(|c| c == '-');
    edges
        && part.chars().all(|c| word(c) || matches!(c, '.' | '_' | '-'))
        && part.split(word).all(good_separator)
}

fn is_tag(tag: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (1..=128).contains(&tag.len())
        && tag.starts_with(word)
        && tag.chars().all(|c| word(c) || matches!(c, '.' | '-'))
}

fn is_digest(digest: &str) -> bool {
    let hex = |text: &str| text.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c));
    match digest.split_once(':') {
        Some(("sha256", text)) => text.len() == 64 && hex(text),
        Some(("sha512", text)) => text.len() == 128 && hex(text),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn familiar_names_are_filled_up_and_shortened_again() {
        for (text, full, familiar) in [
            ("nginx", "docker.io/library/nginx:latest", "nginx:latest"),
            ("bitnami/redis:7", "docker.io/bitnami/redis:7", "bitnami/redis:7"),
            ("localhost:5000/web", "localhost:5000/web:latest", "localhost:5000/web:latest"),
            ("index.docker.io/library/a", "docker.io/library/a:latest", "a:latest"),
            ("ghcr.io/a/b__c/d-e:v1.0", "ghcr.io/a/b__c/d-e:v1.0", "ghcr.io/a/b__c/d-e:v1.0"),
        ] {
            let parsed = ImageRef::parse(text).unwrap();
            assert_eq!((parsed.to_string().as_str(), parsed.familiar().as_str()), (full, familiar));
        }
    }

    #[test]
    fn a_digest_makes_the_tag_needless() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let parsed = ImageRef::parse(&format!("nginx@{digest}")).unwrap();
        assert_eq!(parsed.familiar(), format!("nginx@{digest}"));
    }

    #[test]
    fn wrong_references_are_refused() {
        for text in [
            "",
            "Nginx",
            "a b",
            "nginx:",
            "nginx:-x",
            "a//b",
            "a@sha256:12",
            "-a",
            "a/_b",
            "a._b",
            "a:b:c/d e",
        ] {
            assert!(ImageRef::parse(text).is_err(), "{text}");
        }
    }
}
