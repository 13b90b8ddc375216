//! Each script's transcript is what happens. `UPDATE=1` rewrites the transcripts; the difference is the review.

use std::fs;
use std::path::Path;

#[test]
fn every_script_is_true() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let entries = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut scripts: Vec<_> = entries.filter(|path| path.extension().is_some_and(|it| it == "txt")).collect();
    scripts.sort();
    let rewrites = std::env::var_os("UPDATE").is_some();
    let mut wrong = Vec::new();
    for path in scripts {
        let script = fs::read_to_string(&path).unwrap();
        match skep_sim::script::play(&script) {
            Ok(played) if played == script => {}
            Ok(played) if rewrites => fs::write(&path, played).unwrap(),
            Ok(played) => wrong.push(format!("{}:\n{}", path.display(), difference(&script, &played))),
            Err(why) => wrong.push(format!("{}: {why}", path.display())),
        }
    }
    assert!(wrong.is_empty(), "UPDATE=1 rewrites these:\n{}", wrong.join("\n"));
}

/// The first lines that differ.
fn difference(expected: &str, actual: &str) -> String {
    let pairs = expected.lines().zip(actual.lines().chain(std::iter::repeat("")));
    let differing = pairs.filter(|(expected, actual)| expected != actual).take(5);
    differing.map(|(expected, actual)| format!("- {expected}\n+ {actual}\n")).collect()
}
