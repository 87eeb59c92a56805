//! The ubus object.
