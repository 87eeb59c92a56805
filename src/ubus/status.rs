//! Status codes of requests, and their texts.

use std::fmt;

/// `enum ubus_msg_status` of ubus: callers see these numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Status(pub i32);

impl Status {
    /// Status codes of `enum ubus_msg_status` (ubus's ubusmsg.h).
    pub const OK: Status = Status(0);
    pub const INVALID_ARGUMENT: Status = Status(2);
    pub const METHOD_NOT_FOUND: Status = Status(3);
    pub const NOT_FOUND: Status = Status(4);
    pub const NO_DATA: Status = Status(5);
    pub const PERMISSION_DENIED: Status = Status(6);
    pub const NOT_SUPPORTED: Status = Status(8);
    pub const UNKNOWN_ERROR: Status = Status(9);
    pub const NO_MEMORY: Status = Status(11);
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            0 => "success",
            1 => "invalid command",
            2 => "invalid argument",
            3 => "method not found",
            4 => "not found",
            5 => "no data",
            6 => "permission denied",
            7 => "timed out",
            8 => "not supported",
            9 => "unknown error",
            10 => "connection failed",
            11 => "out of memory",
            12 => "unreadable data",
            13 => "system error",
            other => return write!(f, "status {other}"),
        })
    }
}
