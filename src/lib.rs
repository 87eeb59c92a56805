//! Statistics of the packets that a router's firewall refused.

pub mod bus;
pub mod calendar;
pub mod classify;
pub mod config;
pub mod event;
pub mod faces;
pub mod paths;
pub mod query;
pub mod services;
pub mod sources;
pub mod statistics;
pub mod store;
pub mod system;
pub mod wire;
