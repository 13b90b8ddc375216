//! Cuts a template into text and actions, and actions into words.

use super::TemplateError;

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    /// Text that stands for itself.
    Text(String),
    /// The words between `{{` and `}}`.
    Action(Vec<Token>),
}

/// A word of an action.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// `.`
    Dot,
    /// `.Name`; chains are several of them without space between.
    Field(String),
    /// `$` or `$name`
    Variable(String),
    /// A function or keyword.
    Word(String),
    /// Quoted.
    Text(String),
    /// A number.
    Number(serde_json::Number),
    /// One of `( ) | , := =`.
    Sign(&'static str),
    /// Space: it parts a field of a chain from an argument.
    Space,
}

/// Cuts a template into pieces. `{{-` and `-}}` trim the text beside them; comments vanish.
pub(super) fn pieces(template: &str) -> Result<Vec<Piece>, TemplateError> {
    let mut pieces = Vec::new();
    let mut rest = template;
    let mut trim_start = false;
    while let Some(open) = rest.find("{{") {
        let (text, after) = (&rest[..open], &rest[open + 2..]);
        let trims_before = after.starts_with("- ");
        push_text(&mut pieces, text, trim_start, trims_before);
        let inner = after.strip_prefix('-').filter(|_| trims_before).unwrap_or(after);
        let length = action_length(inner)?;
        let action = &inner[..length];
        rest = &inner[length + 2..];
        trim_start = action.ends_with(" -");
        let action = action.strip_suffix('-').filter(|_| trim_start).unwrap_or(action).trim();
        if !(action.starts_with("/*") && action.ends_with("*/")) {
            pieces.push(Piece::Action(tokens(action)?));
        }
    }
    push_text(&mut pieces, rest, trim_start, false);
    Ok(pieces)
}

fn push_text(pieces: &mut Vec<Piece>, text: &str, trim_start: bool, trim_end: bool) {
    let text = if trim_start { text.trim_start() } else { text };
    let text = if trim_end { text.trim_end() } else { text };
    if !text.is_empty() {
        pieces.push(Piece::Text(text.to_owned()));
    }
}

/// How long the action is before its `}}`, which may also stand within quotes.
fn action_length(text: &str) -> Result<usize, TemplateError> {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some('"') if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '`') => quote = Some(c),
            None if text[at..].starts_with("}}") => return Ok(at),
            None => {}
        }
    }
    Err(TemplateError::new("unclosed action"))
}

fn tokens(action: &str) -> Result<Vec<Token>, TemplateError> {
    let mut tokens = Vec::new();
    let mut rest = action;
    while let Some(first) = rest.chars().next() {
        let (token, length) = token(first, rest)?;
        tokens.push(token);
        rest = &rest[length..];
    }
    Ok(tokens)
}

fn token(first: char, rest: &str) -> Result<(Token, usize), TemplateError> {
    let word = |from: usize| {
        let end = rest[from..].find(|c: char| !(c.is_alphanumeric() || c == '_'));
        from + end.unwrap_or(rest.len() - from)
    };
    Ok(match first {
        c if c.is_whitespace() => (Token::Space, rest.len() - rest.trim_start().len()),
        '(' => (Token::Sign("("), 1),
        ')' => (Token::Sign(")"), 1),
        '|' => (Token::Sign("|"), 1),
        ',' => (Token::Sign(","), 1),
        ':' if rest.starts_with(":=") => (Token::Sign(":="), 2),
        '=' => (Token::Sign("="), 1),
        '$' => (Token::Variable(rest[1..word(1)].to_owned()), word(1)),
        '"' | '`' => quoted(first, rest)?,
        '.' if word(1) > 1 => (Token::Field(rest[1..word(1)].to_owned()), word(1)),
        '.' => (Token::Dot, 1),
        c if c.is_ascii_digit() || c == '-' || c == '+' => number(rest)?,
        c if c.is_alphabetic() || c == '_' => (Token::Word(rest[..word(0)].to_owned()), word(0)),
        c => return Err(TemplateError::new(format!("unexpected {c:?} in command"))),
    })
}

fn quoted(quote: char, rest: &str) -> Result<(Token, usize), TemplateError> {
    let unclosed = || TemplateError::new("unterminated quoted string");
    if quote == '`' {
        let length = rest[1..].find('`').ok_or_else(unclosed)?;
        return Ok((Token::Text(rest[1..=length].to_owned()), length + 2));
    }
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((Token::Text(text), at + 1)),
            '\\' => match chars.next().ok_or_else(unclosed)?.1 {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                'r' => text.push('\r'),
                other => text.push(other),
            },
            other => text.push(other),
        }
    }
    Err(unclosed())
}

fn number(rest: &str) -> Result<(Token, usize), TemplateError> {
    let end = rest[1..].find(|c: char| !(c.is_alphanumeric() || c == '.' || c == '_'));
    let length = end.map_or(rest.len(), |end| end + 1);
    let text = rest[..length].trim_start_matches('+');
    let number = text.parse().map_err(|_| TemplateError::new(format!("bad number syntax: {text:?}")))?;
    Ok((Token::Number(number), length))
}
