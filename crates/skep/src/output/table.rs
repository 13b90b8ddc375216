//! Columns that line up, as docker's CLI prints them.

use std::io::{self, Write};

/// Space between columns.
const GAP: usize = 3;
/// A column of most tables is at least this wide, with its gap.
pub(crate) const WIDTH_MIN: usize = 10;

/// Writes rows of cells in columns, each at least so wide. The last column is not filled up.
pub(crate) fn write(out: &mut impl Write, rows: &[Vec<String>], width_min: usize) -> io::Result<()> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let widest = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        (widest.unwrap_or(0) + GAP).max(width_min)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let mut line = String::new();
        for (at, cell) in row.iter().enumerate() {
            if at + 1 == row.len() {
                line.push_str(cell);
            } else {
                line.push_str(&format!("{cell:<width$}", width = widths[at]));
            }
        }
        writeln!(out, "{line}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [vec!["ID", "NAME", "X"], vec!["abcdefghijkl", "web", ""]];
        let rows = rows.map(|row| row.into_iter().map(str::to_owned).collect());
        let mut out = Vec::new();
        write(&mut out, &rows, WIDTH_MIN).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "ID             NAME      X\nabcdefghijkl   web       \n"
        );
    }
}
