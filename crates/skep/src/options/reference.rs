//! `--secret` and `--config`: a name, or fields such as `source=key,target=/key,mode=0400`.

use std::str::FromStr;

use api::spec::reference::FileTarget;

use super::values::fields;

/// A secret or config by name, and the file it becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    /// The name of the object.
    pub(crate) source: String,
    /// The file in the container.
    pub(crate) file: FileTarget,
}

impl FromStr for Reference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut source = String::new();
        let mut file =
            FileTarget { name: String::new(), uid: "0".to_owned(), gid: "0".to_owned(), mode: 0o444 };
        if !text.contains(['=', ',']) {
            text.clone_into(&mut source);
        } else {
            for (key, value) in fields(text) {
                let Some(value) = value else {
                    return Err(format!("invalid field '{key}' must be a key=value pair"));
                };
                match key.as_str() {
                    "source" | "src" => source = value,
                    "target" => file.name = value,
                    "uid" => file.uid = value,
                    "gid" => file.gid = value,
                    "mode" => {
                        file.mode = mode(&value).ok_or_else(|| format!("invalid mode specified: {value}"))?;
                    }
                    _ => return Err(format!("invalid field in secret request: {key}")),
                }
            }
        }
        if source.is_empty() {
            return Err("source is required".to_owned());
        }
        if file.name.is_empty() {
            file.name.clone_from(&source);
        }
        Ok(Self { source, file })
    }
}

/// Octal with a leading zero, else decimal, as in Go.
fn mode(text: &str) -> Option<u32> {
    match text.strip_prefix("0o").or_else(|| text.strip_prefix('0')) {
        Some(octal) if !octal.is_empty() => u32::from_str_radix(octal, 8).ok(),
        _ => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_names_a_source_and_a_file() {
        for (text, expected) in [
            ("key", "key key 0:0 444"),
            ("source=key,target=/x,uid=1,gid=2,mode=0400", "key /x 1:2 400"),
            ("src=key,mode=256", "key key 0:0 400"),
        ] {
            let Reference { source, file: FileTarget { name, uid, gid, mode } } = text.parse().unwrap();
            assert_eq!(format!("{source} {name} {uid}:{gid} {mode:o}"), expected, "{text}");
        }
        for (text, rule) in [
            ("", "source is required"),
            ("target=x", "source is required"),
            ("a,b", "invalid field 'a' must be a key=value pair"),
            ("foo=a", "invalid field in secret request: foo"),
            ("source=a,mode=09", "invalid mode specified: 09"),
        ] {
            assert_eq!(text.parse::<Reference>().unwrap_err(), rule, "{text}");
        }
    }
}
