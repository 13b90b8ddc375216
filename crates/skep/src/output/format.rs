//! `--format`: a table by name, a table by template, JSON lines, or a template for each row.

use std::collections::BTreeMap;
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
    /// What `--quiet` shows of each.
    pub(crate) key: &'static str,
    /// Columns of the plain table.
    pub(crate) plain: &'static [&'static str],
    /// All columns that templates may name.
    pub(crate) columns: &'static [Column],
}

/// One row: a value for each field. Fields in small letters are not for `json`.
pub(crate) type Row = Map<String, Value>;

/// A row of these cells.
pub(crate) fn row<const N: usize>(cells: [(&str, Value); N]) -> Row {
    cells.into_iter().map(|(field, value)| (field.to_owned(), value)).collect()
}

/// Labels as one cell, `a=1,b=2`, and whole for `{{.Label "a"}}`.
pub(crate) fn labels(labels: &BTreeMap<String, String>) -> [(&'static str, Value); 2] {
    let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let whole = labels.iter().map(|(key, value)| (key.clone(), Value::from(value.clone()))).collect();
    [("Labels", pairs.join(",").into()), (LABELS, Value::Object(whole))]
}

/// The field that [`labels`] keeps whole.
const LABELS: &str = "labels";

/// Why a listing could not be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FormatError {
    /// The template is wrong.
    #[error("template parsing error: {0}")]
    Template(#[from] TemplateError),
    /// The output is closed. It stays in the chain of causes: a reader that has seen enough is no failure.
    #[error("cannot write")]
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
                    writeln!(out, "{}", escaped(&json(row)))?;
                }
            }
            Some(text) => match text.strip_prefix("table ") {
                Some(template) => self.write_templated_table(out, template, rows)?,
                None => {
                    let labels = label_heads(text);
                    let template = parsed(text)?;
                    for row in rows {
                        writeln!(out, "{}", template.fill(&with_labels(row, &labels))?)?;
                    }
                }
            },
        }
        Ok(())
    }

    /// Shows the key of each row.
    pub(crate) fn write_keys(&self, out: &mut impl Write, rows: &[Row]) -> io::Result<()> {
        rows.iter().try_for_each(|row| writeln!(out, "{}", text(row.get(self.key))))
    }

    fn write_plain(&self, out: &mut impl Write, rows: &[Row]) -> io::Result<()> {
        let head = |field: &&str| self.head(field).to_owned();
        let mut lines = vec![self.plain.iter().map(head).collect::<Vec<_>>()];
        lines.extend(rows.iter().map(|row| self.plain.iter().map(|field| text(row.get(*field))).collect()));
        table::write(out, &lines, table::WIDTH_MIN)
    }

    fn write_templated_table(
        &self,
        out: &mut impl Write,
        template: &str,
        rows: &[Row],
    ) -> Result<(), FormatError> {
        let mut heads: Row =
            self.columns.iter().map(|column| (column.field.to_owned(), column.head.into())).collect();
        let labels = label_heads(template);
        heads.insert(LABELS.to_owned(), Value::Object(labels.clone()));
        let template = parsed(template)?;
        let mut lines = vec![template.fill(&Value::Object(heads))?];
        for row in rows {
            lines.push(template.fill(&with_labels(row, &labels))?);
        }
        let cells = |line: &String| line.split('\t').map(str::to_owned).collect();
        table::write(out, &lines.iter().map(cells).collect::<Vec<Vec<String>>>(), table::WIDTH_MIN)?;
        Ok(())
    }

    fn head(&self, field: &str) -> &'static str {
        self.columns.iter().find(|column| column.field == field).map_or("", |column| column.head)
    }
}

/// A template whose `.Label "a"` looks the label up.
fn parsed(text: &str) -> Result<Template, TemplateError> {
    Template::parse(&text.replace(".Label ", &format!("index .{LABELS} ")), Missing::NoValue)
}

/// A row in which every label that a template asks for is there: one that the thing has not is empty.
fn with_labels(row: &Row, asked: &Row) -> Value {
    let mut row = row.clone();
    if let Some(labels) = row.get_mut(LABELS).and_then(Value::as_object_mut) {
        for name in asked.keys() {
            labels.entry(name).or_insert_with(|| "".into());
        }
    }
    Value::Object(row)
}

/// What stands above each `.Label "a.b-c"` of a template: the last word of the label, `b c`.
fn label_heads(template: &str) -> Row {
    let names = template.split(".Label \"").skip(1).filter_map(|rest| rest.split('"').next());
    let head = |name: &str| name.rsplit('.').next().unwrap_or(name).replace(['-', '_'], " ");
    names.map(|name| (name.to_owned(), Value::from(head(name)))).collect()
}

/// The fields in the order of their names, as Go writes a map.
pub(crate) fn json(row: &Row) -> Value {
    let mut fields: Vec<(&String, &Value)> =
        row.iter().filter(|(field, _)| field.starts_with(char::is_uppercase)).collect();
    fields.sort_by_key(|(field, _)| *field);
    Value::Object(fields.into_iter().map(|(field, value)| (field.clone(), value.clone())).collect())
}

/// JSON in which, as Go writes it, signs of HTML are escaped.
pub(crate) fn escaped(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
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
        key: "ID",
        plain: &["ID", "Name"],
        columns: &[Column { field: "ID", head: "ID" }, Column { field: "Name", head: "NAME" }],
    };

    fn check(format: Option<&str>, expected: &str) {
        let row = |id: &str, name: &str| {
            let [shown, whole] = labels(&BTreeMap::from([("a.b-c".to_owned(), format!("v{id}"))]));
            row([("Name", name.into()), ("ID", id.into()), shown, whole])
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
        check(
            Some("json"),
            "{\"ID\":\"1\",\"Labels\":\"a.b-c=v1\",\"Name\":\"web\"}\n\
             {\"ID\":\"2\",\"Labels\":\"a.b-c=v2\",\"Name\":\"db\"}\n",
        );
        check(Some("{{.Label \"a.b-c\"}}{{.Label \"none\"}}"), "v1\nv2\n");
        check(Some("table {{.ID}}\\t{{.Label \"a.b-c\"}}"), "ID        b c\n1         v1\n2         v2\n");
    }
}
