//! Every check of the project, by the same word at home and in CI: `cargo xtask <word>`.

mod law;
mod tidy;

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

/// The crates that know no clock, no chance, no IO.
const PURE: [&str; 4] = ["model", "store", "raft", "control"];

const HELP: &str = "cargo xtask <word>
  fmt     the code is formatted
  lint    no warnings from clippy and rustdoc
  pure    the pure crates build for wasm32-unknown-unknown
  tidy    the law of the house: who may use whom, module heads, sizes, names
  unit    unit and integration tests that need no root
  root    the tests that need root: containers, namespaces, the stock docker CLI
  storm   the simulator, over many seeds
  fuzz    the decoders of outside bytes, against random input, for long
  alone   each crate builds by itself
  test    fmt, tidy, pure, lint, unit, root: everything `make test` runs";

fn main() -> ExitCode {
    let word = std::env::args().nth(1).unwrap_or_default();
    match run(&word) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {word}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(word: &str) -> Result<()> {
    match word {
        "fmt" => cargo(&["fmt", "--all", "--check"]),
        "lint" => lint(),
        "pure" => pure(),
        "tidy" => tidy::check(root()),
        "unit" => cargo(&["test", "--workspace", "--locked"]),
        "root" => root_tests(),
        "storm" => cargo(&["run", "--locked", "--release", "-p", "skep-sim", "--", "--seeds", "2000"]),
        "fuzz" => fuzz(),
        "alone" => alone(),
        "test" => ["fmt", "tidy", "pure", "lint", "unit", "root"].into_iter().try_for_each(step),
        _ => {
            println!("{HELP}");
            if matches!(word, "" | "help" | "--help") { Ok(()) } else { bail!("no such word") }
        }
    }
}

fn step(word: &str) -> Result<()> {
    println!("── {word}");
    run(word).with_context(|| format!("checking {word}"))
}

fn lint() -> Result<()> {
    cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])?;
    let doc = ["doc", "--workspace", "--no-deps", "--document-private-items", "--locked", "--quiet"];
    finish(Command::new("cargo").args(doc).env("RUSTDOCFLAGS", "-D warnings"))
}

fn pure() -> Result<()> {
    if !has_wasm_target()? {
        println!(
            "skipped: this toolchain has no wasm32-unknown-unknown (rustup target add wasm32-unknown-unknown)"
        );
        return Ok(());
    }
    let mut words = vec!["check", "--locked", "--lib", "--target", "wasm32-unknown-unknown"];
    let packages: Vec<String> = PURE.iter().map(|name| format!("skep-{name}")).collect();
    words.extend(packages.iter().flat_map(|package| ["-p", package.as_str()]));
    cargo(&words)
}

/// True if the target is there, or rustup could bring it.
fn has_wasm_target() -> Result<bool> {
    // A missing rustup is no error: distributions ship cargo without it.
    let _ = Command::new("rustup").args(["target", "add", "wasm32-unknown-unknown"]).output();
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().context("asking rustc")?;
    let sysroot = String::from_utf8(sysroot.stdout).context("reading rustc's answer")?;
    Ok(Path::new(sysroot.trim()).join("lib/rustlib/wasm32-unknown-unknown").is_dir())
}

/// The tests that touch the kernel share one host, so they run one at a time; and in a network of their own, so
/// that this machine's stays as it is.
fn root_tests() -> Result<()> {
    if !is_root()? {
        println!("skipped: these tests make namespaces, mounts and cgroups; run them as root");
        return Ok(());
    }
    cargo(&["build", "--locked", "-p", "skep-supervise", "-p", "skep-skepd", "-p", "skep-skep"])?;
    cargo(&["test", "--workspace", "--locked", "--no-run"])?;
    let tests = "ip link set lo up && exec cargo test --workspace --locked --offline --no-fail-fast -- --ignored --test-threads=1";
    finish(Command::new("unshare").args(["--net", "--", "sh", "-c", tests]))?;
    // Once more for the other OCI runtime; crun was used if it is there.
    let containers =
        "exec cargo test -p skep-runtime --test containers --locked --offline -- --ignored --test-threads=1";
    finish(
        Command::new("unshare")
            .args(["--net", "--", "sh", "-c", containers])
            .env("SKEP_TEST_RUNTIME", "runc"),
    )
}

fn fuzz() -> Result<()> {
    let mut words = Command::new("cargo");
    words
        .args(["test", "--workspace", "--locked", "--", "garbage", "topple", "harm", "noise"])
        .env("PROPTEST_CASES", "200000");
    finish(&mut words)
}

fn alone() -> Result<()> {
    for package in law::ALLOWED {
        cargo(&["check", "--locked", "-p", &format!("skep-{}", package.name)])?;
    }
    Ok(())
}

fn is_root() -> Result<bool> {
    let id = Command::new("id").arg("-u").output().context("asking who this is")?;
    Ok(id.stdout.trim_ascii() == b"0")
}

fn cargo(words: &[&str]) -> Result<()> {
    finish(Command::new("cargo").args(words))
}

fn finish(command: &mut Command) -> Result<()> {
    let status = command.current_dir(root()).status().with_context(|| format!("starting {command:?}"))?;
    if status.success() { Ok(()) } else { bail!("{command:?} ended with {status}") }
}

/// The root of the workspace.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies within the workspace")
}
