//! A table of what was expected and what came, printed whole before it is judged.

use std::fmt::Display;

/// One line of the list.
struct Row {
    name: String,
    expected: String,
    got: String,
}

/// The lines so far.
#[derive(Default)]
pub(crate) struct Table(Vec<Row>);

impl Table {
    pub(crate) fn row(&mut self, name: &str, expected: impl Display, got: impl Display) {
        self.0.push(Row {
            name: name.to_owned(),
            expected: expected.to_string(),
            got: got.to_string(),
        });
    }

    pub(crate) fn is(&mut self, name: &str, holds: bool) {
        self.row(name, "yes", if holds { "yes" } else { "no" });
    }

    pub(crate) fn print(&self) {
        let width = |of: fn(&Row) -> &String| {
            let widths = self.0.iter().map(|row| of(row).chars().count());
            widths.max().unwrap_or(0)
        };
        let (name, expected) = (width(|row| &row.name), width(|row| &row.expected));
        for row in &self.0 {
            let sign = if row.expected == row.got {
                "ok  "
            } else {
                "FAIL"
            };
            println!(
                "{sign} {:name$}  {:expected$}  {}",
                row.name, row.expected, row.got
            );
        }
        let failed = self.0.iter().filter(|row| row.expected != row.got).count();
        println!("{} lines, {failed} failed", self.0.len());
        assert_eq!(failed, 0, "the table above says which");
    }
}
