//! The rows of a day's tables: services, sources, and pairs of both. Plain data of fixed size.

use crate::event::{Address, Service};

use super::heavy::Row;
use super::summary::PairCount;

/// Counts of one day saturate at 4,294,967,295.
pub fn row_count(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Attempts in each hour of the day.
#[derive(Clone, Copy, Debug, Default)]
pub struct RowHours {
    /// Up to 255 each.
    pub counts: [u8; 24],
    /// The number of the row's wide hours; 0 while `counts` suffices.
    pub wide: u16,
}

/// 64 bytes: one line of a cache.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub struct ServiceRow {
    pub service: Service,
    pub count: u32,
    /// `count` may be too high by at most this.
    pub error: u32,
    /// Different sources, exact until the table of pairs overflows.
    pub unique: u16,
    pub hours: RowHours,
}

const _: () =
    assert!(size_of::<ServiceRow>() == 64 && size_of::<SourceRow>() == 64 && size_of::<PairRow>() == 32);

impl Row for ServiceRow {
    type Key = Service;

    #[inline]
    fn key(&self) -> Service {
        self.service
    }

    #[inline]
    fn count(&self) -> u64 {
        u64::from(self.count)
    }

    fn start(service: Service, floor: u64) -> ServiceRow {
        let floor = row_count(floor);
        ServiceRow { service, count: floor, error: floor, unique: 0, hours: RowHours::default() }
    }
}

/// 64 bytes: one line of a cache.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub struct SourceRow {
    pub address: Address,
    pub count: u32,
    /// `count` may be too high by at most this.
    pub error: u32,
    /// Seconds since the base of the tables.
    pub first: u32,
    pub last: u32,
    /// Different services, exact until the table of pairs overflows.
    pub services: u16,
    pub hours: RowHours,
}

impl Row for SourceRow {
    type Key = Address;

    #[inline]
    fn key(&self) -> Address {
        self.address
    }

    #[inline]
    fn count(&self) -> u64 {
        u64::from(self.count)
    }

    fn start(address: Address, floor: u64) -> SourceRow {
        let (floor, hours) = (row_count(floor), RowHours::default());
        SourceRow { address, count: floor, error: floor, first: u32::MAX, last: 0, services: 0, hours }
    }
}

/// A service and a source.
pub type Pair = (Service, Address);

/// 32 bytes: never in two lines of a cache.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub struct PairRow {
    pub address: Address,
    pub service: Service,
    pub count: u32,
    /// `count` may be too high by at most this.
    pub error: u32,
}

impl PairRow {
    /// As a row of a summary.
    pub fn counted(&self) -> PairCount {
        let PairRow { address, service, count, error } = *self;
        PairCount { service, address, attempts: count.into(), error: error.into() }
    }
}

impl Row for PairRow {
    type Key = Pair;

    #[inline]
    fn key(&self) -> Pair {
        (self.service, self.address)
    }

    #[inline]
    fn count(&self) -> u64 {
        u64::from(self.count)
    }

    fn start((service, address): Pair, floor: u64) -> PairRow {
        PairRow { address, service, count: row_count(floor), error: row_count(floor) }
    }
}
