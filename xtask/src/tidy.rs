//! What no compiler checks: the law of the house, module heads, dead files, sizes, names.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::law::{ALLOWED, PURE_GUESTS};

const LINES_MAX: usize = 700;
const BAD_NAMES: [&str; 8] = ["utils", "util", "helpers", "common", "misc", "types", "impl", "base"];

/// Checks everything and names every fault.
pub(crate) fn check(root: &Path) -> Result<()> {
    let mut faults = Vec::new();
    for folder in folders(&root.join("crates"))? {
        check_law(&folder, &mut faults)?;
        for file in sources(&folder.join("src"))? {
            check_file(root, &file, &mut faults)?;
        }
    }
    check_dependencies_are_explained(root, &mut faults)?;
    if faults.is_empty() {
        return Ok(());
    }
    for fault in &faults {
        eprintln!("  {fault}");
    }
    bail!("{} faults", faults.len())
}

fn check_law(folder: &Path, faults: &mut Vec<String>) -> Result<()> {
    let name = name_of(folder);
    let Some(room) = ALLOWED.iter().find(|room| room.name == name) else {
        faults.push(format!("crates/{name}: has no place in the house (xtask/src/law.rs)"));
        return Ok(());
    };
    for guest in dependencies(&read(&folder.join("Cargo.toml"))?) {
        let is_ours = ALLOWED.iter().any(|other| other.name == guest);
        if is_ours && !room.may_use.contains(&guest.as_str()) {
            faults.push(format!("crates/{name}: may not use {guest}"));
        }
        if room.pure && !is_ours && !PURE_GUESTS.contains(&guest.as_str()) {
            faults.push(format!("crates/{name}: is pure and may not use {guest}"));
        }
    }
    Ok(())
}

fn check_file(root: &Path, file: &Path, faults: &mut Vec<String>) -> Result<()> {
    let text = read(file)?;
    let shown = file.strip_prefix(root).unwrap_or(file).display().to_string();
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    if !text.starts_with("//!") {
        faults.push(format!("{shown}: begins without a head (//! what it is for)"));
    }
    if BAD_NAMES.contains(&stem.as_str()) {
        faults.push(format!("{shown}: \"{stem}\" says nothing; name the noun"));
    }
    if stem != "tests" && text.lines().count() > LINES_MAX {
        faults.push(format!("{shown}: over {LINES_MAX} lines; look for the second noun"));
    }
    if file.with_extension("").is_dir() {
        faults.push(format!("{shown}: lies beside its folder; move it to {stem}/mod.rs"));
    }
    if !matches!(stem.as_str(), "lib" | "main" | "mod") && !is_named_by_parent(file, &stem)? {
        faults.push(format!("{shown}: no module names it"));
    }
    Ok(())
}

/// True if the module above declares `mod stem`.
fn is_named_by_parent(file: &Path, stem: &str) -> Result<bool> {
    let folder = file.parent().expect("a source lies in a folder");
    let beside = folder.parent().map(|above| above.join(name_of(folder)).with_extension("rs"));
    let candidates = ["mod.rs", "lib.rs", "main.rs"].map(|name| folder.join(name)).into_iter().chain(beside);
    for parent in candidates.filter(|parent| parent.is_file()) {
        if read(&parent)?.contains(&format!("mod {stem};")) {
            return Ok(true);
        }
    }
    names_test_beside(folder, stem)
}

/// `#[cfg(test)] mod tests;` of `x.rs` may also lie at `x/tests.rs`; that is found through the file `x.rs`.
fn names_test_beside(folder: &Path, stem: &str) -> Result<bool> {
    for file in sources(folder)? {
        let direct = file.parent() == Some(folder);
        if direct && read(&file)?.contains(&format!("\"{stem}.rs\"")) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn check_dependencies_are_explained(root: &Path, faults: &mut Vec<String>) -> Result<()> {
    let explained = read(&root.join("docs/dependencies.md"))?;
    let manifest = read(&root.join("Cargo.toml"))?;
    let section = manifest.split("[workspace.dependencies]").nth(1).unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    for guest in section.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name.trim()) {
        let is_ours = ALLOWED.iter().any(|room| room.name == guest);
        if !is_ours && !explained.contains(&format!("| `{guest}`")) {
            faults.push(format!("docs/dependencies.md: gives no reason for {guest}"));
        }
    }
    Ok(())
}

/// The names in a manifest's `[dependencies]`, without those for tests and builds.
fn dependencies(manifest: &str) -> Vec<String> {
    let section = manifest.split("[dependencies]").nth(1).unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    let name = |line: &str| line.split(['.', ' ', '=']).next().map(str::to_owned);
    section.lines().filter(|line| line.contains('=') && !line.starts_with('#')).filter_map(name).collect()
}

fn folders(path: &Path) -> Result<Vec<PathBuf>> {
    let mut found = entries(path)?;
    found.retain(|entry| entry.join("Cargo.toml").is_file());
    Ok(found)
}

/// Every source below a folder.
fn sources(path: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in entries(path)? {
        if entry.is_dir() {
            found.extend(sources(&entry)?);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            found.push(entry);
        }
    }
    Ok(found)
}

fn entries(path: &Path) -> Result<Vec<PathBuf>> {
    let listed = fs::read_dir(path).with_context(|| format!("listing {}", path.display()))?;
    let mut found: Vec<PathBuf> = listed.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    found.sort();
    Ok(found)
}

fn name_of(folder: &Path) -> String {
    folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}
