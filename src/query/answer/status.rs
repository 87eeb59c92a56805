//! The fields of the answers to `status` and `blocks`, and the results of parsing lines, as ubus and JSON have them.

use crate::event::calendar::Date;
use crate::event::small_map::SmallMap;
use crate::record;

use super::Completeness;

record! {
    /// The answer to `status`.
    pub struct StatusAnswer {
        pub version: String,
        /// Seconds since the daemon started.
        pub uptime: u64,
        pub clock: ClockStatus,
        pub inputs: Vec<InputStatus>,
        /// The WAN interfaces; absent if they are guessed from their names.
        pub outside: Option<Vec<String>>,
        /// The counters of fwstat's firewall rules; absent if they cannot be read.
        pub counters: Option<Vec<CounterStatus>>,
        /// Where the firewall refuses packets that no rule of fwstat logs one by one; absent if unknown.
        pub not_seen: Option<Vec<NotSeenRow>>,
        pub store: StoreStatus,
        pub memory: MemoryStatus,
        pub countries: Option<DatabaseStatus>,
        /// Absent if `as_database` is not set.
        pub asns: Option<Box<DatabaseStatus>>,
        pub guard: GuardStatus,
        pub fleet: Option<FleetStatus>,
        /// Counters that only grow.
        pub totals: Option<TotalsStatus>,
        /// Deletions by retention, the newest first.
        pub deleted: Vec<DeletedRow> = SkipEmpty,
        /// Files of the store that only the owner removes: damaged ones, and months in the future.
        pub set_aside: Vec<String> = SkipEmpty,
        /// The findings of `fwstat check` that the daemon can make.
        pub findings: Option<Vec<FindingRow>>,
        /// Conditions that need attention, a sentence each.
        pub warnings: Vec<String>,
        pub completeness: Completeness = Flatten,
    }

    /// Something that was deleted from the store, and why.
    pub struct DeletedRow {
        pub when: String,
        pub what: String,
        /// The rule and its limit.
        pub because: String,
    }

    /// The state of the wall clock.
    pub struct ClockStatus {
        /// Whether the wall clock is known; events until then are labelled later.
        pub set: bool,
        pub timezone: String,
    }

    /// received = attempts and events of other classes + malformed + ignored + duplicates
    pub struct InputStatus {
        pub name: String,
        /// `running`, or the obstacle.
        pub state: String,
        /// Packets of NFLOG, or entries of logd.
        pub received: u64,
        pub attempts: u64,
        pub malformed: u64,
        pub ignored: u64,
        pub duplicates: u64,
        /// Of the duplicates those that could not be compared: in a flood more packets arrive than are remembered, and
        /// log lines about an interface that NFLOG covers are then assumed to be copies.
        pub assumed_duplicates: u64,
        /// Packets or entries that were dropped before the daemon read them.
        pub lost: u64,
        /// When the last packet came.
        pub last: Option<String>,
        /// Of the malformed and ignored those that look like packets.
        pub skipped_because: Vec<SkippedBecause> = SkipEmpty,
    }

    /// The counter of a rule of fwstat, and the packets that arrived from it.
    pub struct CounterStatus {
        /// Of the zone's policies.
        pub zone: Option<String>,
        /// Of a rule for all zones: `syn_flood`, `invalid` or `forward`.
        pub place: Option<String>,
        /// As the kernel counted them, since the daemon started.
        pub packets: u64,
        /// As they arrived over NFLOG, since the daemon started.
        pub received: u64,
    }

    /// A place where the firewall refuses packets that are not seen one by one.
    pub struct NotSeenRow {
        pub place: String,
        /// Since the daemon started; absent if nothing counts them.
        pub packets: Option<u64>,
    }

    /// The state of the store on flash.
    pub struct StoreStatus {
        pub path: String,
        /// Size of the store's files.
        pub bytes: u64,
        /// Bytes written to flash today.
        pub written_today: u64,
        pub last_commit: Option<String>,
        /// `ok`, or why the statistics are in RAM only.
        pub state: String,
    }

    /// Memory of the daemon.
    pub struct MemoryStatus {
        /// In bytes; absent if `/proc` does not have it.
        pub resident: Option<u64>,
    }

    /// The country database.
    pub struct DatabaseStatus {
        pub path: String,
        /// `ok`, `none` (there is no file) or `unusable` (then a warning says why).
        pub state: String,
        /// When its data was made.
        pub date: Option<Date>,
    }

