//! How many bytes files take.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The bytes of all files below a folder, each counted once however many names it has. What vanishes meanwhile counts
/// nothing.
///
/// # Errors
/// What the file system says.
pub(crate) fn bytes_below(folder: &Path) -> io::Result<u64> {
    let mut sum = Sum::default();
    sum.add(folder)?;
    Ok(sum.bytes)
}

#[derive(Default)]
struct Sum {
    bytes: u64,
    /// Files with several names that were counted, by device and number.
    counted: BTreeSet<(u64, u64)>,
}

impl Sum {
    fn add(&mut self, folder: &Path) -> io::Result<()> {
        let Some(entries) = there(fs::read_dir(folder))? else { return Ok(()) };
        for entry in entries {
            let entry = entry?;
            let Some(found) = there(entry.metadata())? else { continue };
            if found.is_dir() {
                self.add(&entry.path())?;
            } else if found.nlink() == 1 || self.counted.insert((found.dev(), found.ino())) {
                self.bytes += found.len();
            }
        }
        Ok(())
    }
}

/// Nothing if it is not there.
fn there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_two_names_counts_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("inner")).unwrap();
        fs::write(path("inner/a"), [0; 100]).unwrap();
        fs::hard_link(path("inner/a"), path("b")).unwrap();
        fs::write(path("c"), [0; 10]).unwrap();
        assert_eq!(bytes_below(folder.path()).unwrap(), 110);
        assert_eq!(bytes_below(&path("nothing")).unwrap(), 0);
    }
}
