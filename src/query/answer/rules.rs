//! The fields of the answer to `rules`.

use super::{Completeness, Known};
use crate::query::short::AddressText;
use crate::record;

record! {
    /// A rule of the firewall, identified by log prefix, input interface and zone.
    pub struct RuleRow {
        /// The log prefix without the blanks at its end; for logins the daemon's name.
        pub prefix: String,
        /// Where the packets came in; absent for what the router itself sent.
        pub interface: Option<String>,
        /// The firewall's zone: the one that the prefix names, else that of the interface. Absent where it is not known.
        pub zone: Option<String>,
        pub attempts: u64,
    }

    /// The attempts that a zone refused.
    pub struct ZoneRow {
        /// Absent: not known.
        pub zone: Option<String>,
        pub attempts: u64,
    }

    /// A service of a host inside that attempts were aimed at which the firewall did not forward.
    pub struct TargetRow {
        pub address: AddressText,
        pub protocol: Known,
        /// Absent for protocols without ports.
        pub port: Option<u16>,
        /// The service's usual name; absent when it has none.
        pub name: Option<Known>,
        pub attempts: u64,
        /// The most that `attempts` can be too high.
        pub error: u64,
    }

    /// The answer to `rules`.
    pub struct RulesAnswer {
        pub rules: Vec<RuleRow>,
        pub zones: Vec<ZoneRow>,
        /// Of attempts; of other classes none are kept.
        pub targets: Vec<TargetRow>,
        pub completeness: Completeness = Flatten,
    }
}
