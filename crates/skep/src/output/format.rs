//! `--format`: a table by name, a table by template, JSON lines, or a template for each row.

use std::io::{self, Write};

use api::template::{Missing, Template, TemplateError};
use serde_json::{Map, Value};

use super::table;

/// One column of a listing: how templates call it, and what stands above it.
pub(crate) struct Column {
    /// The field in templates, such as `DesiredState`.
    pub(crate) field: &'static str,
    /// The head, such as `DESIRED STATE`.
    pub(crate) head: &'static str,
}

/// How a listing is shown.
pub(crate) struct Format {
    /// Columns of the plain table.
    pub(crate) plain: &'static [&'static str],
    /// All columns that templates may name.
    pub(crate) columns: &'static [Column],
}

/// One row: a text for each field.
pub(crate) type Row = Map<String, Value>;

/// Why a listing could not be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FormatError {
    /// The template is wrong.
    #[error("template parsing error: {0}")]
    Template(#[from] TemplateError),
    /// The output is closed.
    #[error(transparent)]
    Output(#[from] io::Error),
}

impl Format {
    /// Shows rows as `--format` asks: nothing or `table`, `table …`, `json`, or a template.
    pub(crate) fn write(
        &self,
        out: &mut impl Write,
        format: Option<&str>,
        rows: &[Row],
    ) -> Result<(), FormatError> {
        match format.map(unescaped).as_deref() {
            None | Some("" | "table") => self.write_plain(out, rows)?,
            Some("json") => {
                for row in rows {
                    writeln!(out, "{}", Value::Object(row.clone()))?;
                }
            }
            Some(text) => match text.strip_prefix("table ") {
                Some(template) => self.write_templated_table(out, template, rows)?,
                None => {
                    let template = Template::parse(text, Missing::NoValue)?;
                    for row in rows {
                        writeln!(out, "{}", template.fill(&Value::Object(row.clone()))?)?;
                    }
                }
            },
        }
        Ok(())
    }

    fn write_plain(&self, out: &mut impl Write, rows: &[Row]) -> io::Result<()> {
        let head = |field: &&str| self.head(field).to_owned();
        let mut lines = vec![self.plain.iter().map(head).collect::<Vec<_>>()];
        lines.extend(rows.iter().map(|row| self.plain.iter().map(|field| text(row.get(*field))).collect()));
        table::write(out, &lines)
    }

    fn write_templated_table(
        &self,
        out: &mut impl Write,
        template: &str,
        rows: &[Row],
    ) -> Result<(), FormatError> {
        let template = Template::parse(template, Missing::NoValue)?;
        let heads = self.columns.iter().map(|column| (column.field.to_owned(), Value::from(column.head)));
        let mut lines = vec![template.fill(&Value::Object(heads.collect()))?];
        for row in rows {
            lines.push(template.fill(&Value::Object(row.clone()))?);
        }
        let cells = |line: &String| line.split('\t').map(str::to_owned).collect();
        table::write(out, &lines.iter().map(cells).collect::<Vec<Vec<String>>>())?;
        Ok(())
    }

    fn head(&self, field: &str) -> &'static str {
        self.columns.iter().find(|column| column.field == field).map_or("", |column| column.head)
    }
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

/// The shell hands `\t` and `\n` over as they are typed.
fn unescaped(format: &str) -> String {
    format.replace("\\t", "\t").replace("\\n", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: Format = Format {
        plain: &["ID", "Name"],
        columns: &[Column { field: "ID", head: "ID" }, Column { field: "Name", head: "NAME" }],
    };

    fn check(format: Option<&str>, expected: &str) {
        let row = |id: &str, name: &str| {
            Row::from_iter([("ID".to_owned(), id.into()), ("Name".to_owned(), name.into())])
        };
        let mut out = Vec::new();
        FORMAT.write(&mut out, format, &[row("1", "web"), row("2", "db")]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_listing_is_shown_as_asked() {
        check(None, "ID        NAME\n1         web\n2         db\n");
        check(Some("{{.Name}}"), "web\ndb\n");
        check(Some("table {{.Name}}\\t{{upper .ID}}"), "NAME      ID\nweb       1\ndb        2\n");
        check(Some("json"), "{\"ID\":\"1\",\"Name\":\"web\"}\n{\"ID\":\"2\",\"Name\":\"db\"}\n");
    }
}
