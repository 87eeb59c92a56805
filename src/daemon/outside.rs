//! Which interfaces lead outside: those of the configured zones, by the firewall's configuration and netifd.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::config::zones::{self, Interface, Zone};
use crate::config::{rules, shown};
use crate::parse::interfaces::NamedRule;

/// Reads the firewall's zones again only when their file changed.
pub(super) struct Outside {
    file: PathBuf,
    seen: Option<SystemTime>,
    zones: Vec<Zone>,
    /// What the firewall's rules that log do.
    pub rules: Vec<NamedRule>,
    /// As netifd told last; `None`: it has not.
    told: Option<Vec<Interface>>,
    /// Of the configured zones; none: they are told by their names.
    pub interfaces: Vec<String>,
    /// The interfaces of all zones, each with its zone.
    pub by_device: Vec<(String, String)>,
    /// Why they are told by their names.
    pub guessed: Option<String>,
    /// Counts up with every change.
    pub version: u32,
}

impl Outside {
    /// `directory`: UCI's, usually `/etc/config`.
    pub(super) fn new(directory: &Path) -> Outside {
        Outside {
            file: directory.join("firewall"),
            seen: None,
            zones: Vec::new(),
            rules: Vec::new(),
            told: None,
            interfaces: Vec::new(),
            by_device: Vec::new(),
            guessed: None,
            version: 0,
        }
    }

    /// What netifd says of the networks now.
    pub(super) fn note(&mut self, told: Vec<Interface>) {
        self.told = Some(told);
    }

    /// Looks at the firewall's file, too. Whether other interfaces lead outside now, or rules have changed.
    pub(super) fn look(&mut self, names: &[String]) -> bool {
        let seen = std::fs::metadata(&self.file).and_then(|metadata| metadata.modified()).ok();
        let mut rules_changed = false;
        if seen != self.seen || seen.is_none() {
            self.seen = seen;
            let text = std::fs::read_to_string(&self.file).unwrap_or_default();
            self.zones = zones::parse(&text);
            let rules = rules::parse(&text);
            rules_changed = rules != self.rules;
            self.rules = rules;
        }
        let told = self.told.as_deref().unwrap_or_default();
        let interfaces = zones::devices(&self.zones, names, told);
        let by_device = zones::by_device(&self.zones, told);
        self.guessed = interfaces.is_empty().then(|| self.why(names));
        let changed = interfaces != self.interfaces || by_device != self.by_device;
        if changed {
            (self.interfaces, self.by_device) = (interfaces, by_device);
            self.version = self.version.wrapping_add(1);
        }
        changed || rules_changed
    }

    fn why(&self, names: &[String]) -> String {
        let names = names.join(" ");
        let because = if self.zones.is_empty() {
            format!("{} has no zones", shown(&self.file))
        } else if self.told.is_none() {
            "netifd has not reported the networks".to_string()
        } else {
            format!("zone {names} has no interface at present")
        };
        format!("{because}: WAN interfaces are guessed from their names")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_follow_the_file_and_netifd_and_else_are_guessed() {
        let directory = std::env::temp_dir().join(format!("fwstat-outside-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let names = ["wan".to_string()];
        let mut outside = Outside::new(&directory);
        assert!(!outside.look(&names));
        assert!(outside.guessed.as_ref().unwrap().contains("has no zones"));
        std::fs::write(directory.join("firewall"), "config zone\n\toption name wan\n\tlist network wan\n")
            .unwrap();
        assert!(!outside.look(&names));
        assert!(outside.guessed.as_ref().unwrap().contains("netifd"));
        let mut wan = Interface { name: "wan".into(), device: Some("eth1".into()), zone: None };
        outside.note(vec![wan.clone()]);
        assert!(outside.look(&names));
        assert_eq!((&outside.interfaces[..], &outside.guessed), (&["eth1".to_string()][..], &None));
        assert!(!outside.look(&names));
        wan.device = None;
        outside.note(vec![wan]);
        assert!(outside.look(&names) && outside.interfaces.is_empty());
        assert!(outside.guessed.as_ref().unwrap().contains("zone wan has no interface"));
        assert_eq!(outside.version, 2);
        std::fs::remove_dir_all(directory).unwrap();
    }
}
