//! Reads pieces into a tree.

use serde_json::Value;

use super::TemplateError;
use super::functions;
use super::lex::{self, Piece, Token};

/// A part of a template.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// Text that stands for itself.
    Text(String),
    /// Something to show.
    Show(Pipeline),
    /// `if` and `with`: one of two branches.
    Choice { pipeline: Pipeline, rebinds_dot: bool, then: Vec<Node>, otherwise: Vec<Node> },
    /// `range`: once for each element.
    Each { pipeline: Pipeline, body: Vec<Node>, otherwise: Vec<Node> },
    /// `break` and `continue`.
    Jump(Jump),
}

/// A way out of a loop's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Jump {
    Break,
    Continue,
}

/// Commands, each of which gets the value of the one before as its last argument.
#[derive(Clone, Debug)]
pub(super) struct Pipeline {
    /// Variables that it sets: one, or index and element for `range`.
    pub(super) variables: Vec<String>,
    /// Whether the variables are new.
    pub(super) declares: bool,
    /// At least one.
    pub(super) commands: Vec<Command>,
}

/// A function with its arguments, or a value alone.
#[derive(Clone, Debug)]
pub(super) enum Command {
    Call(String, Vec<Operand>),
    Value(Operand),
}

/// A value, and the fields to follow from it.
#[derive(Clone, Debug)]
pub(super) struct Operand {
    pub(super) start: Start,
    pub(super) fields: Vec<String>,
}

/// Where an operand starts.
#[derive(Clone, Debug)]
pub(super) enum Start {
    Dot,
    Variable(String),
    Literal(Value),
    Nested(Pipeline),
    /// A function without arguments, among arguments.
    Function(String),
}

/// Reads a whole template.
pub(super) fn parse(text: &str) -> Result<Vec<Node>, TemplateError> {
    let pieces = lex::pieces(text)?;
    let mut reader = Reader { pieces: pieces.into_iter() };
    match reader.block()? {
        (nodes, End::OfTemplate) => Ok(nodes),
        (_, End::Word(word, _)) => Err(TemplateError::new(format!("unexpected {{{{{word}}}}}"))),
    }
}

/// The first fields that are shown, in order.
pub(super) fn columns(nodes: &[Node]) -> Vec<String> {
    let mut names = Vec::new();
    for node in nodes {
        match node {
            Node::Show(pipeline) => names.extend(pipeline.commands.iter().find_map(column)),
            Node::Choice { pipeline, then, otherwise, .. } => {
                names.extend(pipeline.commands.iter().find_map(column));
                names.extend(columns(then));
                names.extend(columns(otherwise));
            }
            Node::Each { pipeline, .. } => names.extend(pipeline.commands.iter().find_map(column)),
            Node::Text(_) | Node::Jump(_) => {}
        }
    }
    names
}

fn column(command: &Command) -> Option<String> {
    let operands = match command {
        Command::Call(_, operands) => operands.as_slice(),
        Command::Value(operand) => std::slice::from_ref(operand),
    };
    operands.iter().find_map(|operand| match &operand.start {
        Start::Nested(pipeline) => pipeline.commands.iter().find_map(column),
        _ => operand.fields.first().cloned(),
    })
}

/// What ended a block.
enum End {
    OfTemplate,
    /// `end` or `else`, with the words after it.
    Word(&'static str, Vec<Token>),
}

struct Reader {
    pieces: std::vec::IntoIter<Piece>,
}

impl Reader {
    fn block(&mut self) -> Result<(Vec<Node>, End), TemplateError> {
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.next() {
            let tokens = match piece {
                Piece::Text(text) => {
                    nodes.push(Node::Text(text));
                    continue;
                }
                Piece::Action(tokens) => tokens,
            };
            let (word, rest) = match tokens.split_first() {
                Some((Token::Word(word), rest)) => (word.as_str(), rest),
                _ => ("", tokens.as_slice()),
            };
            match word {
                "end" => return Ok((nodes, End::Word("end", rest.to_vec()))),
                "else" => return Ok((nodes, End::Word("else", rest.to_vec()))),
                "if" | "with" => nodes.push(self.choice(word == "with", rest)?),
                "range" => nodes.push(self.each(rest)?),
                "break" => nodes.push(Node::Jump(Jump::Break)),
                "continue" => nodes.push(Node::Jump(Jump::Continue)),
                _ => nodes.push(Node::Show(pipeline(&tokens)?)),
            }
        }
        Ok((nodes, End::OfTemplate))
    }

    fn choice(&mut self, rebinds_dot: bool, tokens: &[Token]) -> Result<Node, TemplateError> {
        let pipeline = pipeline(tokens)?;
        let (then, end) = self.block()?;
        let otherwise = self.otherwise(end)?;
        Ok(Node::Choice { pipeline, rebinds_dot, then, otherwise })
    }

    fn each(&mut self, tokens: &[Token]) -> Result<Node, TemplateError> {
        let pipeline = pipeline(tokens)?;
        let (body, end) = self.block()?;
        let otherwise = self.otherwise(end)?;
        Ok(Node::Each { pipeline, body, otherwise })
    }