    /// A finding of `fwstat check`; `kind` is `wrong`, `note` or `ok`.
    pub struct FindingRow {
        /// `ok`, `note` (works, but not as well as it could) or `wrong` (does not work).
        pub kind: String,
        /// The finding, and what to do.
        pub text: String,
    }

    /// The state of the guard.
    pub struct GuardStatus {
        pub enabled: bool,
        pub state: String,
        pub why: Option<String>,
        /// Blocks that rules began within the time of the option `budget`. Absent, like the fields below, while the
        /// guard is off.
        pub budget: Option<UsageStatus>,
        /// Blocks for floods and scans.
        pub max_blocks: Option<UsageStatus>,
        /// The same for failed logins, which have a budget and a limit of their own.
        pub login_budget: Option<UsageStatus>,
        pub login_blocks: Option<UsageStatus>,
        pub manual_blocks: Option<UsageStatus>,
        /// Blocked networks and countries; then their address ranges in the kernel.
        pub networks: Option<UsageStatus>,
        pub network_ranges: Option<UsageStatus>,
        /// Absent without a table in the kernel.
        pub peers: Option<PeersStatus>,
    }

    /// The batches for a fleet's server. All fields but `enabled` are absent if the fleet is off.
    pub struct FleetStatus {
        pub enabled: bool,
        /// What of the sources is sent: `address`, `hash` or `none`.
        pub sources: Option<String>,
        pub last_sent: Option<String>,
        /// Batches that wait to be sent.
        pub waiting: Option<u64>,
        /// Batches that the server refused for good.
        pub refused: Option<u64>,
        /// Batches dropped without being sent, since the daemon started: too old, or beyond the spool's size.
        pub dropped: Option<u64>,
        /// Size of all batches, including those for corrections.
        pub bytes: Option<u64>,
        /// The sender's: `idle`, `waiting` (it tries again) or `stopped`; absent until it has run.
        pub state: Option<String>,
        /// The last HTTP status; absent if there was none.
        pub answer: Option<u64>,
        /// Sources of the shared list in force; absent if the option `shared` is off.
        pub shared: Option<u64>,
    }

    /// What was counted since the daemon started.
    pub struct TotalsStatus {
        /// Events by class.
        pub events: SmallMap<String, u64>,
        /// Attempts at services that have a name.
        pub services: Vec<ServiceTotal>,
        /// Attempts at all others.
        pub other: u64,
        /// Blocks begun by rule, dry runs left out.
        pub blocks: SmallMap<String, u64>,
    }

    /// Attempts on a service since the daemon's start.
    pub struct ServiceTotal {
        pub protocol: String,
        pub port: u16,
        pub attempts: u64,
    }

    /// How much of a bound is used.
    #[derive(PartialEq)]
    pub struct UsageStatus {
        pub used: u64,
        pub limit: u64,
    }

    /// The peers in the kernel's sets.
    #[derive(PartialEq)]
    pub struct PeersStatus {
        pub used: u64,
        pub limit: u64,
        /// Connections whose peer was not remembered: one inside host opened too many.
        pub limited: u64,
        /// The same, because the set had `limit` peers.
        pub refused: u64,
    }

    /// The results of parsing the lines of an import or report.
    #[derive(PartialEq, Eq)]
    pub struct InputCounts {
        /// lines = events + malformed + duplicates + skipped, unless a line stands for several events (`message
        /// repeated N times`).
        pub lines: u64,
        pub events: u64,
        pub malformed: u64,
        pub duplicates: u64,
        /// Lines that are neither a refused packet nor a failed login.
        pub skipped: u64,
        /// Of the skipped and malformed lines those that look like packets.
        pub skipped_because: Vec<SkippedBecause> = SkipEmpty,
        /// The input interfaces of packets.
        pub interfaces: Vec<InterfaceRow> = SkipEmpty,
        /// Events whose line has no time: they have the file's.
        pub undated: Option<u64>,
        /// The year that was assumed for the first date without one.
        pub year_assumed: Option<u32>,
    }

    /// Lines with `SRC=` and `DST=` that were not counted, by reason.
    #[derive(PartialEq, Eq)]
    pub struct SkippedBecause {
        pub reason: String,
        pub lines: u64,
        /// Its number in its file, from 1; 0 for an entry of logd.
        pub first_line: u64,
        /// The beginning of that line, without control characters.
        pub example: String,
    }

    /// The packets of an input interface.
    #[derive(PartialEq, Eq)]
    pub struct InterfaceRow {
        /// Empty: sent by the machine itself, or not in the line.
        pub name: String,
        /// Whether it is assumed to be a WAN interface.
        pub outside: bool,
        pub why: String,
        pub packets: u64,
    }

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
