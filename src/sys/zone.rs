//! The name of the system's time zone: the variable `TZ`, else the file `/etc/TZ` that OpenWrt's procd writes from UCI.
//!
//! Gives the text; what it means is the caller's.

use std::fs::File;

use super::read::at_most;

/// Holds the zone as a POSIX string.
const ETC_TZ: &str = "/etc/TZ";
const MAX_BYTES: u64 = 256;

/// The name; `None` if there is none.
pub fn name() -> Option<String> {
    std::env::var("TZ").ok().filter(|name| !name.is_empty()).or_else(etc_tz)
}

/// The content of [`ETC_TZ`]; `None` if there is none.
pub fn etc_tz() -> Option<String> {
    let text = at_most(&mut File::open(ETC_TZ).ok()?, MAX_BYTES).ok()?;
    let name = String::from_utf8_lossy(&text).trim().to_string();
    (!name.is_empty()).then_some(name)
}
