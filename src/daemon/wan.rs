//! WAN interfaces: those of the counted zones.
//!
//! Takes `/etc/config/firewall` and netifd's networks, gives the names of interfaces and the rules' log prefixes. Does
//! not call netifd.

use std::mem;
use std::path::{Path, PathBuf};

use super::protected::try_text;
use crate::config::zones::{self, Interface, Zone};
use crate::config::{rules, shown};
use crate::parse::interfaces::Networks;

/// The WAN interfaces, and what they were found from.
#[derive(Default)]
pub(super) struct WanInterfaces {
    file: PathBuf,
    zones: Vec<Zone>,
    /// The newest answer of netifd (`network.interface dump`); `None`: there was none yet.
    pub answer: Option<Vec<Interface>>,
    /// What the parsers of packets need. Without WAN interfaces they guess these from their names.
    pub networks: Networks,
    /// Why they are guessed from their names; `None`: they are not.
    pub guessed: Option<String>,
    /// Incremented with every change.
    pub version: u32,
}

impl WanInterfaces {
    /// `directory`: UCI's, usually `/etc/config`.
    pub(super) fn new(directory: &Path) -> WanInterfaces {
        WanInterfaces { file: directory.join("firewall"), ..WanInterfaces::default() }
    }

    /// Reads the firewall's file; if that fails, as where file descriptors are short, what it said last stays. Returns whether the
    /// WAN interfaces or the rules have changed.
    pub(super) fn refresh(&mut self, names: &[String]) -> bool {
        let text = try_text(&self.file).ok();
        self.zones = text.as_deref().map_or_else(|| mem::take(&mut self.zones), zones::parse);
        let interfaces = self.answer.as_deref().unwrap_or_default();
        let networks = Networks {
            wan: zones::devices(&self.zones, names, interfaces),
            zones: zones::by_device(&self.zones, interfaces),
            rules: text.as_deref().map_or_else(|| self.networks.rules.clone(), rules::parse),
            ..Networks::default()
        };
        self.guessed = networks.wan.is_empty().then(|| self.why(names));
        let changed = networks != self.networks;
        self.networks = networks;
        self.version = self.version.wrapping_add(changed.into());
        changed
    }

    fn why(&self, names: &[String]) -> String {
        let names = names.join(" ");
        let because = if self.zones.is_empty() {
            format!("{} has no zones", shown(&self.file))
        } else if self.answer.is_none() {
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
        let mut found = WanInterfaces::new(&directory);
        assert!(!found.refresh(&names));
        assert!(found.guessed.as_ref().unwrap().contains("has no zones"));
        let zone = b"# caf\xe9 in ISO 8859-1\nconfig zone\n\toption name wan\n\tlist network wan\n";
        std::fs::write(directory.join("firewall"), zone).unwrap();
        assert!(!found.refresh(&names));
        assert!(found.guessed.as_ref().unwrap().contains("netifd"));
        let mut wan = Interface { name: "wan".into(), device: Some("eth1".into()), zone: None };
        found.answer = Some(vec![wan.clone()]);
        assert!(found.refresh(&names));
        assert_eq!((&found.networks.wan[..], &found.guessed), (&["eth1".to_string()][..], &None));
        assert!(!found.refresh(&names));
        std::fs::remove_file(directory.join("firewall")).unwrap();
        // A directory is opened and cannot be read.
        std::fs::create_dir(directory.join("firewall")).unwrap();
        assert!(!found.refresh(&names));
        std::fs::remove_dir(directory.join("firewall")).unwrap();
        std::fs::write(directory.join("firewall"), zone).unwrap();
        wan.device = None;
        found.answer = Some(vec![wan]);
        assert!(found.refresh(&names) && found.networks.wan.is_empty());
        assert!(found.guessed.as_ref().unwrap().contains("zone wan has no interface"));
        assert_eq!(found.version, 2);
        std::fs::remove_dir_all(directory).unwrap();
    }
}
