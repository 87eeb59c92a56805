//! Files, stores and figures: what needs neither a daemon nor a kernel's netfilter.

#[path = "../common/asn_mmdb.rs"]
mod asn_mmdb;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/ranges.rs"]
mod ranges;
#[path = "../fuzz/targets.rs"]
mod targets;

mod asns;
mod clean_outputs;
mod countries;
mod different_sources;
mod format;
mod fuzz_corpus;
mod generated;
mod imports;
mod properties;
mod router_log;
mod rules;
mod shapes;
mod store;
mod store_faults;
mod store_size;
