//! The lines of a Dockerfile that `import --change` may have: they say what containers need, and run nothing.

use serde_json::json;

use crate::image::config::{Healthcheck, ImageConfig};
use crate::image::error::ImageError;

/// Changes what containers get, as the line says.
pub(crate) fn apply(config: &mut ImageConfig, line: &str) -> Result<(), ImageError> {
    let line = line.trim();
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let (word, rest) = (word.to_ascii_uppercase(), rest.trim());
    let wrong = |why: &str| ImageError::invalid(format!("invalid change \"{line}\": {why}"));
    if rest.is_empty() && KNOWN.contains(&word.as_str()) {
        return Err(wrong(&format!("{word} requires at least one argument")));
    }
    match word.as_str() {
        "CMD" => config.cmd = command(rest),
        "ENTRYPOINT" => config.entrypoint = command(rest),
        "ENV" => {
            for (key, value) in pairs(rest).map_err(wrong)? {
                config.env.retain(|line| line.split('=').next() != Some(&key));
                config.env.push(format!("{key}={value}"));
            }
        }
        "LABEL" => config.labels.extend(pairs(rest).map_err(wrong)?),
        "EXPOSE" => {
            for port in words(rest).map_err(wrong)? {
                config.exposed_ports.insert(exposed(&port).map_err(wrong)?, json!({}));
            }
        }
        "VOLUME" => {
            let folders = list(rest).map_or_else(|| words(rest).map_err(wrong), Ok)?;
            config.volumes.extend(folders.into_iter().map(|folder| (folder, json!({}))));
        }
        "WORKDIR" if rest.starts_with('/') => config.working_dir = rest.to_owned(),
        "WORKDIR" => config.working_dir = format!("{}/{rest}", config.working_dir.trim_end_matches('/')),
        "USER" => config.user = rest.to_owned(),
        "STOPSIGNAL" => config.stop_signal = rest.to_owned(),
        "HEALTHCHECK" => config.healthcheck = Some(healthcheck(rest).map_err(wrong)?),
        "ONBUILD" => config.on_build.push(rest.to_owned()),
        "" => return Err(wrong("it is empty")),
        other => return Err(wrong(&format!("{other} is not a valid change command"))),
    }
    Ok(())
}

/// A JSON list is a command as it stands; anything else is a line for the shell.
fn command(text: &str) -> Vec<String> {
    list(text).unwrap_or_else(|| vec!["/bin/sh".to_owned(), "-c".to_owned(), text.to_owned()])
}

fn list(text: &str) -> Option<Vec<String>> {
    text.starts_with('[').then(|| serde_json::from_str(text).ok()).flatten()
}

fn exposed(text: &str) -> Result<String, &'static str> {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let good = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    if !good(first) || !good(last) || !["tcp", "udp", "sctp"].contains(&protocol) {
        return Err("a port must be 1 to 65535, with /tcp, /udp or /sctp");
    }
    Ok(format!("{ports}/{protocol}"))
}

/// `key=value …`, or `key the whole rest`.
fn pairs(text: &str) -> Result<Vec<(String, String)>, &'static str> {
    let words = words(text)?;
    if !words[0].contains('=') {
        let (key, value) = text.split_once(char::is_whitespace).ok_or("it must be of the form name=value")?;
        return Ok(vec![(key.to_owned(), value.trim().to_owned())]);
    }
    let pair = |word: String| match word.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("it must be of the form name=value"),
    };
    words.into_iter().map(pair).collect()
}

/// Splits at spaces outside of quotes; a backslash takes the next letter as it is.
fn words(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if quote != Some('\'') => word.get_or_insert_default().push(letters.next().unwrap_or('\\')),
            '"' | '\'' if quote.is_none() => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            letter if quote == Some(letter) => quote = None,
            letter if letter.is_whitespace() && quote.is_none() => words.extend(word.take()),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    if quote.is_some() { Err("a quote is not closed") } else { Ok(words) }
}

fn healthcheck(text: &str) -> Result<Healthcheck, &'static str> {
    let mut check = Healthcheck::default();
    let mut rest = text;
    while let Some(option) = rest.strip_prefix("--") {
        let (option, after) =
            option.split_once(char::is_whitespace).ok_or("HEALTHCHECK must end with CMD or NONE")?;
        let (name, value) = option.split_once('=').ok_or("an option must be of the form --name=value")?;
        match name {
            "interval" => check.interval = nanos(value)?,
            "timeout" => check.timeout = nanos(value)?,
            "start-period" => check.start_period = nanos(value)?,
            "start-interval" => check.start_interval = nanos(value)?,
            "retries" => check.retries = value.parse().map_err(|_| "retries must be a number")?,
            _ => {
                return Err(
                    "HEALTHCHECK knows --interval, --timeout, --start-period, --start-interval and --retries",
                );
            }
        }
        rest = after.trim_start();
    }
    let (word, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    check.test = match (word.to_ascii_uppercase().as_str(), rest.trim()) {
        ("NONE", "") => vec!["NONE".to_owned()],
        ("CMD", line) if !line.is_empty() => match list(line) {
            Some(command) => std::iter::once("CMD".to_owned()).chain(command).collect(),
            None => vec!["CMD-SHELL".to_owned(), line.to_owned()],
        },
        _ => return Err("HEALTHCHECK must end with CMD and a command, or NONE"),
    };
    Ok(check)
}

