//! logd over ubus.
