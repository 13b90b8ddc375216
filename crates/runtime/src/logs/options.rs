//! Where a container's output is kept, and how much of it.
//!
//! In: a driver's name and options as users write them. Out: what the supervisor is told, or a refusal that
//! names the option and the rule.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A log driver and its options, as a user wrote them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogConfig {
    /// `json-file`, `local` or `none`; empty means `json-file`.
    pub driver: String,
    /// `max-size`, `max-file` and what else the driver knows.
    pub options: BTreeMap<String, String>,
}

/// What is to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogPlan {
    /// Nothing.
    Nothing,
    /// A file, and older ones beside it.
    File {
        /// A file that would grow beyond this many bytes is put aside; absent means never.
        size_max: Option<u64>,
        /// How many files there are at most.
        files_max: u32,
        /// Whether those put aside are compressed.
        aside: Aside,
    },
}

/// The form of a log file that was put aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aside {
    /// As it was written.
    Plain,
    /// By gzip.
    Compressed,
}

/// Options that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLogConfig {
    /// No such driver.
    #[error("logger: no log driver named '{0}' is registered")]
    Driver(String),
    /// No such option.
    #[error("unknown log opt '{option}' for {driver} log driver")]
    Option {
        /// The driver.
        driver: String,
        /// The option.
        option: String,
    },
    /// A value that breaks a rule.
    #[error("invalid log opt {option}={value}: {rule}")]
    Value {
        /// The option.
        option: &'static str,
        /// The value.
        value: String,
        /// The rule.
        rule: &'static str,
    },
}

impl LogConfig {
    /// The driver's name, also where none was written.
    pub fn driver(&self) -> &str {
        if self.driver.is_empty() { "json-file" } else { &self.driver }
    }

    /// What is to be kept.
    ///
    /// # Errors
    /// If there is no such driver or option, or a value breaks its rule.
    pub fn plan(&self) -> Result<LogPlan, BadLogConfig> {
        let known: &[&str] = match self.driver() {
            "none" => return Ok(LogPlan::Nothing),
            "json-file" => &JSON_FILE_OPTIONS,
            "local" => &LOCAL_OPTIONS,
            other => return Err(BadLogConfig::Driver(other.to_owned())),
        };
        if let Some(option) = self.options.keys().find(|option| !known.contains(&option.as_str())) {
            return Err(BadLogConfig::Option { driver: self.driver().to_owned(), option: option.clone() });
        }
        self.file_plan()
    }

    fn file_plan(&self) -> Result<LogPlan, BadLogConfig> {
        let is_local = self.driver() == "local";
        let bad = |option, value: &str, rule| BadLogConfig::Value { option, value: value.to_owned(), rule };
        let size_max = match self.options.get("max-size").map(String::as_str) {
            None => is_local.then_some(LOCAL_SIZE_MAX),
            Some("-1") => None,
            Some(text) => {
                let size = size(text).filter(|size| *size > 0);
                Some(size.ok_or_else(|| bad("max-size", text, "a number above 0 with k, m or g, as in 10m"))?)
            }
        };
        let files_max = match self.options.get("max-file").map(String::as_str) {
            None if is_local => LOCAL_FILES_MAX,
            None => 1,
            Some(text) => {
                let count = text.parse().ok().filter(|count| (1..=FILES_MAX).contains(count));
                count.ok_or_else(|| bad("max-file", text, "a number from 1 to 1000"))?
            }
        };
        if files_max > 1 && size_max.is_none() {
            return Err(bad("max-file", &files_max.to_string(), "it cannot be above 1 without max-size"));
        }
        let aside = match self.options.get("compress").map(String::as_str) {
            None => Aside::Plain,
            Some("false" | "0" | "f" | "F") => Aside::Plain,
            Some(text @ ("true" | "1" | "t" | "T")) if files_max < 2 => {
                return Err(bad("compress", text, "it cannot be true when max-file is less than 2 or unset"));
            }
            Some("true" | "1" | "t" | "T") => Aside::Compressed,
            Some(other) => return Err(bad("compress", other, "true or false")),
        };
        Ok(LogPlan::File { size_max, files_max, aside })
    }
}

/// Bytes, from a number with a unit of powers of 1024: `10m`, `1.5g`, `512`.
fn size(text: &str) -> Option<u64> {
    let lower = text.trim().to_ascii_lowercase();
    let number = lower.trim_end_matches(|letter: char| letter.is_ascii_alphabetic()).trim_end();
    let shift = match lower[number.len()..].trim() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return None,
    };
    let number: f64 = number.parse().ok()?;
    let bytes = number * f64::from(1_u32 << 10).powi(shift / 10);
    (number.is_finite() && number >= 0.0 && bytes < 9e18).then_some(bytes as u64)
}

const JSON_FILE_OPTIONS: [&str; 9] =
    ["max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex", "tag", "mode"];
const LOCAL_OPTIONS: [&str; 3] = ["max-size", "max-file", "compress"];
const LOCAL_SIZE_MAX: u64 = 20 << 20;
const LOCAL_FILES_MAX: u32 = 5;
const FILES_MAX: u32 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(driver: &str, options: &[(&str, &str)]) -> Result<LogPlan, BadLogConfig> {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        LogConfig { driver: driver.to_owned(), options }.plan()
    }

    #[test]
    fn a_log_is_one_endless_file_unless_said_otherwise() {
        let endless = LogPlan::File { size_max: None, files_max: 1, aside: Aside::Plain };
        assert_eq!(plan("", &[]), Ok(endless));
        assert_eq!(plan("json-file", &[("max-size", "-1")]), Ok(endless));
        assert_eq!(plan("none", &[]), Ok(LogPlan::Nothing));
        let turned = LogPlan::File { size_max: Some(10 << 20), files_max: 3, aside: Aside::Compressed };
        assert_eq!(plan("", &[("max-size", "10m"), ("max-file", "3"), ("compress", "true")]), Ok(turned));
    }

    #[test]
    fn options_that_cannot_be_meant_are_refused_by_name() {
        for (options, text) in [
            (
                &[("max-size", "x")][..],
                "invalid log opt max-size=x: a number above 0 with k, m or g, as in 10m",
            ),
            (&[("max-size", "0")], "invalid log opt max-size=0: a number above 0 with k, m or g, as in 10m"),
            (&[("max-file", "2")], "invalid log opt max-file=2: it cannot be above 1 without max-size"),
            (&[("max-file", "0")], "invalid log opt max-file=0: a number from 1 to 1000"),
            (
                &[("max-size", "1k"), ("compress", "true")],
                "invalid log opt compress=true: it cannot be true when max-file is less than 2 or unset",
            ),
            (&[("colour", "red")], "unknown log opt 'colour' for json-file log driver"),
        ] {
            assert_eq!(plan("", options).unwrap_err().to_string(), text);
        }
        let unknown = plan("syslog", &[]).unwrap_err().to_string();
        assert_eq!(unknown, "logger: no log driver named 'syslog' is registered");
    }

    #[test]
    fn sizes_have_units_of_1024() {
        for (text, bytes) in [("10", 10), ("1k", 1024), ("1.5KB", 1536), ("2 MiB", 2 << 20), ("1g", 1 << 30)]
        {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for wrong in ["", "k", "-1", "1x", "nan", "inf", "1e30g"] {
            assert_eq!(size(wrong), None, "{wrong}");
        }
    }
}
