//! Counters since the daemon's start, for Prometheus. They only grow.

use crate::event::services;
use crate::event::{Class, Event};

/// Counters since the daemon's start, for Prometheus.
pub struct Totals {
    pub events: [u64; Class::COUNT],
    /// Attempts at the services that have a name, in the order of their rows; the last: at all others.
    pub services: [u64; services::KNOWN + 1],
}

impl Default for Totals {
    fn default() -> Totals {
        Totals { events: [0; Class::COUNT], services: [0; services::KNOWN + 1] }
    }
}

impl Totals {
    pub fn add(&mut self, event: &Event) {
        let raise = |sum: &mut u64| *sum = sum.saturating_add(event.count.into());
        raise(&mut self.events[event.class as usize]);
        if event.class == Class::Attempt {
            let place = services::place_of(event.protocol, event.port);
            raise(&mut self.services[place.unwrap_or(services::KNOWN)]);
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
        let telnet = services::place_of(6, 23).unwrap();
        assert_eq!(services::at_place(telnet), Some((6, 23)));
        assert_eq!(totals.services[telnet], 5 + u64::from(u32::MAX));
        assert_eq!(totals.services[services::KNOWN], 2);
        assert_eq!(totals.services.iter().sum::<u64>(), totals.events[Class::Attempt as usize]);
    }
}
