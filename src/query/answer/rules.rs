//! The fields of the answer to `rules`, as ubus and JSON have them.

use super::{Completeness, Known};
use crate::record;

record! {
    /// A rule of the firewall, identified by log prefix, input interface and zone.
    pub struct RuleRow {
        /// The log prefix without the blanks at its end; for logins the daemon's name.
        pub prefix: String,
        /// The input interface; absent for packets that the router sent.
        pub interface: Option<String>,
        /// The firewall's zone: the one that the prefix names, else that of the interface. Absent if not known.
        pub zone: Option<String>,
        pub attempts: u64,
    }

    /// The attempts that a zone refused.
    pub struct ZoneRow {
        /// Absent: not known.
        pub zone: Option<String>,
        pub attempts: u64,
    }

    /// A service of an inside host to which refused attempts were addressed.
    pub struct TargetRow {
        pub address: String,
        pub protocol: Known,
        /// Absent for protocols without ports.
        pub port: Option<u16>,
        /// The service's name; absent if it has none.
        pub name: Option<Known>,
        pub attempts: u64,
        /// The most that `attempts` can be too high.
        pub error: u64,
    }

    /// The answer to `rules`.
    pub struct RulesAnswer {
        pub rules: Vec<RuleRow>,
        pub zones: Vec<ZoneRow>,
        /// Of attempts only; they are not stored for other classes.
        pub targets: Vec<TargetRow>,
        pub completeness: Completeness = Flatten,
    }
}
