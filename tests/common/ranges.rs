//! The ranges that the country database is made of, read a second way: a sorted list of the CSV's rows.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// First and last address as numbers, and the country; sorted.
#[allow(dead_code)]
pub struct Ranges {
    pub ipv4: Vec<(u128, u128, String)>,
    pub ipv6: Vec<(u128, u128, String)>,
    pub mmdb: PathBuf,
}

/// `None` where npm cannot fetch the archive; with `CI=true` that is a failure.
pub fn ranges() -> Option<&'static Ranges> {
    static RANGES: LazyLock<Option<Ranges>> = LazyLock::new(made);
    if RANGES.is_none() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "the country database cannot be made");
        eprintln!("SKIPPED: npm cannot fetch the archive of country ranges");
    }
    RANGES.as_ref()
}

fn made() -> Option<Ranges> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scratch = crate::common::fwstat::scratch(concat!("ranges-", env!("CARGO_CRATE_NAME")));
    let package = root.join("openwrt/fwstat-country");
    let tree = scratch.join("tree");
    fs::create_dir_all(&tree).unwrap();
    let made = Command::new(package.join("assemble")).arg(&tree).status().unwrap();
    if !made.success() {
        return None;
    }
    let makefile = fs::read_to_string(package.join("Makefile")).unwrap();
    let archive = makefile.lines().find_map(|line| line.strip_prefix("PKG_SOURCE:=")).unwrap();
    let cache = std::env::var_os("FWSTAT_CACHE").map_or(root.join("tests/.cache"), PathBuf::from);
    let unpacked = Command::new("tar").arg("-xzf").arg(cache.join(archive)).arg("-C").arg(&scratch).status();
    assert!(unpacked.unwrap().success());
    // The text form, where the database is made of the numbers.
    let read = |family: &str| {
        let text = fs::read_to_string(scratch.join(format!("package/asn-country-{family}.csv"))).unwrap();
        let number = |text: &str| match text.parse::<IpAddr>().unwrap() {
            IpAddr::V4(v4) => u128::from(u32::from(v4)),
            IpAddr::V6(v6) => u128::from(v6),
        };
        let mut rows: Vec<_> = text
            .lines()
            .map(|line| {
                let fields: Vec<&str> = line.split(',').collect();
                (number(fields[0]), number(fields[1]), fields[2].to_string())
            })
            .collect();
        rows.sort();
        rows
    };
    let mmdb = tree.join("usr/share/fwstat/country.mmdb");
    Some(Ranges { ipv4: read("ipv4"), ipv6: read("ipv6"), mmdb })
}

/// The country whose range holds an address.
#[allow(dead_code)]
pub fn country(rows: &[(u128, u128, String)], address: u128) -> Option<&str> {
    let next = rows.partition_point(|(first, ..)| *first <= address);
    rows[..next].last().filter(|(_, last, _)| address <= *last).map(|(.., code)| code.as_str())
}
