//! Fills a tree with data.

use serde_json::{Map, Value};

use super::functions;
use super::parse::{Command, Jump, Node, Operand, Pipeline, Start};
use super::{Missing, TemplateError};

/// Fills the whole template.
pub(super) fn fill(nodes: &[Node], data: &Value, missing: Missing) -> Result<String, TemplateError> {
    let mut filler = Filler { out: String::new(), variables: vec![(String::new(), data.clone())], missing };
    filler.nodes(nodes, data)?;
    Ok(filler.out)
}

struct Filler {
    out: String,
    /// The innermost last; the nameless one is the whole data.
    variables: Vec<(String, Value)>,
    missing: Missing,
}

impl Filler {
    /// Fills parts one after the other, in a scope of their own.
    fn nodes(&mut self, nodes: &[Node], dot: &Value) -> Result<Option<Jump>, TemplateError> {
        let scope = self.variables.len();
        let mut jump = None;
        for node in nodes {
            jump = self.node(node, dot)?;
            if jump.is_some() {
                break;
            }
        }
        self.variables.truncate(scope);
        Ok(jump)
    }

    fn node(&mut self, node: &Node, dot: &Value) -> Result<Option<Jump>, TemplateError> {
        match node {
            Node::Text(text) => self.out.push_str(text),
            Node::Show(pipeline) => {
                let value = self.pipeline(pipeline, dot)?;
                if pipeline.variables.is_empty() {
                    self.out.push_str(&functions::shown(&value));
                }
            }
            Node::Choice { pipeline, rebinds_dot, then, otherwise } => {
                let scope = self.variables.len();
                let value = self.pipeline(pipeline, dot)?;
                let is_true = functions::is_true(&value);
                let branch = if is_true { then } else { otherwise };
                let dot = if *rebinds_dot && is_true { &value } else { dot };
                let jump = self.nodes(branch, dot)?;
                self.variables.truncate(scope);
                return Ok(jump);
            }
            Node::Each { pipeline, body, otherwise } => self.each(pipeline, body, otherwise, dot)?,
            Node::Jump(jump) => return Ok(Some(*jump)),
        }
        Ok(None)
    }

    fn each(
        &mut self,
        pipeline: &Pipeline,
        body: &[Node],
        otherwise: &[Node],
        dot: &Value,
    ) -> Result<(), TemplateError> {
        let elements = elements(self.commands(pipeline, dot)?)?;
        if elements.is_empty() {
            return self.nodes(otherwise, dot).map(drop);
        }
        let scope = self.variables.len();
        for (key, element) in elements {
            match pipeline.variables.as_slice() {
                [] => {}
                [one] => self.variables.push((one.clone(), element.clone())),
                [first, second, ..] => {
                    self.variables.push((first.clone(), key));
                    self.variables.push((second.clone(), element.clone()));
                }
            }
            let jump = self.nodes(body, &element)?;
            self.variables.truncate(scope);
            if jump == Some(Jump::Break) {
                break;
            }
        }
        Ok(())
    }

    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<Value, TemplateError> {
        let value = self.commands(pipeline, dot)?;
        for name in &pipeline.variables {
            let known = self.variables.iter_mut().rev().find(|(known, _)| known == name);
            match known.filter(|_| !pipeline.declares) {
                Some((_, old)) => *old = value.clone(),
                None => self.variables.push((name.clone(), value.clone())),
            }
        }
        Ok(value)
    }

    fn commands(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<Value, TemplateError> {
        let mut piped: Option<Value> = None;
        for command in &pipeline.commands {
            piped = Some(self.command(command, piped, dot)?);
        }
        Ok(piped.unwrap_or(Value::Null))
    }

    fn command(
        &mut self,
        command: &Command,
        piped: Option<Value>,
        dot: &Value,
    ) -> Result<Value, TemplateError> {
        match command {
            Command::Value(operand) if piped.is_none() => self.operand(operand, dot),
            Command::Value(_) => Err(TemplateError::new("can't give argument to non-function")),
            Command::Call(name, operands) => {
                let mut arguments = Vec::with_capacity(operands.len() + 1);
                for operand in operands {
                    arguments.push(self.operand(operand, dot)?);
                }
                arguments.extend(piped);
                functions::call(name, arguments)
            }
        }
    }

    fn operand(&mut self, operand: &Operand, dot: &Value) -> Result<Value, TemplateError> {
        let start = match &operand.start {
            Start::Dot => dot.clone(),
            Start::Literal(value) => value.clone(),
            Start::Nested(pipeline) => self.pipeline(pipeline, dot)?,
            Start::Function(name) => functions::call(name, Vec::new())?,
            Start::Variable(name) => {
                let found = self.variables.iter().rev().find(|(known, _)| known == name);
                let undefined = || TemplateError::new(format!("undefined variable \"${name}\""));
                found.ok_or_else(undefined)?.1.clone()
            }
        };
        operand.fields.iter().try_fold(start, |value, field| self.field(value, field))
    }

    fn field(&self, value: Value, field: &str) -> Result<Value, TemplateError> {
        match value {
            Value::Object(mut map) => match (map.shift_remove(field), self.missing) {
                (Some(value), _) => Ok(value),
                (None, Missing::NoValue) => Ok(Value::Null),
                (None, Missing::Refused) => like(map, field).ok_or_else(|| {
                    let key = format!("map has no entry for key {field:?}");
                    TemplateError::new(format!("executing \"\" at <.{field}>: {key}"))
                }),
            },
            Value::Null if self.missing == Missing::NoValue => Ok(Value::Null),
            Value::Null => Err(TemplateError::new(format!(
                "executing \"\" at <.{field}>: nil data; no entry for key {field:?}"
            ))),
            other => Err(TemplateError::new(format!(
                "executing \"\" at <.{field}>: can't evaluate field {field} in type {}",
                functions::type_name(&other)
            ))),
        }
    }
}

/// The value of a key that differs in the case of letters only: people write Go's names of fields, as in
/// `.Server.APIVersion`, where JSON has `ApiVersion`.
fn like(map: Map<String, Value>, field: &str) -> Option<Value> {
    map.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(field)).map(|(_, value)| value)
}

/// What `range` goes over: keys in order with their values, or places with elements.
fn elements(value: Value) -> Result<Vec<(Value, Value)>, TemplateError> {
    Ok(match value {
        Value::Null => Vec::new(),
        Value::Array(values) => {
            values.into_iter().enumerate().map(|(at, value)| (Value::from(at), value)).collect()
        }
        Value::Object(map) => {
            let mut pairs: Vec<(String, Value)> = map.into_iter().collect();
            pairs.sort_by(|one, other| one.0.cmp(&other.0));
            pairs.into_iter().map(|(key, value)| (Value::String(key), value)).collect()
        }
        Value::Number(count) => {
            let count = count.as_u64().unwrap_or(0).min(MOST_ROUNDS);
            (0..count).map(|at| (Value::from(at), Value::from(at))).collect()
        }
        other => {
            return Err(TemplateError::new(format!("range can't iterate over {}", functions::shown(&other))));
        }
    })
}

/// A number is gone over at most so often: templates come from outside.
const MOST_ROUNDS: u64 = 10_000;
