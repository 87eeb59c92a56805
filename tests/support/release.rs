//! Programs that tests run beside their own, made into the same target directory.

// Each test takes what it needs.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// The program as it is shipped: a debug build is larger and much slower.
pub fn release() -> PathBuf {
    build(&["--release", "--bin", "fwstat"], "release/fwstat")
}

/// The example that writes logs, and runs a command and asks the kernel what that took. As the tests are built: to optimise it as
/// a whole takes longer than all that it does.
pub fn generate() -> PathBuf {
    build(&["--example", "generate"], "debug/examples/generate")
}

fn build(what: &[&str], file: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet"])
        .args(what)
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"), "--target-dir"])
        .arg(target)
        .status()
        .unwrap();
    assert!(status.success());
    target.join(file)
}
