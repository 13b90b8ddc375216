//! Go's text templates over JSON, as `--format` and the templates of services use them.
//!
//! In: a template and a [`Value`] whose keys keep their order. Out: text, or an error in the words users know.
//! Not built: `define`, `template`, `block` and methods. No crate is used because those at hand lose the order
//! of keys, which `{{json .}}` shows.

mod eval;
mod functions;
mod lex;
mod parse;

use serde_json::Value;

pub use functions::title;

/// Why a template cannot be read or filled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("template: :1: {0}")]
pub struct TemplateError(String);

impl TemplateError {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// What a key that is not there means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// The text `<no value>`.
    #[default]
    NoValue,
    /// An error.
    Refused,
}

/// A template, read once.
#[derive(Clone, Debug)]
pub struct Template {
    nodes: Vec<parse::Node>,
    missing: Missing,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// If an action is not closed, a function is not known, or a word makes no sense where it stands.
    pub fn parse(text: &str, missing: Missing) -> Result<Self, TemplateError> {
        Ok(Self { nodes: parse::parse(text)?, missing })
    }

    /// Fills it with `data`.
    ///
    /// # Errors
    /// If a field cannot be looked up or a function cannot take its arguments.
    pub fn fill(&self, data: &Value) -> Result<String, TemplateError> {
        eval::fill(&self.nodes, data, self.missing)
    }

    /// The names of the first fields it looks up, in the order in which they stand: the columns of a table.
    pub fn columns(&self) -> Vec<String> {
        parse::columns(&self.nodes)
    }
}

#[cfg(test)]
mod tests;
