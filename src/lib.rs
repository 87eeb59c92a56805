//! Statistics of the packets that a router's firewall refused.

pub mod calendar;
pub mod checksum;
pub mod classify;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod event;
pub mod exposure;
pub mod fleet;
pub mod geoip;
pub mod guard;
pub mod hash;
pub mod input;
pub mod live;
pub mod nft;
pub mod output;
pub mod parse;
pub mod paths;
pub mod query;
pub mod record;
pub mod services;
pub mod short;
pub mod stats;
pub mod store;
pub mod sys;
pub mod ubus;
