//! `--env`, `--label` and the files of them: `KEY=VALUE`, one for each word or line.

use clap::Args;

use super::values::pairs;

/// The lines of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lines(Vec<String>);

/// Variables of the environment.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Variables {
    /// A variable of the environment, NAME=VALUE; without a value this program's own
    #[arg(short, long, value_name = "VARIABLE", value_parser = variable)]
    env: Vec<String>,
    /// A file of such variables, one for each line
    #[arg(long, value_name = "FILE", value_parser = variables_of)]
    env_file: Vec<Lines>,
}

impl Variables {
    /// Those of the files, then those that were typed.
    pub(crate) fn all(self) -> Vec<String> {
        joined(self.env_file, self.env)
    }
}

/// Labels of a container.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct LabelWords {
    /// A label, KEY=VALUE
    #[arg(short, long, value_name = "LABEL")]
    label: Vec<String>,
    /// A file of labels, one for each line
    #[arg(long, value_name = "FILE", value_parser = lines_of)]
    label_file: Vec<Lines>,
}

impl LabelWords {
    /// Those of the files, then those that were typed.
    pub(crate) fn all(self) -> model::Labels {
        pairs(&joined(self.label_file, self.label))
    }
}

fn joined(files: Vec<Lines>, typed: Vec<String>) -> Vec<String> {
    files.into_iter().flat_map(|Lines(words)| words).chain(typed).collect()
}

/// `KEY=VALUE`; without a sign the value comes from the person's own environment.
pub(crate) fn variable(text: &str) -> Result<String, String> {
    if text.starts_with('=') || text.is_empty() {
        return Err(format!("invalid environment variable: {text}"));
    }
    Ok(own(text).map_or_else(|| text.to_owned(), |value| format!("{text}={value}")))
}

/// The value of a variable of this program; none for what has a value already.
fn own(text: &str) -> Option<String> {
    if text.contains('=') {
        return None;
    }
    std::env::vars().find(|(key, _)| key == text).map(|(_, value)| value)
}

fn variables_of(path: &str) -> Result<Lines, String> {
    let Lines(lines) = lines_of(path)?;
    // A variable that this program has not either says nothing.
    let known = lines.into_iter().filter(|line| line.contains('=') || own(line).is_some());
    known.map(|line| variable(&line)).collect::<Result<_, _>>().map(Lines)
}

fn lines_of(path: &str) -> Result<Lines, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("open {path}: {error}"))?;
    lines(&text).map_err(|fault| format!("invalid file ({path}): {fault}")).map(Lines)
}

/// The lines that say something: blank ones and those that start with `#` do not.
pub(crate) fn lines(text: &str) -> Result<Vec<String>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let checked = lines.map(|line| {
        let name = line.split('=').next().unwrap_or_default();
        match name {
            "" => Err(format!("no variable name on line '{line}'")),
            name if name.contains(char::is_whitespace) => {
                Err(format!("variable '{name}' contains whitespaces"))
            }
            _ => Ok(line.to_owned()),
        }
    });
    checked.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_hold_a_pair_on_each_line() {
        assert_eq!(lines("# no\n\nA=1\n B=2 3\nC\n").unwrap(), ["A=1", "B=2 3", "C"]);
        for (text, rule) in
            [("=a", "no variable name on line '=a'"), ("A B=1", "variable 'A B' contains whitespaces")]
        {
            assert_eq!(lines(text).unwrap_err(), rule, "{text}");
        }
    }

    #[test]
    fn a_variable_has_a_name() {
        for (text, expected) in [("A=1", "A=1"), ("SKEP_IS_NOT_SET", "SKEP_IS_NOT_SET")] {
            assert_eq!(variable(text).unwrap(), expected);
        }
        assert_eq!(variable("=a").unwrap_err(), "invalid environment variable: =a");
        assert!(variables_of("/nonexistent").unwrap_err().starts_with("open /nonexistent: "));
    }
}
