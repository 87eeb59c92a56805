//! The fields of the answer to `blocks`, as ubus and JSON have them.

use super::{Completeness, GuardStatus};
use crate::record;

record! {
    /// A block in force.
    pub struct BlockRow {
        pub address: String,
        pub since: String,
        /// Absent: until it is unblocked.
        pub expires: Option<String>,
        pub reason: String,
        pub rule: String,
        /// Events in the window when the limit was reached.
        pub count: u64,
        pub window: String,
        pub evidence: Vec<String>,
        /// How often the source was blocked, this time included.
        pub times: u32,
        /// The first and the last attempt of those that led to the block.
        pub first_seen: Option<String>,
        pub last_seen: Option<String>,
        /// Where the last of them came from, of a source that is an IPv6 /64.
        pub last_address: Option<String>,
        /// What was tried last, such as `tcp 22`.
        pub services: Vec<String>,
        /// Packets that the block dropped; absent if the kernel does not count them.
        pub dropped: Option<u64>,
        /// A dry run: the source would be blocked, but is not.
        pub dry: bool = SkipEmpty,
        /// The kernel's set does not have it yet.
        pub pending: bool = SkipEmpty,
        /// `network`, `country`, or empty: a source. An address that is blocked until it is unblocked is a `network`.
        pub kind: String,
        /// Which addresses are affected, in the answer to `block`.
        pub warning: Option<String>,
    }

    /// A block that has ended.
    pub struct EndedRow {
        pub address: String,
        pub since: String,
        pub ended: String,
        /// Why it ended: `expired`, `by hand`, ...
        pub because: String,
        pub reason: String,
        pub rule: String,
        /// As of a [`BlockRow`].
        pub count: u64,
        pub window: String,
        pub times: u32,
        pub dry: bool = SkipEmpty,
        /// `network`, `country`, or empty: a source.
        pub kind: String,
    }

    /// The answer to `blocks`.
    pub struct BlocksAnswer {
        pub blocks: Vec<BlockRow>,
        /// Ended blocks, the newest first, a bounded number. Absent with a `cursor`.
        pub history: Option<Vec<EndedRow>>,
        /// What the guard does now. Absent with a `cursor`.
        pub guard: Option<GuardStatus>,
        /// For the next call, which returns the blocks that follow; absent at the end.
        pub cursor: Option<u64>,
        pub completeness: Completeness = Flatten,
    }
}
