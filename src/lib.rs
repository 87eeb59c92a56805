//! Statistics of the packets that a router's firewall refused.

pub mod atlas;
pub mod bus;
pub mod calendar;
pub mod check;
pub mod checksum;
pub mod classify;
pub mod config;
pub mod daemon;
pub mod engine;
pub mod event;
pub mod exposure;
pub mod faces;
pub mod guard;
pub mod hash;
pub mod nftables;
pub mod offline;
pub mod paths;
pub mod query;
pub mod record;
pub mod services;
pub mod short;
pub mod sources;
pub mod statistics;
pub mod store;
pub mod system;
pub mod wire;
