//! The router's time zone: UCI `system.@system[0].timezone`, else `/etc/TZ`, else the system's.

use std::path::{Path, PathBuf};

use super::protected::try_text;
use crate::config::uci;
use crate::event::calendar::Calendar;
use crate::sys::zone::etc_tz;

/// The files that name the zone, and the zone that they named last.
pub struct ZoneFiles {
    system: PathBuf,
    /// `None` before the files are read first.
    named: Option<Option<String>>,
}

impl ZoneFiles {
    /// `directory`: UCI's, usually `/etc/config`.
    pub fn new(directory: &Path) -> ZoneFiles {
        ZoneFiles { system: directory.join("system"), named: None }
    }

    /// The zone if it has changed, as at the first call, and its error. If the file cannot be read, as where file descriptors are
    /// short, the zone stays.
    pub fn refresh(&mut self) -> Option<(Calendar, Option<String>)> {
        let named = match try_text(&self.system) {
            Err(_) if self.named.is_some() => return None,
            text => text.ok().as_deref().and_then(timezone).or_else(etc_tz),
        };
        if self.named.as_ref() == Some(&named) {
            return None;
        }
        self.named = Some(named.clone());
        Some(match named.map(|name| Calendar::new(&name)) {
            Some(Ok(calendar)) => (calendar, None),
            Some(Err(sentence)) => (Calendar::utc(), Some(format!("{sentence}; using UTC"))),
            None => (Calendar::system(crate::sys::zone::name().as_deref()), None),
        })
    }
}

/// The option `timezone` of the first section `system`; fw4 and procd take the first one, too.
fn timezone(text: &str) -> Option<String> {
    let (sections, _) = uci::parse(text);
    let system = sections.iter().find(|section| section.kind == "system")?;
    system.value("timezone").filter(|zone| !zone.is_empty()).map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zone_is_the_first_system_sections() {
        let text = "config system\n\toption hostname 'OpenWrt'\n\toption timezone 'JST-9'\nconfig timeserver 'ntp'\n";
        assert_eq!(timezone(text).as_deref(), Some("JST-9"));
        assert_eq!(timezone("config system\n"), None);
    }

    #[test]
    fn a_changed_file_is_read_again() {
        let directory = std::env::temp_dir().join(format!("fwstat-zone-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let write = |zone: &str| {
            let text = format!("config system\n\toption timezone '{zone}'\n");
            std::fs::write(directory.join("system"), text).unwrap();
        };
        write("JST-9");
        let mut files = ZoneFiles::new(&directory);
        assert_eq!(files.refresh().unwrap().0.name(), "JST-9");
        assert!(files.refresh().is_none());
        std::fs::remove_file(directory.join("system")).unwrap();
        // A directory is opened and cannot be read.
        std::fs::create_dir(directory.join("system")).unwrap();
        assert!(files.refresh().is_none());
        std::fs::remove_dir(directory.join("system")).unwrap();
        write("Nowhere/Land");
        let (calendar, wrong) = files.refresh().unwrap();
        assert_eq!(calendar.name(), "UTC");
        assert!(wrong.unwrap().contains("unknown time zone"));
        std::fs::remove_dir_all(directory).unwrap();
    }
}