/// Durations as Go writes them: `1m30s`, `500ms`.
fn nanos(text: &str) -> Result<i64, &'static str> {
    let wrong = "a duration must look like 30s, 1m30s or 500ms";
    let mut rest = text;
    let mut sum = 0f64;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').ok_or(wrong)?;
        let number: f64 = rest[..digits].parse().map_err(|_| wrong)?;
        let unit_end =
            rest[digits..].find(|letter: char| letter.is_ascii_digit()).map_or(rest.len(), |at| digits + at);
        sum += number
            * match &rest[digits..unit_end] {
                "h" => 3600e9,
                "m" => 60e9,
                "s" => 1e9,
                "ms" => 1e6,
                "us" => 1e3,
                "ns" => 1.0,
                _ => return Err(wrong),
            };
        rest = &rest[unit_end..];
    }
    if text.is_empty() || sum > 9e18 { Err(wrong) } else { Ok(sum as i64) }
}

const KNOWN: [&str; 11] = [
    "CMD",
    "ENTRYPOINT",
    "ENV",
    "LABEL",
    "EXPOSE",
    "VOLUME",
    "WORKDIR",
    "USER",
    "STOPSIGNAL",
    "HEALTHCHECK",
    "ONBUILD",
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn changed(lines: &[&str]) -> ImageConfig {
        let mut config = ImageConfig::default();
        lines.iter().for_each(|line| apply(&mut config, line).unwrap());
        config
    }

    #[test]
    fn every_change_does_what_it_says() {
        let config = changed(&[
            "CMD [\"a\", \"b c\"]",
            "entrypoint run me",
            "ENV A=1 B=\"two words\"",
            "ENV A 3 4",
            "LABEL k=v l='x y'",
            "EXPOSE 80 53/udp 9000-9010",
            "VOLUME [\"/data\"]",
            "VOLUME /a /b",
            "WORKDIR /srv",
            "WORKDIR app",
            "USER 1000:1000",
            "STOPSIGNAL SIGQUIT",
            "HEALTHCHECK --interval=1m30s --retries=3 CMD curl -f localhost",
        ]);
        assert_eq!(config.cmd, ["a", "b c"]);
        assert_eq!(config.entrypoint, ["/bin/sh", "-c", "run me"]);
        assert_eq!(config.env, ["B=two words", "A=3 4"]);
        assert_eq!((config.labels["k"].as_str(), config.labels["l"].as_str()), ("v", "x y"));
        assert_eq!(config.exposed_ports.keys().collect::<Vec<_>>(), ["53/udp", "80/tcp", "9000-9010/tcp"]);
        assert_eq!(config.volumes.keys().collect::<Vec<_>>(), ["/a", "/b", "/data"]);
        assert_eq!((config.working_dir.as_str(), config.user.as_str()), ("/srv/app", "1000:1000"));
        let check = config.healthcheck.unwrap();
        assert_eq!(check.test, ["CMD-SHELL", "curl -f localhost"]);
        assert_eq!((check.interval, check.retries), (90_000_000_000, 3));
        assert_eq!(changed(&["HEALTHCHECK NONE"]).healthcheck.unwrap().test, ["NONE"]);
    }

    #[test]
    fn wrong_changes_are_refused_with_their_rule() {
        for (line, part) in [
            ("", "it is empty"),
            ("RUN x", "RUN is not a valid change command"),
            ("CMD", "CMD requires at least one argument"),
            ("ENV A", "name=value"),
            ("ENV A=1 B", "name=value"),
            ("ENV \"A=1", "a quote is not closed"),
            ("EXPOSE 0", "1 to 65535"),
            ("EXPOSE 80/x", "1 to 65535"),
            ("HEALTHCHECK --interval=5 CMD x", "a duration"),
            ("HEALTHCHECK x", "must end with CMD"),
        ] {
            let message = apply(&mut ImageConfig::default(), line).unwrap_err().message;
            assert!(message.contains(part), "{line}: {message}");
        }
    }

    proptest! {
        #[test]
        fn garbage_topples_nothing(word in 0usize..11, rest in ".{0,30}") {
            let _ = apply(&mut ImageConfig::default(), &format!("{} {rest}", KNOWN[word]));
        }
    }
}
