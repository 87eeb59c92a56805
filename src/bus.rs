//! A connection to ubus.