    /// The branch after `else`, if there is one; `else if` nests.
    fn otherwise(&mut self, end: End) -> Result<Vec<Node>, TemplateError> {
        let tokens = match end {
            End::OfTemplate => return Err(TemplateError::new("unexpected EOF")),
            End::Word("end", _) => return Ok(Vec::new()),
            End::Word(_, tokens) => tokens,
        };
        let words: Vec<&Token> = tokens.iter().filter(|token| **token != Token::Space).collect();
        if let Some(Token::Word(word)) = words.first() {
            let at = tokens.iter().position(|token| matches!(token, Token::Word(_))).unwrap_or(0);
            return Ok(vec![self.choice(word == "with", &tokens[at + 1..])?]);
        }
        match self.block()? {
            (nodes, End::Word("end", _)) => Ok(nodes),
            _ => Err(TemplateError::new("unexpected EOF")),
        }
    }
}

fn pipeline(tokens: &[Token]) -> Result<Pipeline, TemplateError> {
    let (variables, declares, tokens) = variables(tokens);
    let mut commands = Vec::new();
    for part in split(tokens, "|")? {
        commands.push(command(part)?);
    }
    Ok(Pipeline { variables, declares, commands })
}

/// `$x :=`, `$x =` or `$i, $x :=` before a pipeline.
fn variables(tokens: &[Token]) -> (Vec<String>, bool, &[Token]) {
    let sign = tokens.iter().position(|token| matches!(token, Token::Sign(":=" | "=")));
    let Some(at) = sign else { return (Vec::new(), false, tokens) };
    let names = tokens[..at].iter().filter_map(|token| match token {
        Token::Variable(name) => Some(name.clone()),
        _ => None,
    });
    (names.collect(), tokens[at] == Token::Sign(":="), &tokens[at + 1..])
}

/// Splits at a sign that stands in no parentheses.
fn split<'a>(tokens: &'a [Token], sign: &'static str) -> Result<Vec<&'a [Token]>, TemplateError> {
    let mut depth = 0_usize;
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Sign("(") => depth += 1,
            Token::Sign(")") => {
                depth = depth.checked_sub(1).ok_or_else(|| TemplateError::new("unexpected right paren"))?;
            }
            Token::Sign(found) if *found == sign && depth == 0 => {
                parts.push(&tokens[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&tokens[start..]);
    if depth > 0 { Err(TemplateError::new("unclosed left paren")) } else { Ok(parts) }
}

fn command(tokens: &[Token]) -> Result<Command, TemplateError> {
    let mut words = arguments(tokens)?.into_iter();
    let first = words.next().ok_or_else(|| TemplateError::new("missing value for command"))?;
    let rest: Vec<Operand> = words.collect();
    match first.start {
        Start::Function(name) if first.fields.is_empty() => Ok(Command::Call(name, rest)),
        _ if rest.is_empty() => Ok(Command::Value(first)),
        _ => Err(TemplateError::new("can't give argument to non-function")),
    }
}

fn arguments(tokens: &[Token]) -> Result<Vec<Operand>, TemplateError> {
    let mut operands: Vec<Operand> = Vec::new();
    let mut at = 0;
    let mut continues = false;
    while at < tokens.len() {
        let mut next = at + 1;
        let start = match &tokens[at] {
            Token::Space => {
                continues = false;
                at = next;
                continue;
            }
            Token::Field(name) => {
                match operands.last_mut().filter(|_| continues) {
                    Some(operand) => operand.fields.push(name.clone()),
                    None => operands.push(Operand { start: Start::Dot, fields: vec![name.clone()] }),
                }
                continues = true;
                at = next;
                continue;
            }
            Token::Dot => Start::Dot,
            Token::Variable(name) => Start::Variable(name.clone()),
            Token::Text(text) => Start::Literal(Value::String(text.clone())),
            Token::Number(number) => Start::Literal(Value::Number(number.clone())),
            Token::Word(word) => word_start(word)?,
            Token::Sign("(") => {
                next = closing(tokens, at)? + 1;
                Start::Nested(pipeline(&tokens[at + 1..next - 1])?)
            }
            Token::Sign(sign) => return Err(TemplateError::new(format!("unexpected {sign:?} in operand"))),
        };
        operands.push(Operand { start, fields: Vec::new() });
        continues = true;
        at = next;
    }
    Ok(operands)
}

fn word_start(word: &str) -> Result<Start, TemplateError> {
    Ok(match word {
        "true" => Start::Literal(Value::Bool(true)),
        "false" => Start::Literal(Value::Bool(false)),
        "nil" => Start::Literal(Value::Null),
        name if functions::is_known(name) => Start::Function(name.to_owned()),
        name => return Err(TemplateError::new(format!("function {name:?} not defined"))),
    })
}

/// The place of the parenthesis that closes the one at `open`.
fn closing(tokens: &[Token], open: usize) -> Result<usize, TemplateError> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token {
            Token::Sign("(") => depth += 1,
            Token::Sign(")") if depth == 1 => return Ok(at),
            Token::Sign(")") => depth -= 1,
            _ => {}
        }
    }
    Err(TemplateError::new("unclosed left paren"))
}
