//! `inspect`: things whole as JSON, or through a template.

use anyhow::{Context, Result, bail};
use api::template::{Missing, Template};
use serde_json::Value;

/// One thing through a template; `json` means the whole on one line.
pub(crate) fn one(format: &str, value: &Value) -> Result<String> {
    if format == "json" {
        return Ok(value.to_string());
    }
    let template = Template::parse(format, Missing::Refused).context("template parsing error")?;
    template.fill(value).context("template parsing error")
}

/// All things: a JSON list, or a line for each through a template.
pub(crate) fn all(format: Option<&str>, values: Vec<Value>) -> Result<String> {
    let Some(format) = format else {
        let text = indented(&Value::Array(values))?;
        return Ok(text);
    };
    let lines: Result<Vec<String>> = values.iter().map(|value| one(format, value)).collect();
    Ok(lines?.join("\n"))
}

/// JSON with four spaces for each depth, as docker's CLI prints it.
fn indented(value: &Value) -> Result<String> {
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut writer = serde_json::Serializer::with_formatter(&mut text, formatter);
    serde::Serialize::serialize(value, &mut writer)?;
    match String::from_utf8(text) {
        Ok(text) => Ok(text),
        Err(error) => bail!("the daemon's answer is no text: {error}"),
    }
}
