//! The release build, made into the same target directory as the tests': a debug build is larger and much slower.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The program as it is shipped, and the example that runs a command and asks the kernel what it took.
pub fn release() -> (PathBuf, PathBuf) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let status = Command::new(env!("CARGO"))
        .args([
            "build",
            "--release",
            "--quiet",
            "--bin",
            "fwstat",
            "--example",
            "generate",
            "--manifest-path",
        ])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .arg("--target-dir")
        .arg(target)
        .status()
        .unwrap();
    assert!(status.success());
    (target.join("release/fwstat"), target.join("release/examples/generate"))
}
