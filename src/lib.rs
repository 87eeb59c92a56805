//! Statistics of the packets that a router's firewall refused.

#![cfg_attr(not(test), warn(unreachable_pub))]

pub mod cli;
pub mod config;
pub mod daemon;
pub mod event;
pub mod fleet;
pub mod geoip;
pub mod guard;
pub mod input;
pub mod live;
pub mod output;
pub mod parse;
pub mod query;
pub mod stats;
pub mod store;
pub mod sys;
pub mod ubus;
