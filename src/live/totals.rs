//! Counters since the daemon's start, for Prometheus. They only grow and are not stored.

use crate::event::services;
use crate::event::{Class, Event};

/// Counters since the daemon's start, for Prometheus.
#[derive(Default)]
pub struct Totals {
    /// Events by class.
    pub events: [u64; Class::COUNT],
    /// Attempts at the services that have a name, in the order of [`services::all`]; empty before the first one.
    pub services: Vec<u64>,
    /// Attempts at all other services.
    pub other: u64,
}

impl Totals {
    /// Counts an event.
    pub fn add(&mut self, event: &Event) {
        let raise = |sum: &mut u64| *sum = sum.saturating_add(event.count.into());
        raise(&mut self.events[event.class as usize]);
        if event.class == Class::Attempt {
            self.services.resize(services::all().len(), 0);
            let known = services::index_of(event.protocol, event.port);
            raise(known.and_then(|index| self.services.get_mut(index)).unwrap_or(&mut self.other));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_in_its_class_and_every_attempt_in_one_service() {
        let mut totals = Totals::default();
        for (class, port, count) in [
            (Class::Attempt, 23, 5),
            (Class::Attempt, 23, u32::MAX),
            (Class::Attempt, 61_234, 2),
            (Class::Login, 22, 7),
        ] {
            totals.add(&Event { class, protocol: 6, port, count, ..Event::default() });
        }
        assert_eq!(totals.events[Class::Attempt as usize], 7 + u64::from(u32::MAX));
        assert_eq!(totals.events[Class::Login as usize], 7);
        let telnet = services::index_of(6, 23).unwrap();
        assert_eq!(totals.services[telnet], 5 + u64::from(u32::MAX));
        assert_eq!(totals.other, 2);
        assert_eq!(
            totals.services.iter().sum::<u64>() + totals.other,
            totals.events[Class::Attempt as usize]
        );
    }
}
